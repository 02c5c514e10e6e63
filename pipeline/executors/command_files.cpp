#include "pipeline/executors/command_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "pipeline/array_files/array_file.h"
#include "pipeline/array_files/named_arrays_file.h"
#include "pipeline/core/config_value.h"
#include "pipeline/core/json.h"
#include "pipeline/hdf5/hdf5_library.h"
#include "pipeline/network/architecture.h"
#include "pipeline/store/file_arrays.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

// ---- inputs ----

void write_metrics_json(const fs::path& path, const NamedArrays& metrics) {
    Json json = Json::object();
    for (const auto& [name, value] : metrics) json[name] = value.values<double>().front();
    std::ofstream(path) << json.dump(1) << '\n';
}

// A model's architecture is no tensor: in safetensors it is metadata.
void write_as_safetensors(const fs::path& path, NamedArrays arrays) {
    std::map<std::string, std::string> metadata;
    if (const auto architecture = arrays.find(std::string(kArchitecture)); architecture != arrays.end()) {
        const auto bytes = architecture->second.bytes();
        metadata.emplace(kArchitecture, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
        arrays.erase(architecture);
    }
    write_safetensors(path, arrays, metadata);
}

void write_input(const fs::path& path, const std::string& format, const PortDescription& port, const NamedArrays& group) {
    fs::create_directories(path.parent_path());
    if (format == "h5") {
        NamedArrays named = group;
        if (port.kind == PortKind::Array) named = {{port.name, group.begin()->second}};
        write_hdf5(path, named);
    } else if (format == "npy") {
        write_npy(path, group.begin()->second);
    } else if (format == "npz") {
        write_npz(path, group);
    } else if (format == "safetensors") {
        write_as_safetensors(path, group);
    } else if (format == "json") {
        write_metrics_json(path, group);
    } else {
        if (port.kind == PortKind::Array) write_csv(path, group.begin()->second);
        else write_csv(path, group);
    }
}

// The one file of a File port, under the name that its maker gave it, or at its own path.
void write_file_input(const fs::path& path, const NamedArrays& group, bool has_own_path) {
    if (!has_own_path) return write_files(group, path);
    write_file(group.begin()->first, group.begin()->second, path);
}

// ---- outputs ----

constexpr std::uintmax_t kMaxText = 64 << 20;  // of metrics and histories

class OutputReader {
public:
    OutputReader(const PortDescription& port, fs::path path, const NamedArrays& progress)
        : port_(port), path_(std::move(path)), progress_(progress) {}

    NamedArrays read() {
        std::error_code error;
        const fs::file_status status = fs::symlink_status(path_, error);
        if (status.type() == fs::file_type::not_found) {
            if (port_.kind == PortKind::History && !progress_.empty()) return progress_;
            throw fault("was not written", fmt::format("the program must write it to {}", placeholder()));
        }
        const bool is_folder = status.type() == fs::file_type::directory;
        if (status.type() != fs::file_type::regular && !is_folder) throw fault("is neither a file nor a folder", "write the file itself");
        if (is_folder != (port_.kind == PortKind::Folder))
            throw fault(is_folder ? "is a folder" : "is a file", is_folder ? "out: {NAME: folder}" : "out: {NAME: file}");
        check_size(is_folder);
        try {
            return read_present();
        } catch (const Error& failed) {
            const Diagnostic& what = failed.diagnostics().front();
            throw fault(fmt::format("cannot be read: {}", what.message), what.hint);
        }
    }

private:
    std::string placeholder() const { return fmt::format("{{out.{}}}", port_.name); }

    Error fault(std::string_view what, std::string hint) const {
        return Error(ExitCode::StageFailed, fmt::format("its output '{}' ({}) {}", port_.name, name_of(port_.kind), what), std::move(hint));
    }

    // A file with holes may be larger than all memory and every disk.
    void check_size(bool is_folder) const {
        std::error_code error;
        std::uintmax_t bytes = is_folder ? 0 : fs::file_size(path_, error);
        if (is_folder)
            for (fs::recursive_directory_iterator entry(path_, error), end; !error && entry != end; entry.increment(error))
                if (std::error_code unknown; entry->is_regular_file(unknown) && !entry->is_symlink(unknown))
                    bytes += entry->file_size(unknown);
        const bool is_text = port_.kind == PortKind::Metrics || port_.kind == PortKind::History;
        if (is_text && bytes > kMaxText)
            throw fault(fmt::format("has {} bytes", bytes),
                        fmt::format("at most {}: what is larger belongs into a file or an array", kMaxText));
        const fs::space_info disk = fs::space(path_.parent_path(), error);
        if (!error && bytes > disk.available)
            throw fault(fmt::format("has {} bytes, and the store's disk has {} left", bytes, disk.available),
                        "make room, or use --store for another disk");
    }

    NamedArrays read_present() {
        switch (port_.kind) {
            case PortKind::Array: return {{"", read_array_file(path_, {})}};
            case PortKind::Model:
            case PortKind::Arrays: return read_named_arrays(path_);
            case PortKind::Metrics: return read_metrics();
            case PortKind::History: return read_history();
            case PortKind::File: return {file_as_array(path_, path_.filename().string())};
            case PortKind::Folder: break;
        }
        NamedArrays files = files_as_arrays(path_);
        if (files.empty()) throw Error(ExitCode::StageFailed, "the folder is empty", "write at least one file into it");
        return files;
    }

    // Each name's path is joined with '/'.
    void add_numbers(const std::string& prefix, const Json& json, NamedArrays& metrics) const {
        for (const auto& [key, value] : json.items()) {
            const std::string name = prefix.empty() ? key : prefix + "/" + key;
            if (value.is_object()) {
                add_numbers(name, value, metrics);
                continue;
            }
            if (!value.is_number())
                throw Error(ExitCode::StageFailed, fmt::format("'{}' is not a number", printable(name)),
                            "metrics are numbers; texts and lists belong into a file");
            const double number = value.get<double>();
            metrics.emplace(name, Array::of<double>({1}, std::span(&number, 1)));
        }
    }

    NamedArrays read_metrics() const {
        std::ifstream file(path_);
        std::ostringstream text;
        text << file.rdbuf();
        const Json json = Json::parse(text.str(), nullptr, false);
        if (json.is_discarded())
            throw Error(ExitCode::StageFailed, has_no_number(text.str()) ? "it has NaN or Infinity, which is no JSON" : "it is not JSON",
                        has_no_number(text.str()) ? "leave out what could not be measured" : "{\"accuracy\": 0.98}");
        if (!json.is_object()) throw Error(ExitCode::StageFailed, "it is not a JSON object", "{\"accuracy\": 0.98}");
        NamedArrays metrics;
        add_numbers("", json, metrics);
        if (metrics.empty()) throw Error(ExitCode::StageFailed, "it has no numbers", "{\"accuracy\": 0.98}");
        return metrics;
    }

    static bool has_no_number(const std::string& text) {
        return text.find("NaN") != std::string::npos || text.find("Infinity") != std::string::npos;
    }

    using Rows = std::vector<std::map<std::string, double>>;

    NamedArrays read_history() const {
        std::ifstream file(path_);
        std::string line;
        std::vector<std::string> lines;
        while (std::getline(file, line)) {
            if (line.ends_with('\r')) line.pop_back();
            if (!line.empty()) lines.push_back(line);
        }
        if (lines.empty()) throw Error(ExitCode::StageFailed, "it is empty", "a row for each epoch");
        return columns_of(lines.front().starts_with('{') ? rows_of_json(lines) : rows_of_csv(lines));
    }

    static Error bad_row(std::size_t line, std::string_view what) {
        return Error(ExitCode::StageFailed, fmt::format("line {}: {}", line, what),
                     "JSON lines or CSV with a line of names: the same numbers in each row");
    }

    static Rows rows_of_json(const std::vector<std::string>& lines) {
        Rows rows;
        for (const std::string& line : lines) {
            const Json json = Json::parse(line, nullptr, false);
            if (!json.is_object()) throw bad_row(rows.size() + 1, "it is not a JSON object");
            rows.emplace_back();
            for (const auto& [name, value] : json.items()) {
                if (!value.is_number()) throw bad_row(rows.size(), fmt::format("'{}' is not a number", printable(name)));
                rows.back().emplace(name, value.get<double>());
            }
        }
        return rows;
    }

    static std::vector<std::string> fields_of(const std::string& line) {
        std::vector<std::string> fields(1);
        for (const char c : line) {
            if (c == ',') fields.emplace_back();
            else if (c != ' ' && c != '"') fields.back() += c;
        }
        return fields;
    }

    static Rows rows_of_csv(const std::vector<std::string>& lines) {
        const std::vector<std::string> names = fields_of(lines.front());
        Rows rows;
        for (std::size_t i = 1; i < lines.size(); ++i) {
            const std::vector<std::string> fields = fields_of(lines[i]);
            if (fields.size() != names.size())
                throw bad_row(i + 1, fmt::format("it has {} fields, the first line {}", fields.size(), names.size()));
            rows.emplace_back();
            for (std::size_t column = 0; column < names.size(); ++column) {
                const auto number = ConfigValue::scalar(fields[column]).as_number();
                if (!number) throw bad_row(i + 1, fmt::format("'{}' is not a number", printable(fields[column])));
                rows.back().emplace(names[column], *number);
            }
        }
        if (rows.empty()) throw Error(ExitCode::StageFailed, "it has no rows", "a row for each epoch");
        return rows;
    }

    static NamedArrays columns_of(const Rows& rows) {
        std::map<std::string, std::vector<double>> columns;
        for (std::size_t row = 0; row < rows.size(); ++row) {
            if (rows[row].size() != rows.front().size()) throw bad_row(row + 1, "it has other names than the first row");
            for (const auto& [name, value] : rows[row]) {
                if (!rows.front().contains(name)) throw bad_row(row + 1, fmt::format("'{}' is not in the first row", printable(name)));
                columns[name].push_back(value);
            }
        }
        NamedArrays history;
        for (const auto& [name, values] : columns)
            history.emplace(name, Array::of<double>({static_cast<std::int64_t>(values.size())}, values));
        return history;
    }

    const PortDescription& port_;
    const fs::path path_;
    const NamedArrays& progress_;
};

}  // namespace

