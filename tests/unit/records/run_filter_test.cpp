#include "pipeline/records/run_filter.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace satdl;

namespace {

Json run_with(Json params, Json metrics) {
    Json run = {{"run", "20261124T031731.000001-7"},
                {"dag", "full"},
                {"file", "full.yaml"},
                {"profile", ""},
                {"host", "here"},
                {"version", "1"},
                {"outcome", "done"},
                {"seconds", 12.5},
                {"ran", 3},
                {"reused", 0},
                {"failed", 0},
                {"note", "second try"},
                {"tags", Json::array({"baseline"})}};
    run["params"] = std::move(params);
    run["metrics"] = std::move(metrics);
    return run;
}

const Json kRun =
    run_with({{"noise_factor", 0.4}, {"optimiser", "adam"}, {"train.epochs", 3}, {"flip", true}, {"limit", nullptr}},
             {{"compare.p0", 0.91}, {"compare.p", 0.88}, {"m3.loss", 0.25}});

bool holds(const std::string& text) {
    return RunFilter(text, "--where").matches(kRun);
}

std::string mistake(const std::string& text) {
    try {
        const RunFilter filter(text, "--where");
        filter.check_names(std::vector{kRun});
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a condition compares numbers as numbers and texts as texts") {
    for (const char* text :
         {"metrics.compare.p0 > 0.9", "p0 >= 0.91", "p0<=0.910", "params.noise_factor = 4e-1", "noise_factor == 0.4",
          "noise_factor != 0.5", "optimiser = adam", "optimiser = 'adam'", "optimiser != sgd", "flip = true", "epochs < 10",
          "seconds > 9", "run >= 20261124", "run < 20261125", "dag = full"})
        CHECK((holds(text) ? "" : std::string(text)) == "");
    for (const char* text :
         {"p0 > 0.91", "noise_factor < 0.4", "optimiser = ada", "flip = false", "epochs > 10", "seconds < 12.5"})
        CHECK((holds(text) ? std::string(text) : "") == "");
}

TEST_CASE("what a run does not have satisfies no comparison, and is missing") {
    CHECK_FALSE(holds("limit = 0"));
    CHECK_FALSE(holds("limit != 0"));
    CHECK(holds("limit is missing"));
    CHECK(holds("profile is missing"));
    CHECK(holds("noise_factor is not missing"));
    CHECK_FALSE(holds("noise_factor is missing"));
}

TEST_CASE("texts contain words, tags are words") {
    CHECK(holds("note contains try"));
    CHECK(holds("note contains 'second try'"));
    CHECK_FALSE(holds("note contains third"));
    CHECK(holds("tags contains baseline"));
    CHECK_FALSE(holds("tags contains base"));
}

TEST_CASE("not binds more tightly than and, and that more tightly than or") {
    CHECK(holds("p0 > 1 and p < 0 or epochs = 3"));
    CHECK_FALSE(holds("p0 > 1 and (p < 0 or epochs = 3)"));
    CHECK(holds("not p0 > 1 and epochs = 3"));
    CHECK_FALSE(holds("not (p0 > 0.5 and epochs = 3)"));
    CHECK(holds("not not epochs = 3"));
}

TEST_CASE("a mistake in a condition is told with its place") {
    CHECK(mistake("").starts_with("--where:1:1: error: here is the name"));
    CHECK(mistake("p0").starts_with("--where:1:3: error: after 'p0' a comparison is expected"));
    CHECK(mistake("p0 >").starts_with("--where:1:5: error: after '>' a number or a text is expected"));
    CHECK(mistake("p0 > (1)").starts_with("--where:1:6: error: after '>'"));
    CHECK(mistake("p0 ~ 1").starts_with("--where:1:4: error: after 'p0' a comparison"));
    CHECK(mistake("(p0 > 1").starts_with("--where:1:1: error: this parenthesis is not closed"));
    CHECK(mistake("p0 > 1) and p > 1").starts_with("--where:1:7: error: ')' is not expected here"));
    CHECK(mistake("p0 > 1 p > 1").starts_with("--where:1:8: error: 'p' is not expected here"));
    CHECK(mistake("note contains 'x").starts_with("--where:1:15: error: this quote is not closed"));
    CHECK(mistake("p0 is nothing").starts_with("--where:1:7: error: after `is` there is `missing`"));
    CHECK(mistake("p0 > 0.5 or nose_factor = 1")
              .starts_with("--where:1:13: error: none of the runs has a value for 'nose_factor'"));
    CHECK(mistake("nose_factor = 1").ends_with("did you mean 'noise_factor'?"));
    CHECK(mistake("p0 > 0.5 and dag = full") == "");
}
