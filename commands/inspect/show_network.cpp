#include "commands/inspect/show_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "pipeline/core/json_reader.h"
#include "pipeline/display/text_format.h"
#include "pipeline/network/architecture.h"
#include "pipeline/network/network_memory.h"

namespace satdl {

namespace {

constexpr std::int64_t kBytes = 4;  // of a float32

std::optional<ConfigValue> param_in(const Recipe& recipe, const std::string& name) {
    const KeyPart* const part = name.empty() ? nullptr : find_part(recipe, "param " + name);
    return part == nullptr ? std::nullopt : parse_json(part->value);
}

// The layers that are not the head's, if the stage was to freeze its base.
std::size_t frozen_layers(const StageDescription& stage, const std::string& port, const Recipe& recipe, std::size_t all) {
    const PortDescription* const output = stage.output(port);
    if (output == nullptr || !output->model) return 0;
    const auto freeze = param_in(recipe, output->model->freeze), head = param_in(recipe, output->model->net);
    if (!freeze || !freeze->as_boolean().value_or(false)) return 0;
    const std::size_t own = head ? head->items().size() : 0;
    return all - std::min(all, own);
}

std::int64_t elements(const Shape& sample) {
    std::int64_t product = 1;
    for (const std::int64_t extent : sample) product *= extent;
    return product;
}

// "1,234,567"
std::string grouped_text(std::int64_t number) {
    std::string text = std::to_string(number);
    for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
        text.insert(static_cast<std::size_t>(at), 1, ',');
    return text;
}

// "980", "1.2 k", "34 M": powers of 1000.
std::string rounded_text(std::int64_t number) {
    std::string text = bytes_text(static_cast<std::uint64_t>(number));
    text.pop_back();  // the B of bytes
    return text.erase(text.find_last_not_of(' ') + 1);
}

// Numbers with commas and units are text to a table.
void align_right(Table& table, std::size_t column) {
    int width = display_width(table.columns[column]);
    for (const auto& row : table.rows) width = std::max(width, display_width(row[column]));
    const auto aligned = [&](const std::string& cell) {
        return std::string(static_cast<std::size_t>(width - display_width(cell)), ' ') + cell;
    };
    table.columns[column] = aligned(table.columns[column]);
    for (auto& row : table.rows) row[column] = aligned(row[column]);
}

std::int64_t flops(std::int64_t multiply_adds) {
    return 2 * multiply_adds;
}

}  // namespace

std::int64_t NetworkView::parameters() const {
    std::int64_t sum = 0;
    for (const LayerSummary& layer : layers) sum += layer.trainable + layer.non_trainable;
    return sum;
}

std::int64_t NetworkView::trainable() const {
    std::int64_t sum = 0;
    for (std::size_t i = frozen; i < layers.size(); ++i) sum += layers[i].trainable;
    return sum;
}

std::int64_t NetworkView::multiply_adds() const {
    std::int64_t sum = 0;
    for (const LayerSummary& layer : layers) sum += layer.multiply_adds;
    return sum;
}

std::optional<NetworkView> network_view(std::string_view architecture, const std::string& port, const Recipe& recipe,
                                        const Catalog& catalog) {
    Diagnostics misfits;
    const auto parsed = parse_architecture(architecture, misfits);
    if (!parsed || !misfits.empty()) return std::nullopt;
    NetworkView view{.input = parsed->input, .layers = summarise(parsed->network, parsed->input, misfits)};
    if (!misfits.empty()) return std::nullopt;
    const KeyPart* const kind = find_part(recipe, "kind");
    const CatalogEntry* const entry = kind != nullptr ? catalog.find(kind->value) : nullptr;
    if (entry == nullptr) return view;
    view.frozen = frozen_layers(entry->description, port, recipe, view.layers.size());
    if (const auto batch = param_in(recipe, entry->description.batch_size))
        view.batch_size = batch->as_integer().value_or(1);
    return view;
}

std::string network_text(const NetworkView& network, const std::string& port, std::optional<int> width) {
    Table table{.title = fmt::format("Layers ({})", port),
                .columns = {"layer", "output", "parameters", "FLOPs", "memory"},
                .rows = {{"input", batch_text(network.input), "", "",
                          bytes_text(static_cast<std::uint64_t>(elements(network.input) * kBytes))}},
                .notes = {}};
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
        const LayerSummary& layer = network.layers[i];
        const bool has_name_of_kind = layer.name.starts_with(layer.kind);
        table.rows.push_back({fmt::format("{}{}{}", layer.name, has_name_of_kind ? "" : fmt::format(" ({})", layer.kind),
                                          i < network.frozen && layer.trainable > 0 ? ", frozen" : ""),
                              batch_text(layer.output), grouped_text(layer.trainable + layer.non_trainable),
                              rounded_text(flops(layer.multiply_adds)),
                              bytes_text(static_cast<std::uint64_t>(elements(layer.output) * kBytes))});
    }
    const std::int64_t all = network.parameters(), trained = network.trainable();
    table.notes.push_back(fmt::format("{} parameters ({}): {} trainable, {} not", grouped_text(all),
                                      bytes_text(static_cast<std::uint64_t>(all * kBytes)), grouped_text(trained),
                                      grouped_text(all - trained)));
    table.notes.push_back(fmt::format("{} FLOPs for one sample; the layers' memory is of one sample, too",
                                      rounded_text(flops(network.multiply_adds()))));
    const auto training = network_bytes(network.layers, network.input, network.batch_size, NetworkUse::Training);
    const auto inference = network_bytes(network.layers, network.input, network.batch_size, NetworkUse::Inference);
    if (training && inference)
        table.notes.push_back(fmt::format("about {} to train it with batches of {}, {} to apply it to them",
                                          bytes_text(*training), network.batch_size, bytes_text(*inference)));
    for (std::size_t column = 2; column < table.columns.size(); ++column) align_right(table, column);
    return table_text(table, width);
}

Json network_json(const NetworkView& network) {
    Json layers = Json::array();
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
        const LayerSummary& layer = network.layers[i];
        const bool is_frozen = i < network.frozen;
        layers.push_back({{"layer", layer.name},
                          {"kind", layer.kind},
                          {"output", layer.output},
                          {"trainable", is_frozen ? 0 : layer.trainable},
                          {"non_trainable", layer.non_trainable + (is_frozen ? layer.trainable : 0)},
                          {"flops", flops(layer.multiply_adds)},
                          {"bytes", elements(layer.output) * kBytes}});
    }
    return {{"input", network.input},
            {"layers", std::move(layers)},
            {"parameters", network.parameters()},
            {"trainable", network.trainable()},
            {"flops", flops(network.multiply_adds())}};
}

}  // namespace satdl
