#include "pipeline/dag_file/param_constraints.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/core/config_value.h"
#include "pipeline/dag_file/param_check.h"

namespace satdl {
namespace {

class Constraints {
public:
    Constraints(const Node& node, Diagnostics& diagnostics)
        : node_(node), stage_(node.stage->description), diagnostics_(diagnostics) {}

    bool check() {
        for (const ParamDescription& param : stage_.params) {
            if (!asks(param)) continue;
            for (const ParamDescription::Condition& need : param.needs) check_need(param, need);
            for (const std::string& other : param.excludes) check_exclusion(param, other);
            if (!param.below.empty()) check_below(param);
        }
        return good_;
    }

private:
    // Whether it has another value than its default.
    [[nodiscard]] bool asks(const ParamDescription& param) const {
        if (!node_.params.given(param.name)) return false;
        const ParamValue& value = node_.params.value(param.name);
        if (!param.fallback) return true;
        const auto number = value.as_number(), otherwise = ConfigValue::scalar(*param.fallback).as_number();
        return number && otherwise ? *number != *otherwise : value.text() != *param.fallback;
    }

    void tell(const ParamDescription& param, const std::string& message, const std::string& hint) {
        const Place& place = node_.params.value(param.name).place();
        diagnostics_.add(place ? place : node_.place, message, hint);
        good_ = false;
    }

    void check_need(const ParamDescription& param, const ParamDescription::Condition& need) {
        if (need.is_met(node_.params)) return;
        const ParamValue& other = node_.params.value(need.param);
        if (need.values.empty())
            tell(param, fmt::format("'{}' does nothing without '{}'", param.name, need.param),
                 about(*stage_.param(need.param)));
        else
            tell(param, fmt::format("'{}' does nothing where '{}' is {}", param.name, need.param, printable(other.text())),
                 fmt::format("it goes with {}: {}", need.param, fmt::join(need.values, " or ")));
    }

    void check_exclusion(const ParamDescription& param, const std::string& other) {
        const bool is_input = stage_.input(other) != nullptr;
        const bool there = is_input ? std::ranges::find(node_.inputs, other, &Input::port) != node_.inputs.end()
                                    : asks(*stage_.param(other));
        if (there)
            tell(param, fmt::format("'{}' and the {} '{}' do not go together: give one of them", param.name,
                                    is_input ? "input" : "parameter", other), about(param));
    }

    void check_below(const ParamDescription& param) {
        if (!node_.params.given(param.below)) return;
        const double number = node_.params.number(param.name), bound = node_.params.number(param.below);
        if (number < bound) return;
        tell(param, fmt::format("'{}' is {}, but must be less than '{}', which is {}", param.name, canonical_number(number),
                                param.below, canonical_number(bound)), about(param));
    }

    const Node& node_;
    const StageDescription& stage_;
    Diagnostics& diagnostics_;
    bool good_ = true;
};

}  // namespace

bool check_constraints(const Node& node, Diagnostics& diagnostics) { return Constraints(node, diagnostics).check(); }

}  // namespace satdl
