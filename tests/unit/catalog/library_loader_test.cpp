#include "pipeline/catalog/library_loader.h"

#include <catch2/catch.hpp>

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

CatalogEntry from(const std::string& library) { return {{.kind = "times"}, built(library), {}}; }

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
    CHECK_THROWS_WITH(libraries.function(stage), Contains("libother_abi.so") && Contains("stage ABI -1") && Contains("build the library anew"));
}

TEST_CASE("A library without stages is refused by name, with the symbol that it lacks") {
    StageLibraries libraries;
    CHECK_THROWS_WITH(libraries.function(from("libno_stages.so")), Contains("libno_stages.so") && Contains("satdl_stage_abi"));
}

TEST_CASE("A library that is not there is refused by name") {
    StageLibraries libraries;
    CHECK_THROWS_WITH(libraries.function(from("libnowhere.so")), Contains("libnowhere.so"));
}

TEST_CASE("A library that is another one than its manifest describes is refused by name") {
    const Catalog catalog = mine();
    StageLibraries libraries;
    CatalogEntry stage = *catalog.find("times");
    SECTION("the stage is gone") {
        stage.description.kind = "divide";
        CHECK_THROWS_WITH(libraries.function(stage), Contains("libmine_stages.so") && Contains("no stage 'divide'"));
    }
    SECTION("its version was raised") {
        stage.description.version = 7;
        CHECK_THROWS_WITH(libraries.function(stage), Contains("describes the stage 'times' otherwise"));
    }
    SECTION("a parameter has another default") {
        stage.description.params[0].fallback = std::string("3");
        CHECK_THROWS_WITH(libraries.function(stage), Contains("describes the stage 'times' otherwise"));
    }
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
