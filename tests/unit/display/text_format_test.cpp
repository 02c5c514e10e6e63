#include "pipeline/display/text_format.h"

#include <catch2/catch.hpp>
#include <sstream>

using namespace satdl;

TEST_CASE("Width counts columns of a terminal, not bytes") {
    CHECK(display_width("") == 0);
    CHECK(display_width("m1") == 2);
    CHECK(display_width("━━") == 2);
    CHECK(display_width("日本") == 4);
    CHECK(display_width("e\xCC\x81") == 1);  // e and a combining accent
    CHECK(display_width("\xFF\xC3") == 2);   // no UTF-8: a column a byte
    CHECK(display_width("\xE2\x94") == 2);   // cut within a character
}

TEST_CASE("Text is cut to a width at a whole character, with an ellipsis") {
    CHECK(fitted("abcdef", 6) == "abcdef");
    CHECK(fitted("abcdef", 5) == "abcd…");
    CHECK(fitted("日本語", 5) == "日本…");
    CHECK(fitted("日本語", 4) == "日…");
    CHECK(fitted("abc", 1) == "…");
    CHECK(fitted("abc", 0).empty());
    CHECK(padded("日", 4) == "日  ");
}

TEST_CASE("Durations have the unit that suits them") {
    CHECK(duration_text(0.0032) == "3.2 ms");
    CHECK(duration_text(1.234) == "1.23 s");
    CHECK(duration_text(12.34) == "12.3 s");
    CHECK(duration_text(59.96) == "1:00 min");
    CHECK(duration_text(245) == "4:05 min");
    CHECK(duration_text(3723) == "1:02:03 h");
    CHECK(clock_text(12.4) == "12s");
    CHECK(clock_text(65) == "1:05");
    CHECK(clock_text(3723) == "1:02:03");
    CHECK(clock_text(-1) == "0s");
}

