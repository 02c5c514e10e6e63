#include "pipeline/dag_file/placeholders.h"

#include <fmt/format.h>

#include <optional>

#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

constexpr const char* kForms =
    "{in.NAME}, {out.NAME}, {files.NAME}, {work}, or {NAME} of a value under 'with'; a brace that is meant is doubled: {{ }}";

// `inside`: the text between the braces.
std::optional<Placeholder> parse_placeholder(std::string_view inside) {
    Placeholder found;
    if (const std::size_t colon = inside.find(':'); colon != std::string_view::npos) {
        found.format = inside.substr(colon + 1);
        inside = inside.substr(0, colon);
        if (!is_made_of(found.format, "._-")) return std::nullopt;
    }
    if (const std::size_t dot = inside.find('.'); dot != std::string_view::npos) {
        const std::string_view what = inside.substr(0, dot);
        if (what == "in") found.kind = Placeholder::Kind::Input;
        else if (what == "out") found.kind = Placeholder::Kind::Output;
        else if (what == "files") found.kind = Placeholder::Kind::File;
        else return std::nullopt;
        inside = inside.substr(dot + 1);
    } else if (inside == "work") {
        found.kind = Placeholder::Kind::Folder;
    }
    const bool has_format = found.kind == Placeholder::Kind::Input || found.kind == Placeholder::Kind::Output;
    if (!is_dashed_identifier(inside) || (!found.format.empty() && !has_format)) return std::nullopt;
    found.name = inside;
    return found;
}

}  // namespace

std::variant<Argument, PlaceholderMistake> parse_argument(std::string_view text) {
    Argument argument;
    std::string literal;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c != '{' && c != '}') {
            literal += c;
            continue;
        }
        if (i + 1 < text.size() && text[i + 1] == c) {
            literal += c;
            ++i;
            continue;
        }
        const std::size_t end = c == '{' ? text.find('}', i) : std::string_view::npos;
        if (end == std::string_view::npos) return PlaceholderMistake{fmt::format("this '{}' has no counterpart", c), kForms};
        const std::string_view inside = text.substr(i + 1, end - i - 1);
        auto placeholder = parse_placeholder(inside);
        if (!placeholder) return PlaceholderMistake{fmt::format("'{{{}}}' is not a placeholder", inside), kForms};
        if (!literal.empty()) argument.emplace_back(std::move(literal));
        literal.clear();
        argument.emplace_back(std::move(*placeholder));
        i = end;
    }
    if (!literal.empty() || argument.empty()) argument.emplace_back(std::move(literal));
    return argument;
}

}  // namespace satdl
