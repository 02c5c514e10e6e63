#include "pipeline/catalog/stage_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "pipeline/catalog/execution_policy.h"
#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

// The trimmed parts between commas; none of an empty text.
std::vector<std::string_view> parts(std::string_view text) {
    std::vector<std::string_view> found;
    if (trimmed(text).empty()) return found;
    for (std::size_t from = 0; from <= text.size();) {
        const std::size_t comma = std::min(text.find(',', from), text.size());
        found.push_back(trimmed(text.substr(from, comma - from)));
        from = comma + 1;
    }
    return found;
}

std::optional<ShapeRule::Extent> parse_extent(std::string_view text) {
    if (text == "_") return ShapeRule::Extent{};
    if (is_identifier(text)) return ShapeRule::Extent{std::nullopt, std::string(text)};
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
    return ShapeRule::Extent{number, ""};
}

std::optional<ShapeRule> parse_pattern(std::string_view inside) {
    ShapeRule rule{.kind = ShapeRule::Kind::Pattern};
    for (const std::string_view part : parts(inside)) {
        if (rule.open) return std::nullopt;  // `...` ends the list
        if (part.starts_with("...")) {
            rule.open = true;
            rule.rest = part.substr(3);
            if (!rule.rest.empty() && !is_identifier(rule.rest)) return std::nullopt;
            continue;
        }
        const auto extent = parse_extent(part);
        if (!extent) return std::nullopt;
        rule.extents.push_back(*extent);
    }
    return rule;
}

// Which ports may have a role, and which other role it needs.
struct RoleRule {
    PortRole role;
    PortKind kind;
    bool output;
    PortRole needs;
};
constexpr RoleRule kRoleRules[] = {
    {PortRole::Images, PortKind::Array, false, PortRole::None},
    {PortRole::Labels, PortKind::Array, false, PortRole::Predictions},
    {PortRole::Predictions, PortKind::Array, true, PortRole::Labels},
    {PortRole::NoisyImages, PortKind::Array, true, PortRole::Images},
    {PortRole::DenoisedImages, PortKind::Array, true, PortRole::Images},
    {PortRole::Baseline, PortKind::Metrics, false, PortRole::Candidate},
    {PortRole::Candidate, PortKind::Metrics, false, PortRole::Baseline},
    {PortRole::BaselineTraining, PortKind::Metrics, false, PortRole::Baseline},
    {PortRole::CandidateTraining, PortKind::Metrics, false, PortRole::Candidate},
};

// Finds the first fault of a description; each check returns a message.
class Checker {
public:
    explicit Checker(const StageDescription& description) : d_(description) {}

    std::optional<std::string> fault() {
        if (!is_identifier(d_.kind)) return fmt::format("'{}' is not a valid stage kind: use letters, digits and _", d_.kind);
        if (d_.version < 1) return "its version must be at least 1";
        for (const ParamDescription& param : d_.params) {
            if (const auto fault = of(param)) return fmt::format("parameter '{}' {}", param.name, *fault);
        }
        for (const PortDescription& port : d_.inputs) {
            if (const auto fault = of(port, false)) return fmt::format("input '{}' {}", port.name, *fault);
        }
        names_.clear();  // an output may have an input's name
        for (const PortDescription& port : d_.outputs) {
            if (const auto fault = of(port, true)) return fmt::format("output '{}' {}", port.name, *fault);
        }
        if (const auto fault = of_loss()) return fmt::format("its loss {}", *fault);
        if (!d_.batch_size.empty() && !is_param(d_.batch_size, ParamType::Integer))
            return fmt::format("its batch_size needs an integer parameter '{}'", d_.batch_size);
        return std::nullopt;
    }

private:
    using Fault = std::optional<std::string>;

    Fault name(const std::string& name) {
        if (!is_identifier(name)) return "has an invalid name: use letters, digits and _";
        if (!names_.insert(name).second) return "is duplicated (parameters and inputs share one set of names)";
        return std::nullopt;
    }

