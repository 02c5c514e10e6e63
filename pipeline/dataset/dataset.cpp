// Manifests: reading them, and files against what they promise. Fetching is in dataset_fetch.cpp.
#include "pipeline/dataset/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <set>

#include "pipeline/core/ascii.h"
#include "pipeline/os/shared_library.h"
#include "pipeline/os/special_file.h"
#include "pipeline/yaml/yaml_parser.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
constexpr std::size_t kLongestName = 128;

bool has_only(std::string_view text, std::string_view more) {
    return text.size() <= kLongestName && is_made_of(text, more);
}

// A name that stays inside its folder and is no option of a program.
bool is_file_name(std::string_view name) { return has_only(name, "._-+") && name.front() != '.' && name.front() != '-'; }
bool is_dataset_name(std::string_view name) { return has_only(name, "_-") && name.front() != '-'; }

bool is_inner_folder(std::string_view folder) {
    if (!has_only(folder, "._-+/") || folder.front() == '/' || folder.front() == '-') return false;
    return std::ranges::none_of(fs::path(folder), [](const fs::path& part) { return part == ".." || part == "."; });
}

// npm's NAME@VERSION or @SCOPE/NAME@VERSION.
bool is_npm_package(std::string_view package) {
    const auto at = package.rfind('@');
    return has_only(package, "@/._-") && package.front() != '-' && at != std::string_view::npos && at > 0 &&
           at + 1 < package.size() && package.find("..") == std::string_view::npos;
}

class ManifestReader {
public:
    ManifestReader(const fs::path& path, Diagnostics& diagnostics) : path_(path), diagnostics_(diagnostics) {}

    Dataset read(const ConfigValue& root);

private:
    // Every key of `map` must be one of `known`; reports a `value` that is not a map.
    [[nodiscard]] bool map(const ConfigValue& value, std::string_view what, std::span<const std::string> known);
    // The member's text; "" (and a diagnostic) if it is missing or not text.
    [[nodiscard]] std::string text(const ConfigValue& map, std::string_view key, std::string_view what);
    void bad(const ConfigValue& value, std::string_view key, std::string_view wanted);

    void file(const ConfigValue::Entry& entry, Dataset& dataset);
    void split(const ConfigValue::Entry& entry, Dataset& dataset);
    void source(const ConfigValue& value, Dataset& dataset);

    const fs::path& path_;
    Diagnostics& diagnostics_;
};

void ManifestReader::bad(const ConfigValue& value, std::string_view key, std::string_view wanted) {
    diagnostics_.add(value.place(), fmt::format("{} must be {}, not {}", key, wanted, value.describe()));
}

bool ManifestReader::map(const ConfigValue& value, std::string_view what, std::span<const std::string> known) {
    if (!value.is_map()) {
        bad(value, what, "a map");
        return false;
    }
    for (const ConfigValue::Entry& entry : value.entries()) {
        if (!known.empty() && std::ranges::find(known, entry.key) == known.end())
            diagnostics_.add(entry.key_place, fmt::format("{} has no '{}'", what, printable(entry.key)),
                             did_you_mean(entry.key, known));
    }
    return true;
}

std::string ManifestReader::text(const ConfigValue& map, std::string_view key, std::string_view what) {
    const ConfigValue* value = map.find(key);
    if (value != nullptr && value->is_scalar() && !value->text().empty()) return value->text();
    if (value != nullptr) bad(*value, key, "a text");
    else diagnostics_.add(map.place(), fmt::format("{} needs '{}'", what, key));
    return "";
}

Dataset ManifestReader::read(const ConfigValue& root) {
    Dataset dataset;
    const std::vector<std::string> keys{"name", "about", "splits", "files", "sources"};
    if (!map(root, "a dataset", keys)) return dataset;
    dataset.name = text(root, "name", "a dataset");
    if (!dataset.name.empty() && dataset.name != path_.stem().string())
        bad(*root.find("name"), "name", fmt::format("'{}', the name of the file", path_.stem().string()));
    if (root.find("about") != nullptr) dataset.about = text(root, "about", "a dataset");
    dataset.folder = path_.parent_path() / path_.stem();

    const ConfigValue nothing = ConfigValue::null(root.place());
    const auto member = [&](std::string_view key) -> const ConfigValue& {
        const ConfigValue* value = root.find(key);
        return value != nullptr ? *value : nothing;
    };
    if (map(member("files"), "files", {})) {
        for (const ConfigValue::Entry& entry : member("files").entries()) file(entry, dataset);
    }
    if (map(member("splits"), "splits", {})) {
        for (const ConfigValue::Entry& entry : member("splits").entries()) split(entry, dataset);
    }
    if (!member("sources").is_list()) bad(member("sources"), "sources", "a list");
    for (const ConfigValue& value : member("sources").items()) source(value, dataset);
    return dataset;
}

