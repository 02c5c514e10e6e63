// A scalar, list or map from YAML that remembers its place.
//
// Scalars keep their text and are read strictly, by the type that the reader wants: `010`, `yes`, `0x1F` and `1_000`
// are refused as numbers or booleans rather than guessed at. Canonical text makes two spellings of one value one:
// floats as the shortest text that reads back to the same double, maps in key order.
//
// A value is immutable; copies share their items, so that an alias or `${...}` costs nothing however often it is used.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/core/error.h"

namespace satdl {

class ConfigValue {
public:
    enum class Kind { Null, Scalar, List, Map };
    struct Entry;

    ConfigValue() = default;
    [[nodiscard]] static ConfigValue null(Place place = {});
    [[nodiscard]] static ConfigValue scalar(std::string text, bool quoted = false, Place place = {});
    [[nodiscard]] static ConfigValue list(std::vector<ConfigValue> items, Place place = {});
    [[nodiscard]] static ConfigValue map(std::vector<Entry> entries, Place place = {});
    [[nodiscard]] static ConfigValue of(std::int64_t number);
    [[nodiscard]] static ConfigValue of(double number);
    [[nodiscard]] static ConfigValue of(bool flag);
    [[nodiscard]] static ConfigValue of_text(std::string text) { return scalar(std::move(text), true); }

    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] bool is_null() const { return kind_ == Kind::Null; }
    [[nodiscard]] bool is_scalar() const { return kind_ == Kind::Scalar; }
    [[nodiscard]] bool is_list() const { return kind_ == Kind::List; }
    [[nodiscard]] bool is_map() const { return kind_ == Kind::Map; }
    [[nodiscard]] const Place& place() const { return place_; }
    [[nodiscard]] bool quoted() const { return quoted_; }
    [[nodiscard]] const std::string& text() const { return text_; }  // of a scalar; else ""
    [[nodiscard]] const std::vector<ConfigValue>& items() const;           // of a list; else none
    [[nodiscard]] const std::vector<Entry>& entries() const;         // of a map, in the order written; else none
    [[nodiscard]] const ConfigValue* find(std::string_view key) const;     // in a map; nullptr if absent
    [[nodiscard]] ConfigValue at(Place place) const;                       // the same value with another place

    // A plain (unquoted) scalar as a number or boolean; nullopt if it is not exactly one.
    [[nodiscard]] std::optional<std::int64_t> as_integer() const;  // -?(0|[1-9][0-9]*), within 64 bits
    [[nodiscard]] std::optional<double> as_number() const;         // integers, decimals, exponents; finite; -0.0 as 0
    [[nodiscard]] std::optional<bool> as_boolean() const;          // true, false

    // "a list", "the text 'abc'", "the number 3": for messages.
    [[nodiscard]] std::string describe() const;
    // JSON with sorted keys; plain numbers canonical, plain booleans and null as such, all other scalars strings.
    [[nodiscard]] std::string canonical() const;

private:
    Kind kind_ = Kind::Null;
    bool quoted_ = false;
    std::string text_;
    std::shared_ptr<const std::vector<ConfigValue>> items_;
    std::shared_ptr<const std::vector<Entry>> entries_;
    Place place_;
};

struct ConfigValue::Entry {
    std::string key;
    Place key_place;
    ConfigValue value;
};

// The shortest decimal text that reads back to the same double ("0.1", "1e-07"); integers without a point.
[[nodiscard]] std::string canonical_number(double number);

}  // namespace satdl
