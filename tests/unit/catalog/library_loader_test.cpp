#include "pipeline/catalog/library_loader.h"

#include <catch2/catch.hpp>

#include "tests/support/command.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using Catch::Matchers::Contains;

namespace {

std::filesystem::path built(const std::string& name) { return std::filesystem::path(SATDL_BINARY_DIR) / name; }

Catalog mine() {
    Catalog catalog;
    catalog.add(read_manifest(built("libmine_stages.json")));
    return catalog;
}

class Context final : public StageContext {
public:
    explicit Context(std::map<std::string, ParamValue> values) : params_(std::move(values)) {}
    [[nodiscard]] const Params& params() const override { return params_; }
    [[nodiscard]] int threads() const override { return 1; }
    [[nodiscard]] const std::vector<SourceFile>& files() const override { return files_; }
    [[nodiscard]] bool stop_requested() const override { return false; }
    void progress(const Progress&) override {}
    void log(LogLevel, std::string_view) override {}

private:
    Params params_;
    std::vector<SourceFile> files_;
};

// A stage of a library whose manifest would describe the file that is there.
CatalogEntry from(const std::string& library) {
    CatalogEntry stage{.description = {.kind = "times"}, .library = built(library)};
    if (std::filesystem::exists(stage.library)) stage.library_digest = sha256(real_file_system()->map(stage.library).bytes);
    return stage;
}

// A copy of the user's library and its manifest, in a folder where they can be changed.
struct Copied {
    Copied() {
        for (const char* name : {"libmine_stages.so", "libmine_stages.json"}) std::filesystem::copy(built(name), folder.path() / name);
    }
    [[nodiscard]] CatalogEntry times() const {
        Catalog catalog;
        catalog.add(read_manifest(folder.path() / "libmine_stages.json"));
        return *catalog.find("times");
    }
    const test::TempFolder folder;
    const std::filesystem::path library = folder.path() / "libmine_stages.so";
};

}  // namespace

TEST_CASE("A stage of a user's own library runs, and its manifest is what the build wrote beside it") {
    const Catalog catalog = mine();
    CHECK(catalog.kinds() == std::vector<std::string>{"end_badly", "times"});
    StageLibraries libraries;
    const StageFunction times = libraries.function(*catalog.find("times"));
    const std::vector<double> numbers{1, 2, 3.5};
    const StageInputs inputs{{"numbers", {{"", Array::of<double>({3}, numbers)}}}};
    Context context({{"factor", 2.0}});
    const StageOutput outcome = times(inputs, context);
    const auto products = outcome.outputs.at("products").at("").values<double>();
    CHECK(std::vector<double>(products.begin(), products.end()) == std::vector<double>{2, 4, 7});
}

TEST_CASE("What a stage throws crosses the border of its library with its type") {
    const Catalog catalog = mine();
    StageLibraries libraries;
    const StageFunction end_badly = libraries.function(*catalog.find("end_badly"));
    const auto ending = [&](const std::string& how) {
        Context context({{"how", how}});
        (void)end_badly({}, context);
    };
    CHECK_THROWS_AS(ending("error"), Error);
    CHECK_THROWS_AS(ending("stopped"), Stopped);
    CHECK_THROWS_AS(ending("exception"), std::runtime_error);
}

TEST_CASE("A library that was built for another ABI is refused by name, before anything in it is called") {
    StageLibraries libraries;
    const CatalogEntry stage = from("libother_abi.so");
    CHECK_THROWS_WITH(libraries.function(stage), Contains("libother_abi.so") && Contains("stage ABI -1") && Contains("rebuild the library"));
}

TEST_CASE("A library without stages is refused by name, with the symbol that it lacks") {
    StageLibraries libraries;
    CHECK_THROWS_WITH(libraries.function(from("libno_stages.so")), Contains("libno_stages.so") && Contains("satdl_stage_abi"));
}

TEST_CASE("A library that does not exist is refused by name") {
    StageLibraries libraries;
    CHECK_THROWS_WITH(libraries.function(from("libnowhere.so")), Contains("libnowhere.so"));
}

TEST_CASE("A library that its manifest does not describe to the last byte is refused, and what to do is said") {
    const Copied copied;
    {
        StageLibraries libraries;
        CHECK(libraries.file(copied.times()).digest == sha256(test::file_text(copied.library)));
        CHECK_NOTHROW(libraries.function(copied.times()));
    }
    // The loader maps a file once, under whatever name: a changed copy is another file.
    std::string text = test::file_text(copied.library);
    text.back() = static_cast<char>(text.back() ^ 1);
    std::filesystem::remove(copied.library);
    test::write_text(copied.library, text);
    StageLibraries libraries;
    CHECK_THROWS_WITH(libraries.function(copied.times()), Contains("libmine_stages.so' is not loaded") &&
                                                              Contains("the manifest next to it describes a different build of libmine_stages.so") &&
                                                              Contains("rebuild it"));
    CHECK_FALSE(libraries.digest(copied.times()));
}

TEST_CASE("A library that was replaced since its manifest was read is refused, though it is the same to the last byte") {
    const Copied copied;
    const CatalogEntry planned = copied.times();
    const std::string text = test::file_text(copied.library);
    std::filesystem::rename(copied.library, copied.folder.path() / "old");
    test::write_text(copied.library, text);
    StageLibraries libraries;
    CHECK_THROWS_WITH(libraries.file(planned), Contains("it was replaced after this run was planned"));
    CHECK_NOTHROW(libraries.file(copied.times()));
}

TEST_CASE("A stage that the library lacks, though its manifest has it, is refused by name") {
    StageLibraries libraries;
    CatalogEntry stage = *mine().find("times");
    stage.description.kind = "divide";
    CHECK_THROWS_WITH(libraries.function(stage), Contains("libmine_stages.so") && Contains("no stage 'divide'"));
}

TEST_CASE("No manifest is written of a library of another ABI, or of none") {
    for (const auto& [library, word] : {std::pair("libother_abi.so", "stage ABI -1"), std::pair("libno_stages.so", "satdl_stage_abi")}) {
        const auto made = test::run_command((built("satdl-manifest").string() + " ") + built(library).string());
        CHECK(made.status != 0);
        CHECK_THAT(made.output, Contains(library) && Contains(word));
    }
    CHECK_FALSE(std::filesystem::exists(built("libother_abi.json")));
}

TEST_CASE("All errors of stage libraries end in the exit code of a bad store") {
    StageLibraries libraries;
    try {
        (void)libraries.function(from("libother_abi.so"));
        FAIL("it must be refused");
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Store);
    }
}
