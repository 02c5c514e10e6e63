// Around yaml-cpp: rejects texts that it must not see, hides the braces of `${...}` from it, and explains its messages.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "pipeline/core/error.h"

namespace satdl {

// The first thing in `text`, which begins at `start`, that no YAML of ours holds: invalid UTF-8, a control character, a line of over
// 1 MiB.
[[nodiscard]] std::optional<Diagnostic> unreadable(std::string_view text, const Place& start);

// A plain `${name}` within `{...}` or `[...]` is not legal YAML, but commonly written. Its braces are replaced by the
// bytes 0xFE and 0xFF, which occur neither in valid UTF-8 nor in YAML's escapes: nothing moves, so places stay exact.
[[nodiscard]] std::string with_braces_hidden(std::string_view text);
// The same text with its braces back.
void show_braces(std::string& text);

// A hint for the user about yaml-cpp's `message` on `line`; may be empty.
[[nodiscard]] std::string advice(std::string_view message, std::string_view line);

}  // namespace satdl
