// The manifest was written when the library was built, the library is loaded when a stage must run: in between, a user may have
// built it again. So the file's digest is compared with the manifest's before the library is loaded; were it another one, the keys that were
// planned would not be true. Between the look at the file and dlopen it could be swapped by who may write to its folder: only the user and
// root, by then.
#include "pipeline/catalog/library_loader.h"

#include <fmt/format.h>

#include <algorithm>

namespace satdl {

const StageLibraryInfo& stage_library_info(const SharedLibrary& library) {
    using Describe = const StageLibraryInfo* (*)();
    const std::string path = printable(library.path().string());
    const auto* const abi = static_cast<const int*>(library.find("satdl_stage_abi"));
    const auto describe = reinterpret_cast<Describe>(library.find("satdl_stage_library"));
    if (abi == nullptr || describe == nullptr) {
        throw Error(ExitCode::Store, fmt::format("'{}' is not a stage library: it does not export {}", path,
                                                 abi == nullptr ? "satdl_stage_abi" : "satdl_stage_library"),
                    "its source needs one SATDL_STAGE_LIBRARY(...): see pipeline/stage.h");
    }
    if (*abi != kStageAbi) {
        throw Error(ExitCode::Store, fmt::format("'{}' was built for stage ABI {}, but this satdl needs {}", path, *abi, kStageAbi),
                    "rebuild the library against this satdl");
    }
    return *describe();
}

struct StageLibraries::Loaded {
    explicit Loaded(const std::filesystem::path& path) : library(path), info(&stage_library_info(library)) {}

    void use_array_memory(ArrayMemory* memory) const {
        using Use = void (*)(ArrayMemory*);
        if (const auto use = reinterpret_cast<Use>(library.find("satdl_use_array_memory"))) use(memory);
    }

    SharedLibrary library;
    const StageLibraryInfo* info;  // static data of the library, which stays loaded
};

namespace {

StageFunction function_in(const StageLibraryInfo& info, const CatalogEntry& stage) {
    const std::string path = printable(stage.library.string());
    const auto found = std::ranges::find(info.stages, stage.description.kind,
                                         [](const StageEntry& entry) { return entry.description.kind; });
    if (found == info.stages.end() || found->run == nullptr) {
        throw Error(ExitCode::Store, fmt::format("'{}' has no stage '{}', although its manifest lists it", path, stage.description.kind),
                    "rebuild the library: this also rewrites its manifest");
    }
    return found->run;
}

}  // namespace

const LibraryFile& StageLibraries::checked(const CatalogEntry& stage) {
    const auto known = checked_.find(stage.library);
    if (known != checked_.end() && real_file_system()->stamp(stage.library) == known->second.identity) return known->second;
    const std::optional<FileStamp> planned = known != checked_.end() ? known->second.identity : stage.identity;
    return checked_.insert_or_assign(stage.library, checked_library(stage.library, stage.library_digest, planned)).first->second;
}

LibraryFile StageLibraries::file(const CatalogEntry& stage) {
    const std::scoped_lock lock(mutex_);
    return checked(stage);
}

StageFunction StageLibraries::function(const CatalogEntry& stage) {
    const std::scoped_lock lock(mutex_);
    return function_in(info_of(stage), stage);
}

GpuAnswer StageLibraries::find_gpu(const CatalogEntry& stage) {
    const std::string file = printable(stage.library.filename().string());
    if (!stage.finds_gpus) {
        std::string built_with;
        for (const auto& [library, version] : stage.numerics) built_with += fmt::format(" ({} {})", library, version);
        return NoGpu{fmt::format("{} was built without CUDA{}", file, built_with)};
    }
    const std::scoped_lock lock(mutex_);
    const StageLibraryInfo& info = info_of(stage);
    if (info.find_gpu == nullptr) {
        throw Error(ExitCode::Store, fmt::format("'{}' cannot look for a GPU, although its manifest says that it can", file),
                    "rebuild the library: this also rewrites its manifest");
    }
    return info.find_gpu();
}

const StageLibraryInfo& StageLibraries::info_of(const CatalogEntry& stage) {
    std::shared_ptr<Loaded>& loaded = loaded_[stage.library];
    if (loaded == nullptr) {
        (void)checked(stage);
        loaded = std::make_shared<Loaded>(stage.library);
        loaded->use_array_memory(array_memory_);
    }
    return *loaded->info;
}

void StageLibraries::use_array_memory(ArrayMemory* memory) {
    const std::scoped_lock lock(mutex_);
    array_memory_ = memory;
    for (const auto& [path, loaded] : loaded_)
        if (loaded != nullptr) loaded->use_array_memory(memory);
}

std::optional<Digest> StageLibraries::digest(const CatalogEntry& stage) {
    const std::scoped_lock lock(mutex_);
    const auto known = checked_.find(stage.library);
    return known == checked_.end() ? std::nullopt : std::optional(known->second.digest);
}

}  // namespace satdl
