#include "pipeline/core/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <new>
#include <set>
#include <tuple>

#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

constexpr std::size_t kLineWidth = 110;    // of a shown line; longer ones are cut around the caret
constexpr std::size_t kOriginWidth = 60;   // of the line that a value comes from
constexpr std::size_t kMaxReported = 50;      // errors of one run; the rest are counted

std::string spaces(std::size_t count) {
    return std::string(count, ' ');
}

// A part of a source's line as it is shown, and how many columns it takes on a terminal.
struct DisplayText {
    std::string text;
    std::size_t columns = 0;
};

DisplayText display_text(std::string_view text) {
    DisplayText result;
    result.text = printable(text);
    result.columns = utf8_characters(result.text);
    return result;
}

// "--set:1:14, noise_factor=40"
std::string with_line(const Place& place) {
    std::string_view line = place.source->line(place.line);
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const std::size_t end = utf8_floor(line, kOriginWidth);
    return fmt::format("{}, {}{}", place.text(), printable(line.substr(0, end)), end < line.size() ? "..." : "");
}

// The line and the caret under `column`, as rustc draws them.
std::string excerpt(const Place& place) {
    const std::string_view whole = place.source->line(place.line);
    const std::size_t caret = std::min(static_cast<std::size_t>(std::max(place.column, 1) - 1), whole.size());
    std::size_t begin = 0;
    if (whole.size() > kLineWidth && caret > kLineWidth / 2) begin = caret - kLineWidth / 2;
    begin = utf8_floor(whole, begin);
    const std::size_t end = std::max(begin, utf8_floor(whole, begin + kLineWidth));

    std::string without_tabs(whole.substr(begin, end - begin));
    std::replace(without_tabs.begin(), without_tabs.end(), '\t', ' ');
    const DisplayText line = display_text(without_tabs);
    const DisplayText before = display_text(std::string_view(without_tabs).substr(0, std::min(caret, end) - begin));
    const std::string_view left = begin > 0 ? "..." : "";
    const std::string_view right = end < whole.size() ? "..." : "";
    return fmt::format("\n{:>5} | {}{}{}\n      | {}^", place.line, left, line.text, right,
                       spaces(left.size() + before.columns));
}

// The lines of `text`, each printable, joined with `separator`. Names in it may come from the command line or from a file of others.
std::string printable_lines(std::string_view text, std::string_view separator) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    std::string lines;
    for (std::size_t from = 0;;) {
        const std::size_t end = std::min(text.find('\n', from), text.size());
        lines += printable(text.substr(from, end - from));
        if (end == text.size()) return lines;
        lines += separator;
        from = end + 1;
    }
}

bool is_before(const Diagnostic& a, const Diagnostic& b) {
    return std::tuple(a.place.line, a.place.column) < std::tuple(b.place.line, b.place.column);
}

using Position = std::tuple<const SourceText*, int, int>;

Position position(const Place& place) {
    return {place.source.get(), place.line, place.column};
}

// Removes duplicates: what `foreach` and stages that share a network repeat, and all but the first diagnostic about
// one scalar.
void remove_duplicates(std::vector<Diagnostic>& reported) {
    std::set<std::tuple<Position, std::string, std::string>> seen;
    std::set<Position> origins;
    std::erase_if(reported, [&](const Diagnostic& one) {
        if (!seen.insert({position(one.place), one.message, one.hint}).second) return true;
        return one.place.origin != nullptr && !origins.insert(position(*one.place.origin)).second;
    });
}

std::string render_all(const std::vector<Diagnostic>& diagnostics) {
    std::string text;
    for (std::size_t i = 0; i < diagnostics.size() && i < kMaxReported; ++i) {
        if (i > 0) text += '\n';
        text += render(diagnostics[i]);
    }
    if (diagnostics.size() > kMaxReported) text += fmt::format("\nand {} more errors", diagnostics.size() - kMaxReported);
    return text;
}

}  // namespace

std::string_view SourceText::line(int number) const {
    if (number < 1) return {};
    std::size_t begin = 0;
    for (int i = 1; i < number; ++i) {
        begin = text.find('\n', begin);
        if (begin == std::string::npos) return {};
        ++begin;
    }
    std::string_view found = std::string_view(text).substr(begin, text.find('\n', begin) - begin);
    if (found.ends_with('\r')) found.remove_suffix(1);
    return found;
}

