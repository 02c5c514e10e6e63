#include "commands/shared/plan_json.h"

#include <nlohmann/json.hpp>

namespace satdl {

Json plan_json(const Dag& dag, const Plan& plan) {
    Json stages = Json::array();
    for (const auto& planned : plan.nodes) {
        stages.push_back({{"stage", dag.nodes[planned.node].name},
                          {"action", name_of(planned.action)},
                          {"because", planned.because},
                          {"key", planned.key ? Json(planned.key->hex()) : Json(nullptr)},
                          {"expected_seconds", planned.expected_seconds ? Json(*planned.expected_seconds) : Json(nullptr)}});
    }
    return {{"dag", dag.name}, {"stages", std::move(stages)}};
}

}  // namespace satdl
