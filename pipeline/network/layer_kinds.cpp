// An option is bound to its field by a member pointer as template argument: type, choices, reading and writing follow from it, so no
// kind needs code of its own.
#include "pipeline/network/layer_kinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace satdl {
namespace {

constexpr std::array<std::pair<Activation, std::string_view>, 7> kActivations{{
    {Activation::None, "none"},
    {Activation::Relu, "relu"},
    {Activation::LeakyRelu, "leaky_relu"},
    {Activation::Gelu, "gelu"},
    {Activation::Sigmoid, "sigmoid"},
    {Activation::Tanh, "tanh"},
    {Activation::Softmax, "softmax"},
}};
constexpr std::array<std::pair<Padding, std::string_view>, 2> kPaddings{{
    {Padding::Same, "same"},
    {Padding::Valid, "valid"},
}};
constexpr std::array<std::pair<FlipMode, std::string_view>, 3> kFlipModes{{
    {FlipMode::Horizontal, "horizontal"},
    {FlipMode::Vertical, "vertical"},
    {FlipMode::Both, "horizontal_and_vertical"},
}};

template <typename T>
constexpr const auto& choices_of() {
    if constexpr (std::is_same_v<T, Activation>) return kActivations;
    else if constexpr (std::is_same_v<T, FlipMode>) return kFlipModes;
    else return kPaddings;
}

template <typename T>
std::string_view choice_name(T value) {
    const auto& choices = choices_of<T>();
    const auto found = std::ranges::find(choices, value, [](const auto& choice) { return choice.first; });
    SATDL_CHECK(found != choices.end(), "a choice without a name");
    return found->second;
}

ConfigValue to_value(std::int64_t number) { return ConfigValue::of(number); }
ConfigValue to_value(double number) { return ConfigValue::of(number); }
ConfigValue to_value(bool flag) { return ConfigValue::of(flag); }
template <typename T>
    requires std::is_enum_v<T>
ConfigValue to_value(T choice) {
    return ConfigValue::scalar(std::string(choice_name(choice)));
}

bool read(const ConfigValue& value, std::int64_t& field) {
    const auto number = value.as_integer();
    if (number) field = *number;
    return number.has_value();
}
bool read(const ConfigValue& value, double& field) {
    const auto number = value.as_number();
    if (number) field = *number;
    return number.has_value();
}
bool read(const ConfigValue& value, bool& field) {
    const auto flag = value.as_boolean();
    if (flag) field = *flag;
    return flag.has_value();
}
template <typename T>
    requires std::is_enum_v<T>
bool read(const ConfigValue& value, T& field) {
    for (const auto& [choice, name] : choices_of<T>()) {
        if (!value.is_scalar() || value.text() != name) continue;
        field = choice;
        return true;
    }
    return false;
}

template <auto Field>
struct FieldOf;
template <typename S, typename T, T S::* Field>
struct FieldOf<Field> {
    using Spec = S;
    using Type = T;
};

template <typename T>
constexpr LayerOption::Type option_type() {
    if constexpr (std::is_same_v<T, std::int64_t>) return LayerOption::Type::Integer;
    else if constexpr (std::is_same_v<T, double>) return LayerOption::Type::Number;
    else if constexpr (std::is_same_v<T, bool>) return LayerOption::Type::Boolean;
    else return LayerOption::Type::Choice;
}

template <auto Field>
LayerOption option(std::string name, std::string help) {
    using Spec = typename FieldOf<Field>::Spec;
    using Type = typename FieldOf<Field>::Type;
    LayerOption made;
    made.name = std::move(name);
    made.help = std::move(help);
    made.type = option_type<Type>();
    if constexpr (std::is_enum_v<Type>) {
        for (const auto& choice : choices_of<Type>()) made.choices.emplace_back(choice.second);
    }
    made.get = [](const LayerSpec& spec) { return to_value(std::get<Spec>(spec).*Field); };
    made.set = [](LayerSpec& spec, const ConfigValue& value) { return read(value, std::get<Spec>(spec).*Field); };
    return made;
}

template <auto Field>
LayerOption option(std::string name, double min, double max, std::string help) {
    LayerOption made = option<Field>(std::move(name), std::move(help));
    made.min = min;
    made.max = max;
    return made;
}

LayerOption required(LayerOption made) {
    made.required = true;
    return made;
}

LayerOption same_as(std::string other, LayerOption made) {
    made.same_as = std::move(other);
    return made;
}

LayerDescription pool(std::string kind, std::string help, PoolKind which) {
    return {std::move(kind),
            std::move(help),
            "[N, C, H, W] -> [N, C, H', W'], H' = floor((H - size) / stride) + 1",
            Pool{which},
            "size",
            {option<&Pool::size>("size", 1, 1024, "height and width of the window"),
             same_as("size", option<&Pool::stride>("stride", 1, 1024, "step of the window"))}};
}

LayerDescription activation(std::string kind, std::string help, Activation which) {
    return {std::move(kind), std::move(help), "any shape, unchanged", Activate{which}, "", {}};
}

std::vector<LayerDescription> make_descriptions() {
    std::vector<LayerDescription> all;
    all.push_back({"conv",
                   "2-d convolution",
                   "[N, C, H, W] -> [N, filters, H', W'], "
                   "H' = ceil(H / stride), or floor((H - kernel) / stride) + 1 if valid",
                   Conv{},
                   "filters",
                   {required(option<&Conv::filters>("filters", 1, 65536, "channels of the output")),
                    option<&Conv::kernel>("kernel", 1, 255, "height and width of the kernel"),
                    option<&Conv::stride>("stride", 1, 255, "step of the kernel"),
                    option<&Conv::padding>("padding", "zeros around the image, or none"),
                    option<&Conv::bias>("bias", "adds a learnt number per channel"),
                    option<&Conv::activation>("activation", "applied to the output")}});
    all.push_back({"dense", "fully connected", "[N, features] -> [N, units]", Dense{}, "units",
                   {required(option<&Dense::units>("units", 1, 1 << 24, "features of the output")),
                    option<&Dense::bias>("bias", "adds a learnt number per unit"),
                    option<&Dense::activation>("activation", "applied to the output")}});
    all.push_back({"batch_norm",
                   "batch normalisation of each channel or feature",
                   "[N, C, H, W] or [N, features], unchanged",
                   BatchNorm{},
                   "",
                   {option<&BatchNorm::momentum>("momentum", 0, 1, "share of the old moving average that a step keeps"),
                    option<&BatchNorm::epsilon>("epsilon", 1e-12, 1, "added to the variance")}});
    all.push_back({"layer_norm",
                   "layer normalisation of each sample's features, or of each pixel's channels",
                   "[N, C, H, W] or [N, features], unchanged",
                   LayerNorm{},
                   "",
                   {option<&LayerNorm::epsilon>("epsilon", 1e-12, 1, "added to the variance")}});
    all.push_back(pool("max_pool", "largest of each window", PoolKind::Max));
    all.push_back(pool("average_pool", "mean of each window", PoolKind::Average));
    all.push_back({"global_average_pool", "mean of each channel", "[N, C, H, W] -> [N, C]", GlobalAveragePool{}, "", {}});
    all.push_back({"upsample", "repeats each pixel (nearest neighbour)", "[N, C, H, W] -> [N, C, H * factor, W * factor]",
                   Upsample{}, "factor", {option<&Upsample::factor>("factor", 1, 64, "how often in each direction")}});
    all.push_back({"flatten", "one row of features a sample", "[N, ...] -> [N, features]", Flatten{}, "", {}});
    all.push_back({"unflatten", "images from rows of features, as flatten made them",
                   "[N, channels * height * width] -> [N, channels, height, width]", Unflatten{}, "",
                   {option<&Unflatten::channels>("channels", 1, 65536, "channels of the images"),
                    option<&Unflatten::height>("height", 1, 65536, "their height"),
                    option<&Unflatten::width>("width", 1, 65536, "their width")}});
    all.push_back({"dropout", "sets a random share to zero while training", "any shape, unchanged", Dropout{}, "rate",
                   {option<&Dropout::rate>("rate", 0, 0.99, "the share that is dropped")}});
    all.push_back({"random_flip", "mirrors each image or not, at random, while training", "[N, C, H, W], unchanged", RandomFlip{}, "mode",
                   {option<&RandomFlip::mode>("mode", "left to right, top to bottom, or each of them with a chance of its own")}});
    all.push_back({"random_crop", "cuts each image at random out of itself with zeros around it, while training", "[N, C, H, W], unchanged",
                   RandomCrop{}, "padding",
                   {option<&RandomCrop::padding>("padding", 1, 1024, "zeros around the image: the most by which it moves")}});
    all.push_back(activation("relu", "max(x, 0)", Activation::Relu));
    all.push_back(activation("leaky_relu", "x where x > 0, else negative_slope * x", Activation::LeakyRelu));
    all.back().main = "negative_slope";
    all.back().options = {option<&Activate::negative_slope>("negative_slope", 0, 1, "slope where x < 0")};
    all.push_back(activation("gelu", "x * (1 + erf(x / sqrt(2))) / 2", Activation::Gelu));
    all.push_back(activation("sigmoid", "1 / (1 + exp(-x))", Activation::Sigmoid));
    all.push_back(activation("tanh", "hyperbolic tangent", Activation::Tanh));
    all.push_back(activation("softmax", "exp(x) / sum(exp(x)) over the features or channels", Activation::Softmax));
    return all;
}

}  // namespace

