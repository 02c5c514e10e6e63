// Everything that the report's page shows, as one JSON document, which is the only input of the page's scripts.
#pragma once

#include <nlohmann/json.hpp>

#include "pipeline/store/store.h"
#include "report/facts.h"

namespace satdl {

// Of one run. Numbers that are not finite are texts: "nan", "inf", "-inf".
[[nodiscard]] nlohmann::ordered_json run_document(RunFacts run, Store& store);

}  // namespace satdl