void ManifestReader::file(const ConfigValue::Entry& entry, Dataset& dataset) {
    if (!is_file_name(entry.key)) {
        diagnostics_.add(entry.key_place, fmt::format("'{}' is not a valid file name", printable(entry.key)),
                         "use letters, digits and . _ - +, and do not begin with . or -");
        return;
    }
    const std::vector<std::string> keys{"sha256", "bytes", "dtype", "shape"};
    if (!map(entry.value, "a file", keys)) return;
    DatasetFile file;
    file.name = entry.key;
    const auto digest = Digest::from_hex(text(entry.value, "sha256", "a file"));
    const auto dtype = dtype_from_name(text(entry.value, "dtype", "a file"));
    if (const ConfigValue* value = entry.value.find("sha256"); value != nullptr && value->is_scalar() && !digest)
        bad(*value, "sha256", "64 hexadecimal digits");
    if (const ConfigValue* value = entry.value.find("dtype"); value != nullptr && value->is_scalar() && !dtype)
        bad(*value, "dtype", "an element type");
    if (digest) file.sha256 = *digest;
    if (dtype) file.dtype = *dtype;

    const ConfigValue nothing = ConfigValue::null(entry.value.place());
    const ConfigValue* bytes = entry.value.find("bytes");
    file.bytes = bytes != nullptr ? bytes->as_integer().value_or(-1) : -1;
    if (file.bytes < 0) bad(bytes != nullptr ? *bytes : nothing, "bytes", "the file's size");
    const ConfigValue* shape = entry.value.find("shape");
    if (shape == nullptr || !shape->is_list()) bad(shape != nullptr ? *shape : nothing, "shape", "a list of extents");
    double size = static_cast<double>(size_of(file.dtype));
    for (const ConfigValue& extent : shape != nullptr ? shape->items() : std::vector<ConfigValue>{}) {
        const std::int64_t number = extent.as_integer().value_or(-1);
        if (number < 1) bad(extent, "shape", "extents of 1 or more");
        file.shape.push_back(number);
        size *= static_cast<double>(number);
    }
    if (shape != nullptr && file.bytes >= 0 && size > static_cast<double>(file.bytes))
        diagnostics_.add(shape->place(), fmt::format("{} {} does not fit into {} bytes", name_of(file.dtype),
                                                     shape_text(file.shape), file.bytes));
    dataset.files.emplace(entry.key, std::move(file));
}

void ManifestReader::split(const ConfigValue::Entry& entry, Dataset& dataset) {
    if (!map(entry.value, "a split", {})) return;
    std::vector<std::string> names;
    for (const auto& [name, file] : dataset.files) names.push_back(name);
    std::optional<std::pair<std::string, std::int64_t>> first;  // role and samples
    for (const ConfigValue::Entry& role : entry.value.entries()) {
        if (dataset.files.contains(role.value.text())) {
            dataset.splits[entry.key][role.key] = role.value.text();
            const Shape& shape = dataset.files.at(role.value.text()).shape;
            const std::int64_t samples = shape.empty() ? 1 : shape.front();
            if (!first) first.emplace(role.key, samples);
            else if (first->second != samples)
                diagnostics_.add(role.value.place(),
                                 fmt::format("the split '{}' has {} {}, but {} {}", printable(entry.key), samples,
                                             printable(role.key), first->second, printable(first->first)),
                                 "all files of a split must have the same number of samples");
        } else {
            diagnostics_.add(role.value.place(), fmt::format("{} is not one of the files", role.value.describe()),
                             did_you_mean(role.value.text(), names));
        }
    }
}

void ManifestReader::source(const ConfigValue& value, Dataset& dataset) {
    const std::vector<std::string> keys{"folder", "package", "npm", "https"};
    if (!map(value, "a source", keys)) return;
    DatasetSource source;
    if (value.find("https") != nullptr) {
        source.kind = DatasetSource::Kind::Https;
        source.where = text(value, "https", "a source");
        if (!source.where.starts_with("https://"))
            bad(*value.find("https"), "https", "a URL that begins with https://");
    } else if (value.find("npm") != nullptr) {
        source.kind = DatasetSource::Kind::Npm;
        source.where = text(value, "npm", "a source");
        source.folder = text(value, "folder", "a source");
        if (!is_npm_package(source.where)) bad(*value.find("npm"), "npm", "NAME@VERSION");
        if (const ConfigValue* folder = value.find("folder"); folder != nullptr && !is_inner_folder(folder->text()))
            bad(*folder, "folder", "a folder within the package");
    } else {
        source.where = text(value, "folder", "a source");
        if (value.find("package") != nullptr) source.package = text(value, "package", "a source");
    }
    dataset.sources.push_back(std::move(source));
}

