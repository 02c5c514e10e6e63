// The text of a YAML file around yaml-cpp: what it must not see, `${...}` made harmless for it, and what its words mean.
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

// A plain `${name}` within `{...}` or `[...]` is not legal YAML, and everybody writes it. Its braces are replaced by the
// bytes 0xFE and 0xFF, which valid UTF-8 never holds and no escape of YAML yields: nothing moves, places stay exact.
[[nodiscard]] std::string with_braces_hidden(std::string_view text);
// The same text with its braces back.
void show_braces(std::string& text);

// What yaml-cpp's `message` about `line` means for the one who wrote it; may be empty.
[[nodiscard]] std::string advice(std::string_view message, std::string_view line);

}  // namespace satdl
