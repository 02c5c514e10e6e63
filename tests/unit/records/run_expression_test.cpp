#include "pipeline/records/run_expression.h"

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
                {"tags", Json::array({"baseline"})},
                {"points", Json::array()},
                {"set", Json::object()}};
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
    CHECK(mistake("p0 > )").starts_with("--where:1:6: error: after '>'"));
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

namespace {

Json value_of(const std::string& expression) {
    Json run = kRun;
    const RunFormula formula("new=" + expression, "--add");
    formula.check_names(std::vector{kRun});
    formula.add_to(run);
    return run["metrics"].value("new", Json());
}

std::string mistake_in_formula(const std::string& text) {
    try {
        const RunFormula formula(text, "--add");
        formula.check_names(std::vector{kRun});
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a formula computes a metric from what a run has") {
    CHECK(value_of("1 + 2 * 3 - 4 / 8") == 6.5);
    CHECK(value_of("(1 + 2) * 3") == 9);
    CHECK(value_of("10 - 2 - 3") == 5);
    CHECK(value_of("p0 - metrics.compare.p") == 0.91 - 0.88);
    CHECK(value_of("-epochs + 1") == -2);
    CHECK(value_of("-(epochs - -1)") == -4);
    CHECK(value_of("1e+1 * .5") == 5);
    CHECK(value_of("abs(p - p0)") == 0.91 - 0.88);
    CHECK(value_of("sqrt(loss) + log(1)") == 0.5);
    CHECK(value_of("max(p, p0, min(epochs, 2))") == 2);
    CHECK(value_of("min(p,p0)") == 0.88);
}

TEST_CASE("a formula has no value where an operand is missing or no number, or the result is not finite") {
    for (const char* text : {"limit + 1", "note + 1", "p / 0", "log(0)", "sqrt(-1)", "max(limit, 1)", "1e308 * 10"})
        CHECK((value_of(text).is_null() ? "" : std::string(text)) == "");
}

TEST_CASE("a formula is computed of each point of a sweep") {
    Json sweep = kRun;
    sweep["params"].erase("epochs");
    sweep["points"] = Json::array({{{"settings", {{"s", 2}}}, {"metrics", {{"m", 3}}}, {"failed", 0}},
                                   {{"settings", {{"s", 5}}}, {"metrics", Json::object()}, {"failed", 1}}});
    RunFormula("new=m * s", "--add").add_to(sweep);
    CHECK(sweep["points"][0]["metrics"]["new"] == 6);
    CHECK_FALSE(sweep["points"][1]["metrics"].contains("new"));
    CHECK_FALSE(sweep["metrics"].contains("new"));
}

TEST_CASE("conditions compute, too") {
    for (const char* text : {"p0 - metrics.p > 0.02", "p0 > metrics.p", "p0 > metrics.p + 0.02", "0.9 < metrics.p0",
                             "(p0 + metrics.p) / 2 >= 0.89", "(p0 - metrics.p) is not missing", "p0 - limit is missing",
                             "abs(p - p0) < 0.04 and (epochs = 3 or epochs > 9)", "epochs = (1 + 2)", "params.epochs = 3"})
        CHECK((holds(text) ? "" : std::string(text)) == "");
    for (const char* text : {"p0 < metrics.p", "p0 / 0 > 1", "not p0 > metrics.p", "epochs = params.noise_factor"})
        CHECK((holds(text) ? std::string(text) : "") == "");
}

TEST_CASE("a mistake in a formula is told with its place") {
    CHECK(mistake_in_formula("gain") ==
          "--add:1:1: error: NAME=EXPRESSION is expected\n    1 | gain\n      | ^\n      = for example: gain=p0 - p");
    CHECK(mistake_in_formula("=p").starts_with("--add:1:1: error: NAME=EXPRESSION is expected"));
    CHECK(mistake_in_formula("a b=p").starts_with("--add:1:2: error: 'a b' cannot be the name of a metric"));
    CHECK(mistake_in_formula("seconds=p").starts_with("--add:1:1: error: 'seconds' is a field of every run"));
    CHECK(mistake_in_formula("compare.p=p")
              .starts_with("--add:1:1: error: run 20261124T031731.000001-7 has a value for 'compare.p' already"));
    CHECK(mistake_in_formula("gain=").starts_with("--add:1:6: error: here is the name"));
    CHECK(mistake_in_formula("gain=p0 -").starts_with("--add:1:10: error: here is the name"));
    CHECK(mistake_in_formula("gain=p0 - q").starts_with("--add:1:11: error: none of the runs has a value for 'q'"));
    CHECK(mistake_in_formula("gain=p0-p").ends_with("did you mean 'p0 - p'?"));
    CHECK(mistake_in_formula("gain=2*p").ends_with("did you mean '2 * p'?"));
    CHECK(mistake_in_formula("gain=p0 p").starts_with("--add:1:9: error: 'p' is not expected here"));
    CHECK(mistake_in_formula("gain=p0 > 1")
              .starts_with("--add:1:6: error: a number is expected here, and this is a condition"));
    CHECK(mistake_in_formula("gain=1 + (p > 1)").starts_with("--add:1:11: error: a number is expected here"));
    CHECK(mistake_in_formula("gain=exp(p)").starts_with("--add:1:6: error: there is no function 'exp'"));
    CHECK(mistake_in_formula("gain=abs(p, p0)").starts_with("--add:1:6: error: abs takes one number, not 2"));
    CHECK(mistake_in_formula("gain=max(p)").starts_with("--add:1:6: error: max takes two or more numbers, not 1"));
    CHECK(mistake_in_formula("gain=max(p, p0").starts_with("--add:1:15: error: the parenthesis of max( is not closed here"));
    CHECK(mistake_in_formula("gain=(p").starts_with("--add:1:6: error: this parenthesis is not closed"));
    CHECK(mistake("p0 > p + 1")
              .ends_with("a word to the right of a comparison is a text: write metrics.NAME or params.NAME there"));
    CHECK(mistake("p0 - p").starts_with("--where:1:7: error: after 'p' a comparison is expected"));
}
