#include "commands/import/import_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace satdl {

void ImportNotes::warn(const Place& place, std::string message) { add({false, {place, std::move(message), ""}}); }

void ImportNotes::fail(const Place& place, std::string message, std::string hint) {
    add({true, {place, std::move(message), std::move(hint)}});
}

void ImportNotes::add(Note note) {
    const auto key = [](const Note& one) {
        return std::tie(one.what.place.source, one.what.place.line, one.what.place.column, one.what.message);
    };
    if (std::ranges::none_of(notes_, [&](const Note& other) { return key(other) == key(note); })) notes_.push_back(std::move(note));
}

bool ImportNotes::has_failed() const { return std::ranges::any_of(notes_, &Note::is_fatal); }

std::string ImportNotes::text() const {
    std::vector<Note> sorted = notes_;
    std::ranges::stable_sort(sorted, {}, [](const Note& one) { return std::pair(one.what.place.line, one.what.place.column); });
    std::string text;
    for (const Note& one : sorted) {
        if (!text.empty()) text += '\n';
        text +=
            one.is_fatal ? render(one.what) : fmt::format("{}: warning: {}", printable(one.what.place.text()), printable(one.what.message));
    }
    return text;
}

}  // namespace satdl
