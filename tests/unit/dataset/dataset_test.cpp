#include "pipeline/dataset/dataset.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "pipeline/dataset/dataset_fetch.h"
#include "pipeline/os/subprocess.h"
#include "pipeline/yaml/yaml_parser.h"

using namespace satdl;
namespace fs = std::filesystem;

namespace {

const std::string kImages = "0123456789abcdef0123456789abcdef";  // 32 bytes
const std::string kLabels = "ABCD";

void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
}

std::string content(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

void compress(const fs::path& path) {
    REQUIRE(run_process({"gzip", "-n", path.string()}, [](auto) { return true; }).good());
}

// A temporary folder with data/tiny.yaml, whose only source is the folder `mirror` in it.
struct World {
    fs::path root;

    World() {
        std::string name = (fs::temp_directory_path() / "satdl-dataset-XXXXXX").string();
        root = ::mkdtemp(name.data());
        ::unsetenv("SATDL_DATASETS");
        manifest(fmt::format("  - {{folder: {}, package: dataset-tiny}}", (root / "mirror").string()));
    }
    ~World() { fs::remove_all(root); }

    void manifest(const std::string& sources) const {
        write(root / "data" / "tiny.yaml", fmt::format(R"(name: tiny
about: for tests
splits:
  train: {{images: images.bin, labels: labels.bin}}
files:
  images.bin: {{sha256: {}, bytes: 32, dtype: uint8, shape: [4, 1, 2, 4]}}
  labels.bin: {{sha256: {}, bytes: 4, dtype: uint8, shape: [4]}}
sources:
{}
)",
                                                       sha256(kImages).hex(), sha256(kLabels).hex(), sources));
    }
    [[nodiscard]] Dataset dataset() const { return *DatasetIndex({root / "data"}).find("tiny"); }
    [[nodiscard]] fs::path file(const std::string& name) const { return root / "data" / "tiny" / name; }
    // Whether the dataset's folder holds the two files and nothing else.
    [[nodiscard]] bool complete() const {
        const auto entries = std::distance(fs::directory_iterator(root / "data" / "tiny"), fs::directory_iterator());
        return entries == 2 && content(file("images.bin")) == kImages && content(file("labels.bin")) == kLabels;
    }
};

struct Recorder : FetchObserver {
    std::vector<std::string> lines;
    std::map<std::string, std::uint64_t> done;
    void say(const std::string& line) override { lines.push_back(line); }
    void bytes(const std::string& file, std::uint64_t bytes, std::uint64_t) override { done[file] = bytes; }
};

std::string failure(const World& world) {
    Recorder recorder;
    try {
        fetch_dataset(world.dataset(), recorder);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Store);
        return error.what();
    }
    return "";
}

std::vector<std::string> mistakes(const std::string& text) {
    const World world;
    write(world.root / "data" / "tiny.yaml", text);
    std::vector<std::string> lines;
    try {
        (void)DatasetIndex({world.root / "data"}).find("tiny");
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Usage);
        for (const Diagnostic& one : error.diagnostics())
            lines.push_back(fmt::format("{}: {}", one.place.line, one.message));
    }
    return lines;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a manifest says which files a split has, where they lie and what they are") {
    const World world;
    const Dataset dataset = world.dataset();
    CHECK(dataset.folder == world.root / "data" / "tiny");
    const auto files = dataset.split_files("train");
    REQUIRE(files.size() == 2);
    CHECK(files[0].role == "images");
    CHECK(files[0].path == world.file("images.bin"));
    CHECK(files[0].shape == Shape{4, 1, 2, 4});
    CHECK(files[0].expected == sha256(kImages));
    CHECK(files[0].dataset == "tiny");
}

TEST_CASE("the datasets that ship with satdl are read") {
    const DatasetIndex index({fs::path(SATDL_SOURCE_DIR) / "data"});
    for (const char* name : {"mnist", "fashion_mnist"}) {
        const Dataset* dataset = index.find(name);
        REQUIRE(dataset != nullptr);
        CHECK(dataset->files.size() == 4);
        CHECK(dataset->split_files("train").at(0).shape == Shape{60000, 1, 28, 28});
        CHECK(dataset->split_files("test").at(1).shape == Shape{10000});
    }
}

TEST_CASE("datasets are found by name alone, never through a path") {
    const World world;
    const DatasetIndex index({world.root / "nowhere", world.root / "data"});
    CHECK(index.names() == std::vector<std::string>{"tiny"});
    CHECK(index.find("tiny") != nullptr);
    CHECK(index.find("tinny") == nullptr);
    CHECK(index.find("../data/tiny") == nullptr);
    CHECK(index.find("") == nullptr);
}

