// What the command line gives to a parameter, in Hydra's grammar as far as it makes sense here:
//
//   epochs=5                       one value; also null, [1, 2] and {a: 1, b: [x, y]}, name=x=y
//   noise_factor=0.1,0.2           several: a sweep
//   noise_factor=choice(0.1,0.2)   the same
//   epochs=range(5,20,5)           5, 10, 15: the stop is left out; also range(stop), range(start,stop)
//   a=1,range(2,5)                 mixed
//   name=run #1                    a text is what stands there, without the spaces around it
//   name='a,b'  name=a\,b          one text: a comma in quotes, or behind a backslash, separates nothing
//
// It is not YAML: '#', '|', '- ' or '*' mean nothing in it. A backslash makes a text of one of \()[]{}:=,'" or a space; any other
// stands for itself. Within quotes only the closing quote is special: it is written \' (or '' in single quotes), and backslashes right
// before a quote are doubled. What looks like a number, a boolean or null is read as in a YAML file; in quotes it is a text.
//
// Ranges step in decimal, not in binary: range(0.1,0.6,0.1) is exactly 0.1 ... 0.5. Hydra's other functions (glob, interval, sort,
// casts) and its +name and ~name are not taken over.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipeline/core/config_value.h"

namespace satdl {

inline constexpr std::size_t kMaxValues = 10'000;  // of one parameter, in a sweep

struct Override {
    std::string name;
    Place place;  // of the name
    std::vector<ConfigValue> values;
    bool several = false;  // as it is written: with a comma, range(...) or choice(...)

    [[nodiscard]] const ConfigValue& value() const { return values.front(); }  // of one that has no other
};

// Whether an argument is an override rather than the name of a stage: "epochs=5", but not "m1[epochs=5]", a sweep's stage.
[[nodiscard]] bool is_override(std::string_view argument);

// `where`: what the text is called in messages, as "--set". Throws Error{Usage} with a caret in the text: no name or value, an
// empty range, a step of zero or of the wrong sign, a duplicate value, more than kMaxValues, a quote or
// bracket that is not closed, a line break.
[[nodiscard]] Override parse_override(const std::string& text, const std::string& where);

// What may follow the '=', from a text in YAML; mistakes are reported at its place.
[[nodiscard]] std::vector<ConfigValue> parse_values(const ConfigValue& text);

}  // namespace satdl