    Fault of(const ParamDescription& param) {
        if (const auto fault = name(param.name)) return fault;
        if (is_stage_key(param.name)) return "has a name that is reserved in DAG files (docs/yaml.md)";
        if (param.type != ParamType::Numbers && (param.type == ParamType::Choice) != !param.choices.empty())
            return "must have choices if its type is choice, and only then";
        const auto finite = [](const std::optional<double>& bound) { return !bound || std::isfinite(*bound); };
        if (!finite(param.min) || !finite(param.max)) return "has a range that is not finite";
        if (param.type == ParamType::Choice && param.fallback && *param.fallback != "null" &&
            std::ranges::find(param.choices, *param.fallback) == param.choices.end())
            return fmt::format("has the default '{}', which is not one of its choices", *param.fallback);
        if (const auto fault = of_smoke(param)) return fault;
        if (const auto fault = of_continuing(param)) return fault;
        return of_relations(param);
    }

    static Fault of_smoke(const ParamDescription& param) {
        for (const std::optional<double>& bound : {param.smoke_min, param.smoke_max}) {
            if (!bound) continue;
            if (param.type != ParamType::Integer && param.type != ParamType::Number)
                return "has a bound for smoke runs, but is not a number";
            if (!std::isfinite(*bound) || *bound < param.min.value_or(*bound) || *bound > param.max.value_or(*bound))
                return "has a bound for smoke runs outside its range";
        }
        if (param.smoke_min && param.smoke_max && *param.smoke_min > *param.smoke_max)
            return "has a smoke_min greater than its smoke_max";
        return std::nullopt;
    }

    Fault of_continuing(const ParamDescription& param) const {
        if (!param.continues) return param.continues_unless.empty() ? Fault() : "has continues_unless, but not continues";
        if (param.type != ParamType::Integer || !param.changes_result) return "has continues, but is not an integer that changes the result";
        if (std::ranges::count_if(d_.params, &ParamDescription::continues) > 1) return "has continues, but another parameter has it, too";
        return std::nullopt;
    }

    Fault of_relations(const ParamDescription& param) const {
        const auto missing = [](const std::string& what) { return fmt::format("refers to '{}', which does not exist", what); };
        for (const auto* needs : {&param.needs, &param.continues_unless}) {
            for (const ParamDescription::Condition& need : *needs)
                if (d_.param(need.param) == nullptr) return missing(need.param);
        }
        for (const std::string& other : param.excludes) {
            if (d_.param(other) == nullptr && d_.input(other) == nullptr) return missing(other);
        }
        if (!param.below.empty() && d_.param(param.below) == nullptr) return missing(param.below);
        if (!param.at_most_rows_of.empty()) {
            if (param.type != ParamType::Integer) return "is limited by the rows of an input, but is not an integer";
            if (!is_array_input(param.at_most_rows_of)) return missing(param.at_most_rows_of);
        }
        if (param.row_fraction) {
            if (param.type != ParamType::Number) return "is a fraction of an input's rows, but is not a number";
            if (!is_array_input(param.row_fraction->of)) return missing(param.row_fraction->of);
        }
        for (const std::string& port : param.metric_of) {
            if (!has_metrics(d_.input(port)) && !has_metrics(d_.output(port))) return missing(port);
        }
        if (!param.label_of.empty() && param.type != ParamType::Text) return "is the name of what an input reads, but is not a text";
        for (const std::string& port : param.label_of) {
            if (d_.input(port) == nullptr) return missing(port);
        }
        return std::nullopt;
    }

    Fault of(const PortDescription& port, bool output) {
        if (const auto fault = name(port.name)) return fault;
        if (output && port.dtypes.size() > 1) return "has several element types";
        if (!port.dtype_of.empty() && !is_array_input(port.dtype_of))
            return fmt::format("takes its element type from '{}', which is not an input array", port.dtype_of);
        if (!port.uint8_scale.empty() && (output || !is_param(port.uint8_scale, ParamType::Number)))
            return fmt::format("reads uint8 with '{}', but it is no input, or that is no number", port.uint8_scale);
        const auto rule = parse_shape_rule(port.shape);
        if (!rule) return fmt::format("has the shape '{}', which is not a valid rule", port.shape);
        if (const auto fault = of(*rule)) return fault;
        if (port.metrics && !has_metrics(&port)) return "has a metrics rule, but its kind is neither metrics nor history";
        if (port.metrics) {
            if (const auto fault = of(*port.metrics)) return fault;
            if (const auto fault = of_pairs(port, output)) return fault;
        }
        if (const auto fault = of_role(port, output)) return fault;
        return port.model ? of(*port.model) : std::nullopt;
    }