std::string Place::text() const {
    if (!source) return {};
    const std::string name = printable(source->name);
    return line > 0 ? fmt::format("{}:{}:{}", name, line, column) : name;
}

std::string render(const Diagnostic& diagnostic) {
    const Place& place = diagnostic.place;
    std::string text = place ? place.text() + ": error: " : "";
    text += printable_lines(diagnostic.message, "\n");
    const bool drawn = place && place.line > 0;
    if (drawn) text += excerpt(place);
    const std::string_view margin = drawn ? "\n      = " : "\n  ";
    if (!diagnostic.hint.empty()) text += std::string(margin) + printable_lines(diagnostic.hint, margin);
    if (place.origin != nullptr && place.origin->text() != place.text()) text += fmt::format("{}the value comes from {}", margin, with_line(*place.origin));
    return text;
}

Error::Error(ExitCode code, std::string message, std::string hint)
    : Error(code, std::vector<Diagnostic>{{{}, std::move(message), std::move(hint)}}) {}

Error::Error(ExitCode code, std::vector<Diagnostic> diagnostics)
    : std::runtime_error(render_all(diagnostics)), code_(code), diagnostics_(std::move(diagnostics)) {}

void refuse(Place place, std::string message, std::string hint) {
    throw Error(ExitCode::Usage, std::vector<Diagnostic>{{std::move(place), std::move(message), std::move(hint)}});
}

void Diagnostics::add(Place place, std::string message, std::string hint) {
    found_.push_back({std::move(place), std::move(message), std::move(hint)});
}

void Diagnostics::throw_if_any() const {
    if (found_.empty()) return;
    // Source by source, in the order in which they came up; what has no place comes last.
    std::map<const SourceText*, std::size_t> order;
    for (const Diagnostic& one : found_)
        if (one.place) order.emplace(one.place.source.get(), order.size());
    order[nullptr] = order.size();
    std::vector<Diagnostic> reported = found_;
    std::stable_sort(reported.begin(), reported.end(), [&](const Diagnostic& a, const Diagnostic& b) {
        const std::size_t left = order.at(a.place.source.get()), right = order.at(b.place.source.get());
        return left != right ? left < right : is_before(a, b);
    });
    remove_duplicates(reported);
    throw Error(ExitCode::Usage, std::move(reported));
}

std::string describe(const std::exception& error) {
    if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return kNoMemory;
    std::string_view what = error.what();
    for (const std::string_view stack : {"\nException raised from ", "\nframe #0: "}) what = what.substr(0, what.find(stack));
    constexpr std::string_view kRefusedByGpu = "CUDA out of memory. Tried to allocate ";  // "2.50 GiB. GPU 0 has ...", "2.50 GiB (GPU 0; ..."
    if (const std::size_t at = what.find(kRefusedByGpu); at != std::string_view::npos) {
        std::string_view bytes = what.substr(at + kRefusedByGpu.size());
        bytes = bytes.substr(0, bytes.find(' ', std::min(bytes.find(' '), bytes.size() - 1) + 1));
        if (bytes.ends_with('.')) bytes.remove_suffix(1);
        return fmt::format(
            "the GPU's memory is full: it asked for {} at once; a smaller batch_size needs less, and nvidia-smi lists who uses it", bytes);
    }
    constexpr std::string_view kRefused = "DefaultCPUAllocator: can't allocate memory: you tried to allocate ";
    const std::size_t at = what.find(kRefused);
    if (at == std::string_view::npos) return std::string(what);
    const std::string_view bytes = what.substr(at + kRefused.size());
    return fmt::format("{}: it asked for {} bytes at once", kNoMemory, bytes.substr(0, bytes.find(' ')));
}

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

std::string in_one_line(std::string_view text) {
    std::string line;
    for (std::size_t from = 0; from < text.size();) {
        const std::size_t end = std::min(text.find('\n', from), text.size());
        if (const std::string_view part = trimmed(text.substr(from, end - from)); !part.empty())
            line += fmt::format("{}{}", line.empty() ? "" : "; ", part);
        from = end + 1;
    }
    return printable(line);
}

}  // namespace satdl