TEST_CASE("a manifest is read once, by what reads YAML for the caller") {
    const World world;
    int reads = 0;
    const DatasetIndex index({world.root / "data"}, [&](const fs::path& file) {
        CHECK(file == world.root / "data/tiny.yaml");
        ++reads;
        return parse_yaml_file(file.string());
    });
    CHECK(index.find("tinny") == nullptr);
    CHECK(index.find("tiny") != nullptr);
    CHECK(index.find("tiny")->files.size() == DatasetIndex({world.root / "data"}).find("tiny")->files.size());
    CHECK(reads == 1);
}

TEST_CASE("a hostile or careless manifest is refused, all its mistakes in one go") {
    const std::string digest(64, '0');
    const auto lines = mistakes(fmt::format(R"(name: tinny
files:
  ../x: {{sha256: {0}, bytes: 4, dtype: uint8, shape: [4]}}
  a/b: {{sha256: {0}, bytes: 4, dtype: uint8, shape: [4]}}
  -rf: {{sha256: {0}, bytes: 4, dtype: uint8, shape: [4]}}
  .tmp-1: {{sha256: {0}, bytes: 4, dtype: uint8, shape: [4]}}
  short: {{sha256: 12, bytes: 4, dtype: uint8, shape: [4]}}
  large: {{sha256: {0}, bytes: 4, dtype: float32, shape: [4]}}
  empty: {{bytes: 0}}
  vague: {{sha256: {0}, bytes: -1, dtype: float31, shape: [x], size: 3}}
  four: {{sha256: {0}, bytes: 20, dtype: uint8, shape: [4]}}
  three: {{sha256: {0}, bytes: 20, dtype: uint8, shape: [3]}}
splits: {{train: {{images: other}}, cut: {{images: four, labels: three}}}}
sources:
  - {{https: "http://example.org/"}}
  - {{npm: --help, folder: ../data}}
  - {{ftp: x}}
extra: 1
)",
                                            digest));
    const auto told = [&](const std::string& part) {
        return std::ranges::any_of(lines, [&](const std::string& line) { return has(line, part); });
    };
    CHECK(told("1: name must be 'tiny'"));
    CHECK(told("3: '../x' is not a valid file name"));
    CHECK(told("4: 'a/b' is not a valid file name"));
    CHECK(told("5: '-rf' is not a valid file name"));
    CHECK(told("6: '.tmp-1' is not a valid file name"));
    CHECK(told("7: sha256 must be 64 hexadecimal digits"));
    CHECK(told("8: float32 [4] does not fit into 4 bytes"));
    CHECK(told("9: a file needs 'sha256'"));
    CHECK(told("9: shape must be a list of extents"));
    CHECK(told("10: bytes must be the file's size"));
    CHECK(told("10: dtype must be an element type"));
    CHECK(told("10: shape must be extents of 1 or more"));
    CHECK(told("10: a file has no 'size'"));
    CHECK(told("13: the text 'other' is not one of the files"));
    CHECK(told("13: the split 'cut' has 3 labels, but 4 images"));
    CHECK(told("15: https must be a URL that begins with https://"));
    CHECK(told("16: npm must be NAME@VERSION"));
    CHECK(told("16: folder must be a folder within the package"));
    CHECK(told("17: a source has no 'ftp'"));
    CHECK(told("18: a dataset has no 'extra'"));
}

TEST_CASE("files come from a folder, as they are or as gzip, and nothing else stays") {
    const World world;
    write(world.root / "mirror" / "images.bin", kImages);
    write(world.root / "mirror" / "labels.bin", kLabels);
    compress(world.root / "mirror" / "labels.bin");
    Recorder recorder;
    fetch_dataset(world.dataset(), recorder);
    CHECK(world.complete());
    CHECK(recorder.done["images.bin"] == 32);
    Recorder again;
    fetch_dataset(world.dataset(), again);
    CHECK(again.lines == std::vector<std::string>{"tiny: all 2 files are present and match their digests"});
}

TEST_CASE("the folder that the user names comes first, also with a folder for each dataset in it") {
    const World world;
    write(world.root / "mirror" / "images.bin", kImages);
    write(world.root / "own" / "tiny" / "images.bin", kImages);
    write(world.root / "own" / "labels.bin", kLabels);
    ::setenv("SATDL_DATASETS", (world.root / "own").c_str(), 1);
    Recorder recorder;
    fetch_dataset(world.dataset(), recorder);
    ::unsetenv("SATDL_DATASETS");
    CHECK(world.complete());
    CHECK(std::ranges::none_of(recorder.lines, [](const std::string& line) { return has(line, "mirror"); }));
}