    Fault of(const ShapeRule& rule) const {
        if (rule.kind == ShapeRule::Kind::Dataset &&
            (!is_param("dataset", ParamType::Dataset) || d_.param("split") == nullptr))
            return "has a shape that needs the parameters 'dataset' and 'split'";
        if (rule.kind == ShapeRule::Kind::File && !is_param(rule.file, ParamType::File) && !is_param(rule.file, ParamType::Folder))
            return fmt::format("has a shape that needs a file '{}'", rule.file);
        if (rule.kind != ShapeRule::Kind::Network) return std::nullopt;
        if (!is_param(rule.net, ParamType::Network) && !is_model_input(rule.net))
            return fmt::format("has a shape that needs a network '{}'", rule.net);
        if (!is_array_input(rule.input)) return fmt::format("has a shape that needs an input array '{}'", rule.input);
        if (!rule.layer.empty() && d_.param(rule.layer) == nullptr)
            return fmt::format("has a shape that needs a parameter '{}'", rule.layer);
        return std::nullopt;
    }

    Fault of(const PortDescription::ModelRule& rule) const {
        if (!is_param(rule.net, ParamType::Network)) return fmt::format("needs a network parameter '{}'", rule.net);
        if (!rule.file.empty()) return of_weights(rule);
        if (!is_array_input(rule.input)) return fmt::format("needs an input array '{}'", rule.input);
        if (!rule.base.empty() && !is_model_input(rule.base)) return fmt::format("needs an input model '{}'", rule.base);
        if (!rule.until.empty() && d_.param(rule.until) == nullptr) return fmt::format("needs a parameter '{}'", rule.until);
        if (!rule.freeze.empty() && !is_param(rule.freeze, ParamType::Boolean)) return fmt::format("needs a boolean '{}'", rule.freeze);
        return std::nullopt;
    }

    Fault of_weights(const PortDescription::ModelRule& rule) const {
        if (!is_param(rule.file, ParamType::File)) return fmt::format("needs a file '{}'", rule.file);
        if (!is_param(rule.sample, ParamType::Numbers)) return fmt::format("needs numbers '{}'", rule.sample);
        if (!is_param(rule.names, ParamType::Text)) return fmt::format("needs a text '{}'", rule.names);
        if (!rule.base.empty()) return "takes its weights from a file, and from another model";
        return std::nullopt;
    }

    Fault of(const PortDescription::MetricsRule& rule) const {
        for (const auto& [input, name] : rule.if_connected)
            if (d_.input(input) == nullptr) return fmt::format("needs an input '{}'", input);
        if (rule.of_loss && !d_.loss) return "has metrics of a loss, but the stage has none";
        if (!rule.validation.empty() && d_.input(rule.validation) == nullptr)
            return fmt::format("needs an input '{}'", rule.validation);
        if (!rule.fraction.empty() && !is_param(rule.fraction, ParamType::Number))
            return fmt::format("needs a number '{}'", rule.fraction);
        return std::nullopt;
    }

    Fault of_loss() const {
        if (!d_.loss) return std::nullopt;
        const LossRule& rule = *d_.loss;
        if (!is_param(rule.loss, ParamType::Choice)) return fmt::format("needs a parameter '{}'", rule.loss);
        if (!is_array_input(rule.target)) return fmt::format("needs an input array '{}'", rule.target);
        if (!rule.validation_target.empty() && !is_array_input(rule.validation_target))
            return fmt::format("needs an input array '{}'", rule.validation_target);
        const PortDescription* made = d_.output(rule.model);
        if (!is_model_input(rule.model) && !is_array_input(rule.model) && (made == nullptr || made->kind != PortKind::Model))
            return fmt::format("needs a model or an input array '{}'", rule.model);
        if (!rule.class_weights.empty() && !is_param(rule.class_weights, ParamType::Numbers))
            return fmt::format("needs numbers '{}'", rule.class_weights);
        return std::nullopt;
    }

