// satdl-manifest LIBRARY.so: writes what a stage library says of itself, and the SHA-256 of its file, to LIBRARY.json beside it.
// The build runs it once a library (cmake/StageLibrary.cmake), so that planning reads JSON and never loads the code of stages.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>

#include "pipeline/catalog/catalog.h"
#include "pipeline/catalog/library_loader.h"

namespace {

using satdl::Error;
using satdl::ExitCode;

// Under its name only when whole: a build that is interrupted leaves no half manifest.
void write_manifest(const std::filesystem::path& library_path) {
    const satdl::Digest digest = satdl::sha256(satdl::real_file_system()->map(library_path).bytes);
    const satdl::SharedLibrary library(library_path);
    auto json_path = library_path;
    json_path.replace_extension(".json");
    auto part_path = json_path;
    part_path += ".part";
    std::ofstream file(part_path, std::ios::binary | std::ios::trunc);
    file << satdl::manifest_json(satdl::stage_library_info(library), digest);
    file.close();
    if (!file) throw Error(ExitCode::Store, fmt::format("cannot write {}", part_path.string()));
    std::filesystem::rename(part_path, json_path);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        fmt::print(stderr, "usage: satdl-manifest LIBRARY.so\n");
        return static_cast<int>(ExitCode::Usage);
    }
    try {
        write_manifest(std::filesystem::absolute(argv[1]));
        return static_cast<int>(ExitCode::Done);
    } catch (const std::exception& error) {
        fmt::print(stderr, "satdl-manifest: {}\n", error.what());
        return static_cast<int>(ExitCode::Store);
    }
}
