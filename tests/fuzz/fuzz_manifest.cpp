// Manifests: a dataset's (YAML), or a stage library's (JSON) if the input begins with '{'. The ABI of the latter is put right, so that the
// seeds stay good when it changes.
#include <fstream>
#include <nlohmann/json.hpp>

#include "pipeline/catalog/catalog.h"
#include "pipeline/catalog/manifest.h"
#include "pipeline/core/json.h"
#include "pipeline/dataset/dataset.h"
#include "tests/fuzz/fuzz.h"

using namespace satdl;

namespace {

std::string with_this_abi(std::string_view text) {
    Json json = Json::parse(text, nullptr, false);
    if (!json.is_object() || !json.contains("abi")) return std::string(text);
    json["abi"] = kStageAbi;
    return dump_json(json);
}

}  // namespace

SATDL_FUZZER(text) {
    if (text.starts_with('{')) {
        const fuzz::MemoryFile file(with_this_abi(text));
        fuzz::expect_result_or_error([&] {
            Catalog catalog;
            catalog.add(read_manifest(file.path()));
        });
        return;
    }
    std::ofstream(fuzz::memory_folder() / "tiny.yaml", std::ios::binary) << text;
    fuzz::expect_result_or_error([&] {
        const DatasetIndex index({fuzz::memory_folder()});
        const Dataset* dataset = index.find("tiny");
        if (dataset == nullptr) std::abort();
        for (const auto& [split, roles] : dataset->splits) (void)dataset->split_files(split);
        for (const auto& [name, file] : dataset->files) {
            // no name leaves the dataset's folder
            if (name.empty() || name.find('/') != std::string::npos || name.front() == '.') std::abort();
        }
    });
}
