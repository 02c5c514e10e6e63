#include "pipeline/dag/smoke_dag.h"

#include <utility>

namespace satdl {
namespace {

ConfigValue for_smoke(const ParamDescription& param, const ConfigValue& value) {
    const auto number = value.as_number();
    const auto instead = [&](double bound) { return ConfigValue::scalar(canonical_number(bound), false, value.place()); };
    if (param.smoke_max && (!number || *number > *param.smoke_max)) return instead(*param.smoke_max);
    if (param.smoke_min && number && *number < *param.smoke_min) return instead(*param.smoke_min);
    return value;
}

}  // namespace

Dag for_smoke(Dag dag) {
    for (Node& node : dag.nodes) {
        std::map<std::string, ConfigValue> values = node.params.values();
        for (const ParamDescription& param : node.stage->description.params) {
            if (const auto found = values.find(param.name); found != values.end()) found->second = for_smoke(param, found->second);
        }
        node.params = Params(std::move(values));
    }
    return dag;
}

}  // namespace satdl
