// Parameters of stages that no DAG file declares, typed as its reader types them.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "pipeline/core/config_value.h"
#include "pipeline/dag_file/param_check.h"
#include "pipeline/network/network_parser.h"
#include "pipeline/stage.h"

namespace satdl::test {

inline ParamValue typed_network(const ConfigValue& layers) {
    Diagnostics diagnostics;
    auto network = std::make_shared<const Network>(parse_network(layers, diagnostics));
    diagnostics.throw_if_any();
    return {std::move(network), layers.place()};
}

inline ParamValue typed(const ParamDescription& param, const ConfigValue& value) {
    if (param.type == ParamType::Network && value.is_list()) return typed_network(value);
    if (value.is_null()) return {std::monostate(), value.place()};
    CheckedParam checked = check_param(param, value);
    if (checked.mistake) throw std::logic_error(checked.mistake->message);
    return std::move(checked.value);
}

}  // namespace satdl::test
