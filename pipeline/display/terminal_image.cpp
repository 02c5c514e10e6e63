#include "pipeline/display/terminal_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "pipeline/core/check.h"

namespace satdl {
namespace {

using Colour = Montage::Colour;
using Pixel = std::optional<Colour>;

constexpr std::string_view kShades = " .:-=+*#%@";
constexpr std::string_view kUpperHalf = "▀";

// Each pixel is the mean of factor x factor pixels, or fewer at the edge.
Picture shrunk(const Picture& picture, int factor) {
    if (factor == 1) return picture;
    Picture small{picture.channels, (picture.height + factor - 1) / factor, (picture.width + factor - 1) / factor, {}};
    for (int channel = 0; channel < small.channels; ++channel) {
        for (int y = 0; y < small.height; ++y) {
            for (int x = 0; x < small.width; ++x) {
                const int bottom = std::min((y + 1) * factor, picture.height), right = std::min((x + 1) * factor, picture.width);
                float sum = 0;
                for (int row = y * factor; row < bottom; ++row) {
                    for (int column = x * factor; column < right; ++column)
                        sum += picture.values[static_cast<std::size_t>((channel * picture.height + row) * picture.width + column)];
                }
                small.values.push_back(sum / static_cast<float>((bottom - y * factor) * (right - x * factor)));
            }
        }
    }
    return small;
}

std::uint8_t byte_of(float value) { return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0f, 1.0f) * 255)); }

Colour colour_at(const Picture& picture, int y, int x) {
    const auto value = [&](int channel) {
        return byte_of(picture.values[static_cast<std::size_t>((channel * picture.height + y) * picture.width + x)]);
    };
    if (picture.channels == 1) return {value(0), value(0), value(0)};
    return {value(0), value(1), value(2)};
}

// 0..255, as ITU-R BT.601 weighs the colours.
double brightness(const Colour& colour) { return 0.299 * colour.red + 0.587 * colour.green + 0.114 * colour.blue; }

char shade_of(const Pixel& top, const Pixel& bottom) {
    double sum = 0;
    int count = 0;
    for (const Pixel& pixel : {top, bottom}) {
        if (!pixel) continue;
        sum += brightness(*pixel);
        ++count;
    }
    if (count == 0) return ' ';
    return kShades[static_cast<std::size_t>(std::lround(sum / count / 255 * static_cast<double>(kShades.size() - 1)))];
}

// The nearest of the palette's 24 shades of grey, black and white; or of its cube of 6 x 6 x 6 colours.
int palette_index(const Colour& colour) {
    if (colour.red == colour.green && colour.green == colour.blue) {
        if (colour.red < 4) return 16;
        if (colour.red > 246) return 231;
        return 232 + std::min((colour.red - 3) / 10, 23);
    }
    const auto level = [](std::uint8_t value) {
        constexpr std::array<int, 6> kLevels{0, 95, 135, 175, 215, 255};
        const auto nearest = std::ranges::min_element(kLevels, {}, [value](int one) { return std::abs(one - value); });
        return static_cast<int>(nearest - kLevels.begin());
    };
    return 16 + 36 * level(colour.red) + 6 * level(colour.green) + level(colour.blue);
}

std::string colour_code(int layer, const Colour& colour, Drawing drawing) {
    if (drawing == Drawing::Colours256) return fmt::format("\x1b[{}8;5;{}m", layer, palette_index(colour));
    return fmt::format("\x1b[{}8;2;{};{};{}m", layer, colour.red, colour.green, colour.blue);
}

// One line of text from two rows of pixels; a colour code is written only where the colour changes.
std::string colour_line(const Pixel* top, const Pixel* bottom, int columns, Drawing drawing) {
    std::string line, foreground, background;  // the current codes
    while (columns > 0 && !top[columns - 1]) --columns;
    const auto turn_to = [&line](std::string& current, std::string code) {
        if (code == current) return;
        line += code;
        current = std::move(code);
    };
    constexpr const char* kNoBackground = "\x1b[49m";
    for (int x = 0; x < columns; ++x) {
        if (bottom[x]) {
            turn_to(background, colour_code(4, *bottom[x], drawing));
        } else if (!background.empty()) {
            turn_to(background, kNoBackground);
        }
        if (top[x]) turn_to(foreground, colour_code(3, *top[x], drawing));
        line += top[x] ? kUpperHalf : " ";
    }
    return line.empty() ? line : line + "\x1b[0m";
}

}  // namespace

Montage::Montage(const std::vector<Picture>& pictures, int columns) {
    SATDL_CHECK(!pictures.empty() && columns > 0, "there is something to draw, and room for it");
    const int factor = (pictures.front().width + columns - 1) / columns;
    std::vector<Picture> small;
    for (const Picture& picture : pictures) small.push_back(shrunk(picture, factor));
    const int width = small.front().width, height = small.front().height;
    const int each_height = height + height % 2 + 2;
    const int count = static_cast<int>(small.size());
    const int in_a_row = std::min(count, (columns + 1) / (width + 1));
    const int rows = (count + in_a_row - 1) / in_a_row;
    width_ = in_a_row * (width + 1) - 1;
    height_ = rows * each_height - 2;
    pixels_.resize(static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_));
    for (int i = 0; i < count; ++i) {
        const int top = i / in_a_row * each_height, left = i % in_a_row * (width + 1);
        for (int y = 0; y < height; ++y) {
            for (int x = 0; x < width; ++x)
                pixels_[static_cast<std::size_t>((top + y) * width_ + left + x)] = colour_at(small[static_cast<std::size_t>(i)], y, x);
        }
    }
}

Drawing drawing_for(const TerminalTraits& terminal) {
    if (!terminal.is_terminal || !terminal.colour || terminal.term == "dumb") return Drawing::Ascii;
    // Terminal multiplexers do not pass pictures on to kitty.
    const bool multiplexed = terminal.term.starts_with("screen") || terminal.term.starts_with("tmux");
    if (terminal.term == "xterm-kitty" || (terminal.kitty_window && !multiplexed)) return Drawing::Kitty;
    if (terminal.colorterm == "truecolor" || terminal.colorterm == "24bit") return Drawing::TrueColour;
    return terminal.term.find("256color") != std::string::npos ? Drawing::Colours256 : Drawing::Ascii;
}

std::string drawn(const Montage& montage, Drawing drawing) {
    SATDL_CHECK(drawing != Drawing::Kitty, "kitty draws pixels, not text");
    std::string text;
    for (int row = 0; row < montage.lines(); ++row) {
        const Pixel* top = montage.pixels().data() + static_cast<std::ptrdiff_t>(2 * row) * montage.columns();
        const Pixel* bottom = top + montage.columns();
        std::string line;
        if (drawing == Drawing::Ascii) {
            for (int x = 0; x < montage.columns(); ++x) line += shade_of(top[x], bottom[x]);
        } else {
            line = colour_line(top, bottom, montage.columns(), drawing);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + '\n';
    }
    return text;
}

}  // namespace satdl
