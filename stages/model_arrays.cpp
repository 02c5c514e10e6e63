#include "stages/model_arrays.h"

#include <span>

#include "pipeline/network/architecture.h"
#include "stages/ports.h"

namespace satdl::stages {

NamedArrays to_group(const Model& model) {
    const std::string text = to_text({model.input, model.network});
    NamedArrays group(model.weights.begin(), model.weights.end());
    group[kArchitecture] =
        Array::copy_of(DType::UInt8, {static_cast<std::int64_t>(text.size())}, std::as_bytes(std::span(text)));
    return group;
}

Model model_from(const NamedArrays& group) {
    const auto found = group.find(kArchitecture);
    if (found == group.end()) throw stage_error("this is not a model: it has no 'architecture'");
    const std::span<const std::uint8_t> text = found->second.values<std::uint8_t>();
    Diagnostics diagnostics;
    auto architecture = parse_architecture({reinterpret_cast<const char*>(text.data()), text.size()}, diagnostics);
    if (!architecture) throw stage_error("this is not a model: its 'architecture' is not JSON with 'input' and 'layers'");
    diagnostics.throw_if_any();
    Model model{std::move(architecture->network), std::move(architecture->input), {}};
    for (const auto& [name, array] : group) {
        if (name != kArchitecture) model.weights.emplace(name, array);
    }
    return model;
}

}  // namespace satdl::stages