TEST_CASE("Sizes go by powers of 1000") {
    CHECK(bytes_text(0) == "0 B");
    CHECK(bytes_text(999) == "999 B");
    CHECK(bytes_text(1500) == "1.5 kB");
    CHECK(bytes_text(188'160'000) == "188 MB");
    CHECK(bytes_text(999'999) == "1.0 MB");
}

TEST_CASE("Columns of numbers stand to the right, others to the left") {
    const Table table{.title = "P against P0",
                      .columns = {"model", "p"},
                      .rows = {{"m2", "9.5"}, {"m3 日", "-"}, {"x", "10.25"}},
                      .notes = {"n"}};
    CHECK(table_text(table) ==
          "P against P0\n"
          "model      p\n"
          "────────────\n"
          "m2       9.5\n"
          "m3 日      -\n"
          "x      10.25\n"
          "n\n");
}

TEST_CASE("Text is wrapped between words, and within a word that is longer than a line") {
    CHECK(wrapped("one two three", 80) == "one two three");
    CHECK(wrapped("one two three", 7) == "one two\nthree");
    CHECK(wrapped("one two three", 8) == "one two\nthree");
    CHECK(wrapped("one interminable word", 6) == "one\ninterm\ninable\nword");
    CHECK(wrapped("compare.difference", 12) == "compare.\ndifference");
    CHECK(wrapped("日本語", 3) == "日\n本\n語");
    CHECK(wrapped("日本", 1) == "日\n本");
    CHECK(wrapped("run   m1   epochs was 3", 12, 6) == "run   m1\n      epochs\n      was 3");
    CHECK(wrapped("  an example", 9, 4) == "  an\n    examp\n    le");
    CHECK(wrapped("", 6).empty());
}

TEST_CASE("Lines are wrapped one by one") {
    CHECK(wrapped_lines("one two\n\nthree four\n", 8, 1) == "one two\n\nthree\n four\n");
    CHECK(wrapped_lines("one two\n", std::nullopt, 1) == "one two\n");
}

TEST_CASE("A table is wrapped in its widest cells") {
    const Table table{.title = "", .columns = {"name", "help"},
                      .rows = {{"a", "one two three four five six seven"}, {"b", "short"}}, .notes = {"a note of three words and more"}};
    CHECK(table_text(table, 30) ==
          "name  help\n"
          "──────────────────────────────\n"
          "a     one two three four five\n"
          "      six seven\n"
          "b     short\n"
          "a note of three words and more\n");
    CHECK(table_text(table, 22) ==
          "name  help\n"
          "──────────────────────\n"
          "a     one two three\n"
          "      four five six\n"
          "      seven\n"
          "b     short\n"
          "a note of three words\n"
          "  and more\n");
    CHECK(table_text(table, std::nullopt) == table_text(table));
    CHECK(table_text(table, 80) == table_text(table));
}

TEST_CASE("Headers of numbers are wrapped at their separators, the numbers are not") {
    const Table table{.title = "", .columns = {"noise", "compare.difference", "compare.gap/p"},
                      .rows = {{"0.2", "0.0160", "0.0550"}, {"0.4", "-0.0310", "0.0550"}}, .notes = {}};
    CHECK(table_text(table, 27) ==
          "noise    compare.  compare.\n"
          "       difference     gap/p\n"
          "───────────────────────────\n"
          "  0.2      0.0160    0.0550\n"
          "  0.4     -0.0310    0.0550\n");
}

TEST_CASE("Columns that do not fit follow in a second part with the labels of the rows") {
    const Table table{.title = "T", .columns = {"noise", "seed", "loss", "accuracy"},
                      .rows = {{"0.2", "1", "0.0160", "0.0550"}, {"0.4", "2", "-0.0310", "0.0550"}}, .notes = {"n"}};
    CHECK(table_text(table, 24, 2) ==
          "T\n"
          "noise  seed     loss\n"
          "────────────────────\n"
          "  0.2     1   0.0160\n"
          "  0.4     2  -0.0310\n"
          "\n"
          "noise  seed  accuracy\n"
          "─────────────────────\n"
          "  0.2     1    0.0550\n"
          "  0.4     2    0.0550\n"
          "n\n");
}

TEST_CASE("No table is wider than the terminal, however narrow, unless a number is") {
    const Table table{.title = "A title of several words", .columns = {"stage", "train/binary_accuracy", "日本語 and a long header", "reason"},
                      .rows = {{"evaluate_m2@train", "0.1234", "text", "depends on m2, which runs: epochs was 3, is 4"},
                               {"m2", "-", std::string(300, 'x'), ""}},
                      .notes = {"one that is longer than a line of the terminal"}};
    for (int width = 36; width < 200; ++width) {
        CAPTURE(width);
        std::istringstream lines(table_text(table, width));
        for (std::string line; std::getline(lines, line);) CHECK(display_width(line) <= width);
    }
}

TEST_CASE("No cell can bring a control character into a table, and rows may be short") {
    const Table table{.title = "a\x1b[2J", .columns = {"b\n", "c"}, .rows = {{"d\re"}}, .notes = {"\x07"}};
    const std::string text = table_text(table);
    for (const char c : text) CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n'));
}

TEST_CASE("CSV quotes what holds commas, quotes or ends of lines") {
    const Table table{.title = {}, .columns = {"a", "b"}, .rows = {{"1,2", "say \"x\""}, {"l1\nl2", "plain"}}, .notes = {}};
    CHECK(table_csv(table) == "a,b\n\"1,2\",\"say \"\"x\"\"\"\n\"l1\nl2\",plain\n");
}

TEST_CASE("a table in Markdown has a rule below its header, and no cell ends one") {
    const Table table{.title = "t", .columns = {"a", "b"}, .rows = {{"1|2", "x"}, {"only"}}, .notes = {}};
    CHECK(table_markdown(table) == "| a | b |\n| --- | --- |\n| 1\\|2 | x |\n| only |  |\n");
}
