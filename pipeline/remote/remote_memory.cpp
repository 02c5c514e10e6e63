#include "pipeline/remote/remote_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace satdl {
namespace {

std::string header_row(const Digest& key) { return "remote header " + key.hex(); }

}  // namespace

RemoteMemory::RemoteMemory(Index& index, Access access, const std::string& place, std::function<double()> wall_time)
    : index_(index), writes_(access == Access::ReadWrite), place_(sha256(place).short_hex()), wall_time_(std::move(wall_time)) {}

std::string RemoteMemory::name(const char* what, const Digest& key) const {
    return fmt::format("remote {} {} {}", what, place_, key.hex());
}

std::optional<std::string> RemoteMemory::record(const Digest& key) {
    auto lines = index_.note(name("record", key));
    if (!lines) return std::nullopt;
    const auto header = index_.note(header_row(key));
    return header ? std::optional(*std::move(lines) + *header) : std::nullopt;
}

// The lines of each remote, and once what is the same at all.
void RemoteMemory::put_record(const Digest& key, const std::string& text) {
    if (!writes_) return;
    const std::size_t header = std::min(text.find("\n\n"), text.size() - 2) + 2;
    index_.put_note(name("record", key), text.substr(0, header));
    index_.put_note(header_row(key), text.substr(header));
    index_.remove_note(name("miss", key));
}

// A time in the future is one from before a clock was set back.
bool RemoteMemory::is_missing(const Digest& key) {
    const auto text = index_.note(name("miss", key));
    if (!text) return false;
    double since = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), since);
    return error == std::errc() && std::abs(wall_time_() - since) < kMissSeconds;
}

void RemoteMemory::put_missing(const Digest& key) {
    if (!writes_) return;
    index_.remove_note(name("record", key));
    index_.put_note(name("miss", key), fmt::format("{:.0f}", wall_time_()));
}

void RemoteMemory::forget(const Digest& key) {
    if (!writes_) return;
    index_.remove_note(name("record", key));
    index_.remove_note(header_row(key));
    index_.remove_note(name("miss", key));
}

std::optional<ArtifactHeader> remembered_header(Index& index, const Digest& key) {
    const auto text = index.note(header_row(key));
    if (!text) return std::nullopt;
    try {
        return header_from_text(*text, std::nullopt, "index");
    } catch (const DamagedArtifact&) {
        return std::nullopt;
    }
}

}  // namespace satdl
