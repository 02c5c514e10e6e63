#include "pipeline/display/terminal_image.h"

#include <catch2/catch.hpp>

using namespace satdl;

namespace {

Picture grey(int height, int width, std::vector<float> values) { return {1, height, width, std::move(values)}; }

// Escape as E, so that a failure can be read.
std::string text_of(const std::vector<Picture>& pictures, Drawing drawing, int columns = 80) {
    std::string text = drawn(Montage(pictures, columns), drawing);
    for (char& c : text) {
        if (c == '\x1b') c = 'E';
    }
    return text;
}

}  // namespace

TEST_CASE("two pixels, one above the other, are a character in two colours") {
    CHECK(text_of({grey(2, 1, {1, 0})}, Drawing::TrueColour) == "E[48;2;0;0;0mE[38;2;255;255;255m▀E[0m\n");
    CHECK(text_of({grey(2, 1, {1, 0})}, Drawing::Colours256) == "E[48;5;16mE[38;5;231m▀E[0m\n");
}

TEST_CASE("a colour is written where it changes, and at the start of every line") {
    CHECK(text_of({grey(2, 3, {0, 0, 1, 0, 0, 0})}, Drawing::TrueColour) ==
          "E[48;2;0;0;0mE[38;2;0;0;0m▀▀E[38;2;255;255;255m▀E[0m\n");
    CHECK(text_of({grey(4, 1, {0, 0, 0, 0})}, Drawing::Colours256) == "E[48;5;16mE[38;5;16m▀E[0m\nE[48;5;16mE[38;5;16m▀E[0m\n");
}

TEST_CASE("the last row of an odd number has nothing below it") {
    CHECK(text_of({grey(3, 1, {0, 0, 1})}, Drawing::TrueColour) ==
          "E[48;2;0;0;0mE[38;2;0;0;0m▀E[0m\nE[38;2;255;255;255m▀E[0m\n");
}

TEST_CASE("three channels are red, green and blue") {
    const Picture picture{3, 2, 1, {1, 0, 0.5f, 0, 0, 1}};
    CHECK(text_of({picture}, Drawing::TrueColour) == "E[48;2;0;0;255mE[38;2;255;128;0m▀E[0m\n");
    CHECK(text_of({picture}, Drawing::Colours256) == "E[48;5;21mE[38;5;208m▀E[0m\n");
    CHECK(text_of({{3, 1, 3, {1, 0, 0, 0, 1, 0, 0, 0, 1}}}, Drawing::Ascii) == "-+.\n");
}

TEST_CASE("256 colours have 26 shades of grey") {
    std::vector<float> ramp;
    for (const int value : {0, 3, 4, 8, 18, 128, 238, 246, 247, 255}) ramp.push_back(static_cast<float>(value) / 255);
    CHECK(text_of({grey(1, 10, ramp)}, Drawing::Colours256) ==
          "E[38;5;16m▀▀E[38;5;232m▀▀E[38;5;233m▀E[38;5;244m▀E[38;5;255m▀▀E[38;5;231m▀▀E[0m\n");
}

TEST_CASE("without colours a character is the mean of its pixels, in ten shades") {
    std::vector<float> ramp;
    for (int i = 0; i < 10; ++i) ramp.push_back(static_cast<float>(i) / 9);
    CHECK(text_of({grey(1, 10, ramp)}, Drawing::Ascii) == " .:-=+*#%@\n");
    CHECK(text_of({grey(2, 2, {1, 1, 1, 0})}, Drawing::Ascii) == "@+\n");
    CHECK(text_of({grey(3, 1, {0, 0, 1})}, Drawing::Ascii) == "\n@\n");
}

TEST_CASE("a row holds as many pictures as fit") {
    const Picture white = grey(2, 3, {1, 1, 1, 1, 1, 1});
    CHECK(text_of({white, white, white}, Drawing::Ascii, 11) == "@@@ @@@ @@@\n");
    CHECK(text_of({white, white, white}, Drawing::Ascii, 10) == "@@@ @@@\n\n@@@\n");
    CHECK(text_of({white, white, white}, Drawing::Ascii, 3) == "@@@\n\n@@@\n\n@@@\n");
    const Picture black = grey(2, 1, {0, 0});
    CHECK(text_of({black, black}, Drawing::Colours256, 80) == "E[48;5;16mE[38;5;16m▀E[49m E[48;5;16m▀E[0m\n");
    CHECK(text_of({black, black, black}, Drawing::Colours256, 3) ==
          "E[48;5;16mE[38;5;16m▀E[49m E[48;5;16m▀E[0m\n\nE[48;5;16mE[38;5;16m▀E[0m\n");
}

TEST_CASE("a picture wider than the terminal is scaled down by averaging its pixels") {
    const Picture wide = grey(2, 5, {1, 1, 0, 0, 1, 1, 1, 0, 0, 1});
    CHECK(text_of({wide}, Drawing::Ascii, 5) == "@@  @\n");
    CHECK(text_of({wide}, Drawing::Ascii, 4) == "@ @\n");
    CHECK(text_of({grey(2, 4, {1, 0, 1, 1, 0, 1, 1, 1})}, Drawing::Ascii, 2) == "+@\n");
    CHECK(text_of({wide}, Drawing::Ascii, 1) == "+\n");
}

TEST_CASE("a montage knows its size and its empty places") {
    const Montage montage({grey(3, 2, {0, 0, 0, 0, 0, 0}), grey(3, 2, {1, 1, 1, 1, 1, 1})}, 80);
    CHECK(montage.columns() == 5);
    CHECK(montage.lines() == 2);
    REQUIRE(montage.pixels().size() == 20);
    CHECK(montage.pixels()[0] == Montage::Colour{0, 0, 0});
    CHECK_FALSE(montage.pixels()[2]);
    CHECK(montage.pixels()[3] == Montage::Colour{255, 255, 255});
    CHECK_FALSE(montage.pixels()[15]);
}

TEST_CASE("the drawing method follows the terminal's environment variables") {
    const auto drawing = [](const std::string& term, const std::string& colorterm = "") {
        return drawing_for({.is_terminal = true, .term = term, .colorterm = colorterm});
    };
    CHECK(drawing("xterm-256color", "truecolor") == Drawing::TrueColour);
    CHECK(drawing("xterm", "24bit") == Drawing::TrueColour);
    CHECK(drawing("xterm-256color") == Drawing::Colours256);
    CHECK(drawing("tmux-256color", "yes") == Drawing::Colours256);
    CHECK(drawing("vt100") == Drawing::Ascii);
    CHECK(drawing("dumb", "truecolor") == Drawing::Ascii);
    CHECK(drawing("xterm-kitty", "truecolor") == Drawing::Kitty);
    CHECK(drawing_for({.is_terminal = true, .term = "xterm-256color", .kitty_window = true}) == Drawing::Kitty);
    CHECK(drawing_for({.is_terminal = true, .term = "tmux-256color", .kitty_window = true}) == Drawing::Colours256);
    CHECK(drawing_for({.is_terminal = false, .term = "xterm-kitty"}) == Drawing::Ascii);
    CHECK(drawing_for({.is_terminal = true, .colour = false, .term = "xterm-kitty", .colorterm = "truecolor"}) == Drawing::Ascii);
}