TEST_CASE("a file with another digest is refused, and the error has both digests") {
    const World world;
    std::string altered = kImages;
    altered[7] = 'x';
    write(world.root / "mirror" / "images.bin", altered);
    write(world.root / "mirror" / "labels.bin", kLabels);
    const std::string message = failure(world);
    CHECK(has(message, "1 of 2 files could not be fetched"));
    CHECK(has(message, fmt::format("images.bin: expected SHA-256 {} (32 bytes)", sha256(kImages).hex())));
    CHECK(has(message, fmt::format("images.bin has SHA-256 {} (32 bytes)", sha256(altered).hex())));
    CHECK(has(message, "install Debian's package dataset-tiny"));
    CHECK_FALSE(fs::exists(world.file("images.bin")));
    CHECK(content(world.file("labels.bin")) == kLabels);
}

TEST_CASE("truncated, overlong and damaged files are refused, whatever their compression claims") {
    const World world;
    write(world.root / "mirror" / "images.bin", kImages.substr(0, 31));
    CHECK(has(failure(world), "(31 bytes)"));
    write(world.root / "mirror" / "images.bin", kImages + "!");
    CHECK(has(failure(world), "is longer than 32 bytes"));
    fs::remove(world.root / "mirror" / "images.bin");
    write(world.root / "mirror" / "images.bin.gz", "no gzip");
    CHECK(has(failure(world), "not in gzip format"));
    fs::remove(world.root / "mirror" / "images.bin.gz");
    write(world.root / "mirror" / "images.bin", kImages);
    compress(world.root / "mirror" / "images.bin");
    const std::string whole = content(world.root / "mirror" / "images.bin.gz");
    for (std::size_t cut = 0; cut < whole.size(); cut += 3) {
        write(world.root / "mirror" / "images.bin.gz", whole.substr(0, cut));
        CHECK(has(failure(world), "images.bin: expected SHA-256"));
    }
    write(world.root / "mirror" / "images.bin.gz", whole.substr(0, whole.size() - 9));
    CHECK(has(failure(world), "unexpected end of file"));
    std::string garbled = whole;
    garbled[whole.size() - 8] ^= 1;  // of the checksum
    write(world.root / "mirror" / "images.bin.gz", garbled);
    CHECK(has(failure(world), "crc error"));
    garbled = whole;
    garbled[whole.size() - 14] ^= 0x10;  // of the deflated bytes
    write(world.root / "mirror" / "images.bin.gz", garbled);
    CHECK(has(failure(world), "images.bin: expected SHA-256"));
    write(world.root / "mirror" / "images.bin.gz", whole + "trailing");
    CHECK(has(failure(world), "trailing garbage"));
    fs::remove(world.root / "mirror" / "images.bin.gz");
    write(world.root / "mirror" / "images.bin", std::string(50'000'000, '0'));  // 50 kB as gzip
    compress(world.root / "mirror" / "images.bin");
    CHECK(has(failure(world), "is longer than 32 bytes"));
    CHECK(fs::is_empty(world.root / "data" / "tiny"));
}

