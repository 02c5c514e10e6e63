// A command line as words and back, by the quoting rules of the POSIX shell and nothing else of it: no variables, no patterns, no
// operators. (POSIX.1-2017, Shell Command Language, 2.2 Quoting)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satdl {

// nullopt: a quote is not closed, or a backslash ends the text. Characters that a shell would act on ($ * | > ;) are themselves.
[[nodiscard]] std::optional<std::vector<std::string>> shell_words(std::string_view text);

// The word as a shell reads it: as it is if it consists of plain characters, else in single quotes.
[[nodiscard]] std::string shell_quoted(std::string_view word);
[[nodiscard]] std::string shell_quoted(const std::vector<std::string>& words);  // joined with spaces

}  // namespace satdl
