#include "pipeline/core/json.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

namespace satdl {

std::string dump_json(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string plain_text(const Json& value) { return value.is_string() ? value.get<std::string>() : dump_json(value); }

Json number_to_json(double number) {
    if (std::isfinite(number)) return number;
    return std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
}

Json table_to_json(const Table& table) {
    return {{"title", table.title}, {"columns", table.columns}, {"rows", table.rows}, {"notes", table.notes}};
}

Table table_from_json(const Json& json) {
    return {json.at("title").get<std::string>(), json.at("columns").get<std::vector<std::string>>(),
            json.at("rows").get<std::vector<std::vector<std::string>>>(), json.at("notes").get<std::vector<std::string>>()};
}

}  // namespace satdl
