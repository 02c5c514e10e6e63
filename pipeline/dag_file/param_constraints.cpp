#include "pipeline/dag_file/param_constraints.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/core/config_value.h"
#include "pipeline/dag_file/param_check.h"

namespace satdl {
namespace {

class Constraints {
public:
    explicit Constraints(const Node& node) : node_(node), stage_(node.stage->description) {}

    std::vector<ParamConflict> find() {
        for (const ParamDescription& param : stage_.params) {
            if (!differs_from_default(param)) continue;
            for (const ParamDescription::Condition& need : param.needs) check_need(param, need);
            for (const std::string& other : param.excludes) check_exclusion(param, other);
            if (!param.below.empty()) check_below(param);
        }
        return std::move(found_);
    }

private:
    [[nodiscard]] bool differs_from_default(const ParamDescription& param) const {
        if (!node_.params.given(param.name)) return false;
        const ParamValue& value = node_.params.value(param.name);
        if (!param.fallback) return true;
        const auto number = value.as_number(), otherwise = ConfigValue::scalar(*param.fallback).as_number();
        return number && otherwise ? *number != *otherwise : value.text() != *param.fallback;
    }

    void add(ParamConflict::Rule rule, const ParamDescription& param, const std::string& other, std::string message, std::string hint) {
        const Place& place = node_.params.value(param.name).place();
        found_.push_back({rule, param.name, other, stage_.input(other) != nullptr,
                          {place ? place : node_.place, std::move(message), std::move(hint)}});
    }

    void check_need(const ParamDescription& param, const ParamDescription::Condition& need) {
        if (need.is_met(node_.params)) return;
        const ParamValue& other = node_.params.value(need.param);
        if (need.values.empty())
            add(ParamConflict::Rule::Needs, param, need.param, fmt::format("'{}' has no effect without '{}'", param.name, need.param),
                about(*stage_.param(need.param)));
        else
            add(ParamConflict::Rule::Needs, param, need.param,
                fmt::format("'{}' has no effect when '{}' is {}", param.name, need.param, printable(other.text())),
                fmt::format("it needs {}: {}", need.param, fmt::join(need.values, " or ")));
    }

    void check_exclusion(const ParamDescription& param, const std::string& other) {
        const bool is_input = stage_.input(other) != nullptr;
        const bool there = is_input ? std::ranges::find(node_.inputs, other, &Input::port) != node_.inputs.end()
                                    : differs_from_default(*stage_.param(other));
        if (there)
            add(ParamConflict::Rule::Excludes, param, other,
                fmt::format("'{}' conflicts with the {} '{}': give only one of them", param.name,
                            is_input ? "input" : "parameter", other),
                about(param));
    }

    void check_below(const ParamDescription& param) {
        if (!node_.params.given(param.below)) return;
        const double number = node_.params.number(param.name), bound = node_.params.number(param.below);
        if (number < bound) return;
        add(ParamConflict::Rule::Below, param, param.below,
            fmt::format("'{}' is {}, but must be less than '{}', which is {}", param.name, canonical_number(number), param.below,
                        canonical_number(bound)),
            about(param));
    }

    const Node& node_;
    const StageDescription& stage_;
    std::vector<ParamConflict> found_;
};

}  // namespace

std::vector<ParamConflict> find_conflicts(const Node& node) { return Constraints(node).find(); }

}  // namespace satdl
