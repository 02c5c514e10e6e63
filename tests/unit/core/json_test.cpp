#include "pipeline/core/json.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

using namespace satdl;

TEST_CASE("A table is JSON with its title, columns, rows and notes, and comes back") {
    const Table table{.title = "P", .columns = {"a"}, .rows = {{"1"}}, .notes = {"n"}};
    const Json json = table_to_json(table);
    CHECK(dump_json(json) == R"({"title":"P","columns":["a"],"rows":[["1"]],"notes":["n"]})");
    const Table again = table_from_json(json);
    CHECK(again.title == "P");
    CHECK(again.rows == table.rows);
    CHECK(again.notes == table.notes);
}

TEST_CASE("Numbers that JSON cannot express are written as text") {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    CHECK(number_to_json(0.5) == 0.5);
    CHECK(number_to_json(std::nan("")) == "nan");
    CHECK(number_to_json(kInfinity) == "inf");
    CHECK(number_to_json(-kInfinity) == "-inf");
}

TEST_CASE("Bytes that are not UTF-8 do not keep JSON from being written") {
    CHECK(dump_json({{"name", "a\xff"}}) == "{\"name\":\"a\xEF\xBF\xBD\"}");
}
