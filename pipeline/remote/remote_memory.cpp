#include "pipeline/remote/remote_memory.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <utility>

namespace satdl {

RemoteMemory::RemoteMemory(Index& index, Access access, const std::string& place, std::function<double()> wall_time)
    : index_(index), writes_(access == Access::ReadWrite), place_(sha256(place).short_hex()), wall_time_(std::move(wall_time)) {}

std::string RemoteMemory::name(const char* what, const Digest& key) const { return fmt::format("remote {} {} {}", what, place_, key.hex()); }

std::optional<std::string> RemoteMemory::record(const Digest& key) { return index_.note(name("record", key)); }

void RemoteMemory::put_record(const Digest& key, const std::string& text) {
    if (!writes_) return;
    index_.put_note(name("record", key), text);
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
    index_.remove_note(name("miss", key));
}

std::vector<Digest> RemoteMemory::uploads() {
    std::vector<Digest> keys;
    const std::string text = index_.note("remote uploads " + place_).value_or("");
    constexpr std::size_t kLine = 65;  // a digest and a line feed
    for (std::size_t from = 0; from + kLine <= text.size(); from += kLine)
        if (const auto key = Digest::from_hex(std::string_view(text).substr(from, kLine - 1))) keys.push_back(*key);
    return keys;
}

void RemoteMemory::put_uploads(const std::vector<Digest>& keys) {
    if (!writes_) return;
    const std::string row = "remote uploads " + place_;
    if (keys.empty()) return index_.remove_note(row);
    std::string text;
    for (const Digest& key : keys) text += key.hex() + '\n';
    index_.put_note(row, text);
}

}  // namespace satdl
