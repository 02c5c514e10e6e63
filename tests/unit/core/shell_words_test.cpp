#include "pipeline/core/shell_words.h"

#include <catch2/catch.hpp>

using namespace satdl;

using Words = std::vector<std::string>;

TEST_CASE("words are split and unquoted as a POSIX shell does, and nothing else happens") {
    const std::vector<std::pair<std::string, Words>> all{
        {"", {}},
        {"  \t\n ", {}},
        {"a b\tc\nd", {"a", "b", "c", "d"}},
        {"a'b c'd", {"ab cd"}},
        {"'' \"\"", {"", ""}},
        {R"(a\ b)", {"a b"}},
        {R"("a \" \\ \$ \x")", {R"(a " \ $ \x)"}},
        {R"('\')", {"\\"}},
        {"$HOME *.py >x | y; z", {"$HOME", "*.py", ">x", "|", "y;", "z"}},
        {"a\\\nb \"c\\\nd\"", {"ab", "cd"}},
        {"--x={in.x} '{a b}'", {"--x={in.x}", "{a b}"}},
    };
    for (const auto& [text, words] : all) {
        INFO(text);
        CHECK(shell_words(text) == words);
    }
    for (const char* open : {"'a", "\"a", "a\\", "\"a\\\""}) CHECK_FALSE(shell_words(open));
}

TEST_CASE("a quoted word is read back as it was") {
    for (const char* word : {"", "a", "a b", "it's", "$HOME", "\"", "\\", "a\nb", "--x={in.x}", "*", "#", "~"}) {
        INFO(word);
        CHECK(shell_words(shell_quoted(std::string_view(word))) == Words{word});
    }
    CHECK(shell_quoted(Words{"python3", "a b", "--lr=0.1"}) == "python3 'a b' --lr=0.1");
}
