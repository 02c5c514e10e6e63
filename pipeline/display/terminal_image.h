// Pictures on a terminal: two pixels a character, one above the other, as "▀" in two colours; or shades of ASCII, where no
// colours are wanted. A pure function from pixels and a width to text.
//
// Sixel was rejected: the only way to detect it is to query the terminal and wait for an answer that may never come.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace satdl {

// values: [channels, height, width] within [0, 1]; one channel is grey, three are red, green and blue.
struct Picture {
    int channels = 1, height = 0, width = 0;
    std::vector<float> values;
};

// Pictures of one size, side by side, one column between two and a line of text between two rows of them. What is wider than
// `columns` is made smaller by whole factors. Precondition: at least one picture; columns > 0.
class Montage {
public:
    struct Colour {
        std::uint8_t red = 0, green = 0, blue = 0;
        bool operator==(const Colour&) const = default;
    };

    Montage(const std::vector<Picture>& pictures, int columns);

    [[nodiscard]] int columns() const { return width_; }       // of text, and of pixels
    [[nodiscard]] int lines() const { return height_ / 2; }    // of text; of pixels: twice as many
    // By rows; nullopt between the pictures.
    [[nodiscard]] const std::vector<std::optional<Colour>>& pixels() const { return pixels_; }

private:
    int width_ = 0, height_ = 0;
    std::vector<std::optional<Colour>> pixels_;
};

enum class Drawing {
    Ascii,       // ten shades, dark to light: " .:-=+*#%@"
    Colours256,  // xterm's palette
    TrueColour,
    Kitty,       // the terminal draws pixels
};

// What the environment says about the terminal.
struct TerminalTraits {
    bool is_terminal = false;  // and can redraw: see can_redraw()
    bool colour = true;        // no NO_COLOR
    std::string term{}, colorterm{};
    bool kitty_window = false;  // KITTY_WINDOW_ID is set
};
[[nodiscard]] Drawing drawing_for(const TerminalTraits& terminal);

// Lines, each with its end. Not for Kitty.
[[nodiscard]] std::string drawn(const Montage& montage, Drawing drawing);

}  // namespace satdl