TEST_CASE("an archive cannot write outside the dataset's folder, nor bring in what a link of it names") {
    const World world;
    world.manifest("  - {npm: tiny@1.0.0, folder: package/data}");
    write(world.root / "secret", kImages);  // what a link could lead to: with the right digest even
    // An npm that brings the archive; each of its members is one that tar would put somewhere else.
    write(world.root / "bin" / "npm", "#!/bin/sh\nfor last; do :; done\ncp \"$SATDL_TEST_ARCHIVE\" \"$last/tiny.tgz\"\n");
    fs::permissions(world.root / "bin" / "npm", fs::perms::owner_all);
    write(world.root / "make.py", R"(
import io, sys, tarfile
root, kind = sys.argv[1:]
with tarfile.open(root + "/evil.tgz", "w:gz") as archive:
    def add(name, text=b"", type=tarfile.REGTYPE, link=""):
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.size = type, link, len(text)
        archive.addfile(member, io.BytesIO(text))
    outside = {"parent": "package/data/../../../../escaped", "absolute": root + "/escaped"}
    if kind in outside:
        add(outside[kind], b"x")
    if kind == "folder_link":  # then a file "below" the link
        add("package/data/out", type=tarfile.SYMTYPE, link=root)
        add("package/data/out/escaped", b"x")
    wanted = {"symbolic": (tarfile.SYMTYPE, root + "/secret"), "hard": (tarfile.LNKTYPE, root + "/secret"),
              "device": (tarfile.CHRTYPE, ""), "fifo": (tarfile.FIFOTYPE, ""), "folder": (tarfile.DIRTYPE, "")}
    if kind in wanted:
        add("package/data/images.bin", b"", *wanted[kind])
    else:
        add("package/data/images.bin", b"0123456789abcdef0123456789abcdef")
    add("package/data/labels.bin", b"ABCD")
)");
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", ((world.root / "bin").string() + ":" + path).c_str(), 1);
    ::setenv("SATDL_TEST_ARCHIVE", (world.root / "evil.tgz").c_str(), 1);
    for (const std::string kind : {"parent", "absolute", "folder_link", "symbolic", "hard", "device", "fifo", "folder"}) {
        INFO(kind);
        fs::remove_all(world.root / "data" / "tiny");
        REQUIRE(run_process({SATDL_PYTHON, (world.root / "make.py").string(), world.root.string(), kind}, [](auto) { return true; })
                    .good());
        const bool harmless = kind == "parent" || kind == "absolute" || kind == "folder_link";  // the wanted files are whole
        const std::string message = failure(world);
        if (harmless) CHECK(message.empty());
        else CHECK(has(message, "images.bin: expected SHA-256"));
        CHECK(world.complete() == harmless);
        CHECK(content(world.file("labels.bin")) == kLabels);
        CHECK_FALSE(fs::exists(world.root / "escaped"));
        CHECK_FALSE(fs::exists(world.root / "data" / "escaped"));
        CHECK_FALSE(fs::exists(world.root.parent_path() / "escaped"));
    }
    ::setenv("PATH", path.c_str(), 1);
    ::unsetenv("SATDL_TEST_ARCHIVE");
}

TEST_CASE("if every source fails, the error lists each attempt and says what to do") {
    const World world;
    world.manifest("  - {folder: /nonexistent, package: dataset-tiny}\n  - {https: \"https://127.0.0.1:1/\"}");
    const std::string message = failure(world);
    CHECK(has(message, "images.bin from /nonexistent (Debian package dataset-tiny): not there"));
    CHECK(has(message, "https://127.0.0.1:1/: curl"));
    CHECK(has(message, "$SATDL_DATASETS"));
}

TEST_CASE("an altered file is reported, downloaded and replaced") {
    const World world;
    write(world.root / "mirror" / "images.bin", kImages);
    write(world.file("images.bin"), "altered");
    write(world.file("labels.bin"), kLabels);
    const Dataset dataset = world.dataset();
    const FileState state = check_file(dataset, dataset.files.at("images.bin"));
    CHECK(state.kind == FileState::Kind::Wrong);
    const std::string message = wrong_file(dataset, dataset.files.at("images.bin"), state).what();
    CHECK(has(message, sha256(kImages).hex()));
    CHECK(has(message, sha256("altered").hex()));
    CHECK(has(message, "satdl data fetch tiny"));
    Recorder recorder;
    fetch_dataset(dataset, recorder);
    CHECK(world.complete());
    CHECK(check_file(dataset, dataset.files.at("images.bin")).kind == FileState::Kind::Good);
}

TEST_CASE("a missing file is reported as missing") {
    const World world;
    const Dataset dataset = world.dataset();
    const DatasetFile& file = dataset.files.at("labels.bin");
    CHECK(check_file(dataset, file).kind == FileState::Kind::Missing);
    CHECK(has(wrong_file(dataset, file, check_file(dataset, file)).what(), "labels.bin is missing: expected SHA-256"));
}

TEST_CASE("leftovers of a fetch that was killed are removed") {
    const World world;
    write(world.root / "mirror" / "images.bin", kImages);
    write(world.root / "mirror" / "labels.bin", kLabels);
    write(world.file(".tmp-dead") / "images.bin", "half");
    Recorder recorder;
    fetch_dataset(world.dataset(), recorder);
    CHECK(world.complete());
}

TEST_CASE("a file's SHA-256 is that of its bytes, with progress reported") {
    const World world;
    const std::string text(3'000'000, 'x');
    write(world.root / "large", text);
    std::uint64_t last = 0;
    CHECK(file_sha256(world.root / "large", [&](std::uint64_t done) { last = done; }) == sha256(text));
    CHECK(last == text.size());
    CHECK_THROWS_AS(file_sha256(world.root / "none"), FileError);
}
