#include "pipeline/dag/smoke_dag.h"

#include <utility>

#include "pipeline/dag/type_inference.h"

namespace satdl {
namespace {

ParamValue for_smoke(const ParamDescription& param, const ParamValue& value) {
    const auto number = value.as_number();
    const auto instead = [&](double bound) {
        return param.type == ParamType::Integer ? ParamValue(static_cast<std::int64_t>(bound), value.place()) : ParamValue(bound, value.place());
    };
    if (param.smoke_max && (!number || *number > *param.smoke_max)) return instead(*param.smoke_max);
    if (param.smoke_min && number && *number < *param.smoke_min) return instead(*param.smoke_min);
    return value;
}

}  // namespace

Dag for_smoke(Dag dag) {
    for (Node& node : dag.nodes) {
        std::map<std::string, ParamValue> values = node.params.values();
        for (const ParamDescription& param : node.stage->description.params) {
            if (const auto found = values.find(param.name); found != values.end()) found->second = for_smoke(param, found->second);
        }
        node.params = Params(std::move(values));
    }
    Diagnostics diagnostics;
    dag.types = infer_types(dag, diagnostics);
    diagnostics.throw_if_any();
    return dag;
}

}  // namespace satdl