const LayerOption* LayerDescription::option(std::string_view name) const {
    const auto found = std::ranges::find(options, name, &LayerOption::name);
    return found == options.end() ? nullptr : &*found;
}

const std::vector<LayerDescription>& layer_descriptions() {
    static const std::vector<LayerDescription> descriptions = make_descriptions();
    return descriptions;
}

const LayerDescription* find_layer_description(std::string_view kind) {
    const auto& all = layer_descriptions();
    const auto found = std::ranges::find(all, kind, &LayerDescription::kind);
    return found == all.end() ? nullptr : &*found;
}

const LayerDescription& description_of(const LayerSpec& spec) {
    const auto is_kind = [&](const LayerDescription& description) {
        if (description.defaults.index() != spec.index()) return false;
        if (const auto* pool = std::get_if<Pool>(&spec)) return pool->kind == std::get<Pool>(description.defaults).kind;
        if (const auto* activate = std::get_if<Activate>(&spec))
            return activate->activation == std::get<Activate>(description.defaults).activation;
        return true;
    };
    const auto& all = layer_descriptions();
    const auto found = std::ranges::find_if(all, is_kind);
    SATDL_CHECK(found != all.end(), "a layer of no kind");
    return *found;
}

std::string_view name_of(Activation activation) { return choice_name(activation); }
std::string_view name_of(Padding padding) { return choice_name(padding); }

std::string wanted(const LayerOption& option) {
    switch (option.type) {
        case LayerOption::Type::Integer:
        case LayerOption::Type::Number:
            return fmt::format("{} from {} to {}", option.type == LayerOption::Type::Integer ? "an integer" : "a number",
                               canonical_number(option.min.value_or(0)), canonical_number(option.max.value_or(0)));
        case LayerOption::Type::Boolean: return "true or false";
        case LayerOption::Type::Choice: break;
    }
    return fmt::format("one of {}", fmt::join(option.choices, ", "));
}

}  // namespace satdl