std::vector<std::string> formats_of(const CommandStage& command, const PortDescription& input) {
    const std::string usual = input_formats(input.kind).front();
    std::set<std::string> formats;
    for (const std::string& format : formats_in_run(command, Placeholder::Kind::Input, input.name))
        formats.insert(format.empty() ? usual : format);
    if (formats.empty()) formats.insert(usual);
    return {formats.begin(), formats.end()};
}

void write_inputs(const Node& node, const StageInputs& inputs, const CommandFolder& folder) {
    for (const auto& [name, group] : inputs) {
        const PortDescription& port = *node.stage->description.input(name);
        const bool has_own_path = node.command->paths.contains(name);
        for (const std::string& format : formats_of(*node.command, port)) {
            const fs::path path = folder.input(port, format);
            if (port.kind == PortKind::File) write_file_input(path, group, has_own_path);
            else if (port.kind == PortKind::Folder) write_files(group, path);
            else write_input(path, format, port, group);
        }
    }
}

StageOutput read_outputs(const Node& node, const CommandFolder& folder, const NamedArrays& progress) {
    StageOutput outcome;
    for (const PortDescription& port : node.stage->description.outputs)
        outcome.outputs.emplace(port.name, OutputReader(port, folder.output(port), progress).read());
    return outcome;
}

}  // namespace satdl