Dataset dataset_of(const fs::path& path, const ConfigValue& root) {
    Diagnostics diagnostics;
    Dataset dataset = ManifestReader(path, diagnostics).read(root);
    diagnostics.throw_if_any();
    return dataset;
}

}  // namespace

std::vector<SourceFile> Dataset::split_files(const std::string& split) const {
    const auto roles = splits.find(split);
    SATDL_CHECK(roles != splits.end(), fmt::format("dataset {} has no split '{}'", name, split));
    std::vector<SourceFile> sources_of_split;
    for (const auto& [role, file_name] : roles->second) {
        const DatasetFile& file = files.at(file_name);
        SourceFile source;
        source.role = role;
        source.path = folder / file_name;
        source.dtype = file.dtype;
        source.shape = file.shape;
        source.expected = file.sha256;
        source.dataset = name;
        sources_of_split.push_back(std::move(source));
    }
    return sources_of_split;
}

std::vector<fs::path> dataset_folders(const fs::path& dag_file) {
    std::vector<fs::path> candidates;
    if (const char* own = std::getenv("SATDL_DATA"); own != nullptr && *own != '\0') candidates.emplace_back(own);
    candidates.emplace_back("data");
    if (!dag_file.empty()) candidates.push_back((dag_file.parent_path() / ".." / "data").lexically_normal());
    candidates.push_back((program_folder() / ".." / "data").lexically_normal());
    std::vector<fs::path> folders;
    for (const fs::path& candidate : candidates) {
        if (std::ranges::find(folders, candidate) == folders.end()) folders.push_back(candidate);
    }
    return folders;
}

ConfigValue DatasetIndex::read_manifest(const fs::path& file) { return parse_yaml_file(file.string()); }

const Dataset* DatasetIndex::find(const std::string& name) const {
    if (const auto known = read_.find(name); known != read_.end()) return &known->second;
    if (!is_dataset_name(name)) return nullptr;
    for (const fs::path& folder : folders_) {
        const fs::path path = folder / (name + ".yaml");
        std::error_code ignored;
        if (fs::exists(path, ignored)) return &read_.emplace(name, dataset_of(path, read_manifest_(path))).first->second;
    }
    return nullptr;
}

std::vector<std::string> DatasetIndex::names() const {
    std::set<std::string> names;
    for (const fs::path& folder : folders_) {
        std::error_code unreadable;
        for (const auto& entry : fs::directory_iterator(folder, unreadable)) {
            const std::string stem = entry.path().stem().string();
            if (entry.path().extension() == ".yaml" && is_dataset_name(stem)) names.insert(stem);
        }
    }
    return {names.begin(), names.end()};
}

Digest file_sha256(const fs::path& path, const std::function<void(std::uint64_t)>& progress) {
    check_is_regular(path);
    errno = 0;
    std::ifstream stream(path, std::ios::binary);
    if (!stream) throw FileError(errno, "open", path);
    Sha256 hash;
    std::vector<char> piece(kPieceBytes);
    for (std::uint64_t done = 0; stream;) {
        stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        const auto got = static_cast<std::size_t>(stream.gcount());
        hash.update(std::string_view(piece.data(), got));
        done += got;
        if (progress && got > 0) progress(done);
    }
    if (stream.bad()) throw FileError(errno != 0 ? errno : EIO, "read", path);
    return hash.finish();
}

FileState check_file(const Dataset& dataset, const DatasetFile& file) {
    const fs::path path = dataset.folder / file.name;
    std::error_code error;
    const std::uintmax_t bytes = fs::file_size(path, error);
    if (error) return {};
    FileState state{FileState::Kind::Wrong, file_sha256(path), static_cast<std::int64_t>(bytes)};
    if (*state.found == file.sha256 && state.found_bytes == file.bytes) state.kind = FileState::Kind::Good;
    return state;
}

Error wrong_file(const Dataset& dataset, const DatasetFile& file, const FileState& state) {
    const std::string path = printable((dataset.folder / file.name).string());
    const std::string expected = fmt::format("SHA-256 {} ({} bytes)", file.sha256.hex(), file.bytes);
    const std::string found =
        state.found ? fmt::format("SHA-256 {} ({} bytes)", state.found->hex(), state.found_bytes) : "nothing";
    const std::string message =
        state.kind == FileState::Kind::Missing
            ? fmt::format("{} is missing: expected {}", path, expected)
            : fmt::format("{} does not match the manifest: expected {}, found {}", path, expected, found);
    return Error(ExitCode::Store, message, fmt::format("run `satdl data fetch {}`", dataset.name));
}

}  // namespace satdl
