// Manifests: a dataset's (YAML), or a stage library's (JSON) where the input begins with '{'.
#include <fstream>

#include "pipeline/catalog/catalog.h"
#include "pipeline/dataset/dataset.h"
#include "tests/fuzz/fuzz.h"

using namespace satdl;

SATDL_FUZZER(text) {
    if (text.starts_with('{')) {
        const fuzz::MemoryFile file(text);
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
