#include "pipeline/plan/continuation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace satdl {
namespace {

Recipe without(Recipe recipe, const std::string& part) {
    std::erase_if(recipe, [&](const KeyPart& one) { return one.name == part; });
    return recipe;
}

}  // namespace

std::optional<Continuation> continuation_of(const Node& node, const Recipe& recipe) {
    const auto& params = node.stage->description.params;
    const auto param = std::ranges::find_if(params, &ParamDescription::continues);
    if (param == params.end() || !node.params.given(param->name)) return std::nullopt;
    Continuation continuation{param->name, node.params.integer(param->name), without(recipe, "param " + param->name), {}};
    for (const ParamDescription::Condition& need : param->continues_unless) {
        if (!need.is_met(node.params)) continue;
        continuation.blocker = fmt::format("{} {} depends on {}", need.param, printable(node.params.value(need.param).text()), param->name);
        break;
    }
    return continuation;
}

std::optional<std::int64_t> target_of(const Recipe& recipe, const Continuation& continuation) {
    const std::string part = "param " + continuation.param;
    const KeyPart* const found = find_part(recipe, part);
    if (found == nullptr || without(recipe, part) != continuation.base_recipe) return std::nullopt;
    std::int64_t target = 0;
    const auto [end, error] = std::from_chars(found->value.data(), found->value.data() + found->value.size(), target);
    return error == std::errc() ? std::optional(target) : std::nullopt;
}

}  // namespace satdl