    static Fault of_pairs(const PortDescription& port, bool output) {
        const PortDescription::MetricsRule& rule = *port.metrics;
        if (!rule.pairs.empty() && (!output || port.kind != PortKind::Metrics)) return "has pairs of metrics, but is not an output of metrics";
        const auto is_named = [&](const std::string& metric) {
            const auto is_it = [&](const auto& one) { return one.second == metric; };
            return std::ranges::find(rule.names, metric) != rule.names.end() || std::ranges::any_of(rule.if_connected, is_it);
        };
        for (const auto& [first, second] : rule.pairs) {
            for (const std::string& metric : {first, second})
                if (!is_named(metric)) return fmt::format("has a pair with '{}', which is not one of its metrics", metric);
            if (first == second) return fmt::format("has a pair of '{}' and itself", first);
        }
        return std::nullopt;
    }

    Fault of_role(const PortDescription& port, bool output) const {
        if (port.role == PortRole::None) return std::nullopt;
        const RoleRule& rule = *std::ranges::find(kRoleRules, port.role, &RoleRule::role);
        const std::string_view role = name_of(port.role);
        if (port.kind != rule.kind || output != rule.output) {
            return fmt::format("has the role '{}', which belongs to an {} of kind {}", role, rule.output ? "output" : "input",
                               name_of(rule.kind));
        }
        if (ports_with(port.role) > 1) return fmt::format("has the role '{}', but another port has it, too", role);
        if (rule.needs != PortRole::None && ports_with(rule.needs) == 0)
            return fmt::format("has the role '{}', but no port has the role '{}'", role, name_of(rule.needs));
        return std::nullopt;
    }

    [[nodiscard]] std::ptrdiff_t ports_with(PortRole role) const {
        return std::ranges::count(d_.inputs, role, &PortDescription::role) + std::ranges::count(d_.outputs, role, &PortDescription::role);
    }
    [[nodiscard]] static bool has_metrics(const PortDescription* port) {
        return port != nullptr && (port->kind == PortKind::Metrics || port->kind == PortKind::History);
    }
    [[nodiscard]] bool is_param(std::string_view name, ParamType type) const {
        const ParamDescription* param = d_.param(name);
        return param != nullptr && param->type == type;
    }
    [[nodiscard]] bool is_input(std::string_view name, PortKind kind) const {
        const PortDescription* port = d_.input(name);
        return port != nullptr && port->kind == kind;
    }
    [[nodiscard]] bool is_array_input(std::string_view name) const { return is_input(name, PortKind::Array); }
    [[nodiscard]] bool is_model_input(std::string_view name) const { return is_input(name, PortKind::Model); }

    const StageDescription& d_;
    std::set<std::string, std::less<>> names_;
};

}  // namespace

std::optional<ShapeRule> parse_shape_rule(std::string_view text) {
    text = trimmed(text);
    if (text == "any") return ShapeRule{};
    if (text.size() >= 2 && text.front() == '[' && text.back() == ']') return parse_pattern(text.substr(1, text.size() - 2));
    const std::size_t open = text.find('(');
    if (open == std::string_view::npos || text.back() != ')') return std::nullopt;
    const std::string_view name = text.substr(0, open);
    const auto words = parts(text.substr(open + 1, text.size() - open - 2));
    if (!std::ranges::all_of(words, is_identifier)) return std::nullopt;
    if ((name == "file" || name == "rows") && words.size() == 1)
        return ShapeRule{.kind = ShapeRule::Kind::File, .file = std::string(words[0]), .rows_alone = name == "rows"};
    if (name == "dataset" && words.size() == 1)
        return ShapeRule{.kind = ShapeRule::Kind::Dataset, .role = std::string(words[0])};
    if (name != "network" || words.size() < 2 || words.size() > 3) return std::nullopt;
    ShapeRule rule{.kind = ShapeRule::Kind::Network, .net = std::string(words[0]), .input = std::string(words[1])};
    if (words.size() == 3) rule.layer = words[2];
    return rule;
}

std::vector<std::string> names_of(const std::vector<PortDescription>& ports) {
    std::vector<std::string> names;
    for (const PortDescription& port : ports) names.push_back(port.name);
    return names;
}

std::vector<std::string_view> stage_keys() {
    std::vector<std::string_view> keys{"kind", "in", "about"};
    keys.insert(keys.end(), kExecutionPolicyKeys.begin(), kExecutionPolicyKeys.end());
    return keys;
}

bool is_stage_key(std::string_view key) {
    const std::vector<std::string_view> keys = stage_keys();
    return std::ranges::find(keys, key) != keys.end();
}

std::optional<std::string> fault_of(const StageDescription& description) { return Checker(description).fault(); }

}  // namespace satdl
