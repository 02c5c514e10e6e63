// A compressed file on its way into a dataset: it comes in with the bytes that the manifest promises, or not at all.
#include <fstream>
#include <iterator>

#include "pipeline/dataset/dataset.h"
#include "pipeline/dataset/dataset_fetch.h"
#include "tests/fuzz/fuzz.h"

using namespace satdl;
namespace fs = std::filesystem;

namespace {

const std::string kPromised = "0123456789abcdef0123456789abcdef";

struct Silent final : FetchObserver {
    void say(const std::string&) override {}
    void bytes(const std::string&, std::uint64_t, std::uint64_t) override {}
};

Dataset dataset() {
    Dataset one;
    one.name = "tiny";
    one.folder = fuzz::memory_folder() / "data" / "tiny";
    DatasetFile& file = one.files["images.bin"];
    file.name = "images.bin";
    file.sha256 = sha256(kPromised);
    file.bytes = static_cast<std::int64_t>(kPromised.size());
    one.sources.push_back({DatasetSource::Kind::Folder, (fuzz::memory_folder() / "mirror").string(), "", ""});
    return one;
}

}  // namespace

SATDL_FUZZER(text) {
    static const Dataset tiny = dataset();
    const fs::path mirror = fuzz::memory_folder() / "mirror", published = tiny.folder / "images.bin";
    fs::create_directories(mirror);
    fs::remove(published);
    std::ofstream(mirror / "images.bin.gz", std::ios::binary) << text;
    Silent silent;
    fuzz::expect_result_or_error([&] { fetch_dataset(tiny, silent); });
    if (fs::exists(published)) {
        std::ifstream stream(published, std::ios::binary);
        if (std::string(std::istreambuf_iterator<char>(stream), {}) != kPromised) std::abort();
    }
    for (const auto& entry : fs::directory_iterator(tiny.folder))
        if (entry.path() != published) std::abort();  // nothing half-fetched stays
}
