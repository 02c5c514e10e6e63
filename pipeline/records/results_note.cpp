#include "pipeline/records/results_note.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "pipeline/records/link_results.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

constexpr const char* kFormat = "satdl_results";  // the member that says that it is a note, and of which format
constexpr int kVersion = 1;

// Not core/json.h's, which looks through all members before it adds one: a DAG may have ten thousand stages.
using SortedJson = nlohmann::json;

// nullopt if there is nothing of its name.
std::optional<std::string> text_in(const fs::path& folder, FileSystem& files) {
    const auto stamp = files.stamp(note_path(folder));
    return stamp ? std::optional(files.read(note_path(folder), 0, stamp->bytes)) : std::nullopt;
}

std::optional<ResultsNote> parsed(const std::string& text) {
    const SortedJson json = SortedJson::parse(text, nullptr, false);
    if (!json.is_object() || json.value(kFormat, SortedJson()) != kVersion) return std::nullopt;
    try {
        return ResultsNote{json.at("dag").get<std::string>(), json.at("inputs").get<std::map<std::string, ResultsNote::Inputs>>()};
    } catch (const SortedJson::exception&) {
        return std::nullopt;
    }
}

// Without what the stages read: this is all that every run must know before it starts.
std::optional<fs::path> dag_file_in(const std::string& text) {
    const auto is_top = [](int depth, SortedJson::parse_event_t event, SortedJson&) {
        return depth == 0 || event != SortedJson::parse_event_t::object_start;
    };
    const SortedJson json = SortedJson::parse(text, is_top, false);
    if (!json.is_object() || json.value(kFormat, SortedJson()) != kVersion) return std::nullopt;
    const auto file = json.find("dag");
    return file != json.end() && file->is_string() ? std::optional<fs::path>(file->get<std::string>()) : std::nullopt;
}

std::string quoted(const std::string& text) {
    const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; };
    if (std::ranges::all_of(text, is_plain)) return '"' + text + '"';
    return SortedJson(text).dump(-1, ' ', false, SortedJson::error_handler_t::replace);
}

// Every run compares it with what is there: without a tree of JSON values, which took three times as long.
std::string text_of(const ResultsNote& note) {
    const auto comma = [](bool is_first) { return is_first ? "" : ","; };
    std::string text = fmt::format("{{\"dag\":{},\"inputs\":{{", quoted(note.dag_file.string()));
    for (const auto& [stage, inputs] : note.stages) {
        text.append(comma(text.ends_with('{'))).append(quoted(stage)).append(":{");
        for (const auto& [port, origin] : inputs) text.append(comma(text.ends_with('{'))).append(quoted(port)).append(":").append(quoted(origin));
        text += '}';
    }
    return text + fmt::format("}},\"{}\":{}}}\n", kFormat, kVersion);
}

ResultsNote note_of(const fs::path& folder, const Dag& dag) {
    ResultsNote note{fs::weakly_canonical(dag.file).lexically_relative(fs::canonical(folder)), {}};
    for (const Node& node : dag.nodes) {
        ResultsNote::Inputs& inputs = note.stages[node.name];
        for (const Input& input : node.inputs) inputs[input.port] = fmt::format("{}.{}", dag.nodes[input.from].name, input.from_port);
    }
    return note;
}

}  // namespace

fs::path note_path(const fs::path& folder) { return folder / ".dag.json"; }

std::optional<ResultsNote> read_results_note(const fs::path& folder, FileSystem& files) {
    const auto text = text_in(folder, files);
    return text ? parsed(*text) : std::nullopt;
}

bool write_results_note(const fs::path& folder, const Dag& dag, FileSystem& files) {
    const auto before = text_in(folder, files);
    ResultsNote note = note_of(folder, dag);
    if (before && *before == text_of(note)) return true;
    if (before) {
        auto old = parsed(*before);
        if (!old) return false;
        for (auto& [stage, inputs] : old->stages)
            if (is_artifact_link(folder / link_name_of(stage))) note.stages.try_emplace(stage, std::move(inputs));
    }
    const std::string text = text_of(note);
    if (before == text) return true;
    const fs::path fresh = fmt::format("{}.{}", note_path(folder).string(), ::getpid());
    const std::array extents{Extent{0, std::as_bytes(std::span(text))}};
    files.remove(fresh);
    files.write_new(fresh, text.size(), extents);
    files.rename(fresh, note_path(folder));
    return true;
}

std::optional<fs::path> other_dag_file(const fs::path& folder, const Dag& dag, FileSystem& files) {
    const auto text = text_in(folder, files);
    const auto noted = text ? dag_file_in(*text) : std::nullopt;
    if (!noted) return std::nullopt;
    const fs::path file = (fs::canonical(folder) / *noted).lexically_normal();
    const auto stamp = files.stamp(file), own = files.stamp(dag.file);
    const bool is_same = stamp && own && stamp->device == own->device && stamp->inode == own->inode;
    return stamp && !is_same ? std::optional(file) : std::nullopt;
}

}  // namespace satdl
