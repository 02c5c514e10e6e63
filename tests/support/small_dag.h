// DAGs of the small catalogue from text, and what is wrong with it.
#pragma once

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/dag_file/dag_source.h"
#include "pipeline/yaml/yaml_parser.h"
#include "tests/support/small_catalog.h"

namespace satdl {

using Lines = std::vector<std::string>;

inline Dag build(std::string text, const Settings& settings = {}) {
    const auto source = std::make_shared<const SourceText>(SourceText{"a.yaml", std::move(text)});
    const DatasetIndex datasets({std::filesystem::path(SATDL_SOURCE_DIR) / "data"});
    static const Catalog catalog = small_catalog();  // the DAG points into it
    return DagSource("folder/a.yaml", parse_yaml(source)).build(settings, catalog, datasets);
}

// Each mistake as "line:column message | hint".
inline Lines mistakes(std::string text, const Settings& settings = {}) {
    Lines found;
    try {
        (void)build(std::move(text), settings);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Usage);
        for (const Diagnostic& one : error.diagnostics())
            found.push_back(fmt::format("{}:{} {}{}{}", one.place.line, one.place.column, one.message,
                                        one.hint.empty() ? "" : " | ", one.hint));
    }
    return found;
}

}  // namespace satdl
