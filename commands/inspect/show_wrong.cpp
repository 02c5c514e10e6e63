#include "commands/inspect/show_wrong.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "commands/inspect/show_images.h"
#include "commands/inspect/show_values.h"
#include "pipeline/core/mcnemar.h"
#include "pipeline/display/text_format.h"
#include "report/facts.h"

namespace satdl {

namespace {

constexpr std::int64_t kFeaturesShown = 6;

// What an input reads, from the store.
std::optional<Array> input_array(const Recipe& recipe, const std::string& port, OpenStore& open,
                                 ProvenanceReader& provenance) {
    const KeyPart* const part = port.empty() ? nullptr : find_part(recipe, "input " + port);
    const auto content = part != nullptr ? Digest::from_hex(part->value) : std::nullopt;
    const auto maker = content ? provenance.maker_of(*content) : std::nullopt;
    const auto made = maker ? open.store().load(maker->first) : std::nullopt;
    if (!made) return std::nullopt;
    const NamedArrays& group = made->outputs.at(maker->second);
    const auto array = group.find("");
    return array == group.end() ? std::nullopt : std::optional(array->second);
}

// The rows of these samples.
Array rows_of(const Array& inputs, const std::vector<std::int64_t>& numbers) {
    Shape shape = inputs.shape();
    const std::size_t size = inputs.bytes().size() / static_cast<std::size_t>(shape.front());
    std::vector<std::byte> bytes(numbers.size() * size);
    auto end = bytes.begin();
    for (const std::int64_t number : numbers) {
        const auto row = inputs.bytes().subspan(static_cast<std::size_t>(number) * size, size);
        end = std::ranges::copy(row, end).out;
    }
    shape.front() = static_cast<std::int64_t>(numbers.size());
    return Array::copy_of(inputs.dtype(), shape, bytes);
}

bool are_pictures(const Array& inputs) {
    const Shape& shape = inputs.shape();
    return has_images(shape) && (shape.size() == 3 || shape[1] == 1 || shape[1] == 3);
}

std::string name_of_class(const WrongAnswers& wrong, std::int64_t number) {
    return wrong.class_names.empty() ? std::to_string(number)
                                     : printable(wrong.class_names[static_cast<std::size_t>(number)]);
}

Table table_of(const WrongAnswers& wrong) {
    Table table{.title = {}, .columns = {"sample", "true", "predicted", "output"}, .rows = {}, .notes = {}};
    const bool has_rows = wrong.inputs && wrong.inputs->shape().size() == 2;
    const std::int64_t features = has_rows ? std::min(wrong.inputs->shape()[1], kFeaturesShown) : 0;
    for (std::int64_t k = 0; k < features; ++k) table.columns.push_back(fmt::format("x[{}]", k));
    for (std::size_t i = 0; i < wrong.answers.size(); ++i) {
        const WrongAnswer& one = wrong.answers[i];
        auto& row =
            table.rows.emplace_back(std::vector<std::string>{std::to_string(one.sample), name_of_class(wrong, one.label),
                                                             name_of_class(wrong, one.answer), number_text(one.output)});
        if (features == 0) continue;
        const ArraySlice inputs = ArraySlice(*wrong.inputs).at(static_cast<std::int64_t>(i));
        for (std::int64_t k = 0; k < features; ++k) row.push_back(number_text(numbers_of(inputs.at(k).element()).front()));
    }
    if (has_rows && features < wrong.inputs->shape()[1])
        table.notes.push_back(fmt::format("the first {} of {} features", features, wrong.inputs->shape()[1]));
    return table;
}

}  // namespace

std::string port_of(const std::vector<PortDescription>& ports, PortRole role) {
    const PortDescription* const port = port_with(role, ports);
    return port == nullptr ? "" : port->name;
}

std::vector<std::string> class_names(const Provenance& provenance, std::int64_t classes) {
    for (const ProvenanceNode& node : provenance.nodes) {
        for (const Table& table : node.tables) {
            const auto label = std::ranges::find(table.columns, "label"), name = std::ranges::find(table.columns, "class");
            if (label == table.columns.end() || name == table.columns.end() ||
                static_cast<std::int64_t>(table.rows.size()) != classes)
                continue;
            std::vector<std::string> names(table.rows.size());
            for (const auto& row : table.rows) {
                const std::string& number = row[static_cast<std::size_t>(label - table.columns.begin())];
                std::size_t at = names.size();
                std::from_chars(number.data(), number.data() + number.size(), at);
                if (at < names.size()) names[at] = row[static_cast<std::size_t>(name - table.columns.begin())];
            }
            if (std::ranges::count(names, "") == 0) return names;
        }
    }
    return {};
}

WrongAnswers wrong_answers(const OpenArtifact& artifact, std::int64_t count, const Catalog& catalog, OpenStore& open,
                           ProvenanceReader& provenance) {
    const Recipe& recipe = artifact.header.recipe;
    const KeyPart* const kind = find_part(recipe, "kind");
    const CatalogEntry* const entry = kind != nullptr ? catalog.find(kind->value) : nullptr;
    const std::string predictions = entry != nullptr ? port_of(entry->description.outputs, PortRole::Predictions) : "";
    const std::string labels_port = entry != nullptr ? port_of(entry->description.inputs, PortRole::Labels) : "";
    if (predictions.empty() || labels_port.empty())
        throw Error(ExitCode::Usage,
                    fmt::format("a stage of kind '{}' does not compare predictions with right classes",
                                printable(kind != nullptr ? kind->value : "?")),
                    "--wrong is for the artifacts of stages such as `evaluate`");
    const auto answers = answers_of(artifact.outcome.outputs.at(predictions).at(""));
    if (!answers)
        throw Error(ExitCode::Usage, fmt::format("'{}' is not one output a class for each sample", printable(predictions)));
    const auto labels_array = input_array(recipe, labels_port, open, provenance);
    if (!labels_array)
        throw Error(ExitCode::Usage, "the right classes are in no artifact of the store",
                    "a run of the DAG makes them again");
    const auto labels = labels_of(*labels_array, answers->classes);
    if (!labels || labels->size() != answers->answer.size())
        throw Error(ExitCode::Usage,
                    fmt::format("'{}' does not read one class number for each sample", printable(labels_port)));
    WrongAnswers wrong{.answers = {}, .samples = static_cast<std::int64_t>(labels->size()), .inputs = {}, .class_names = {}};
    for (std::size_t i = 0; i < labels->size(); ++i)
        if (answers->answer[i] != (*labels)[i])
            wrong.answers.push_back({static_cast<std::int64_t>(i), (*labels)[i], answers->answer[i], answers->output[i]});
    wrong.all = static_cast<std::int64_t>(wrong.answers.size());
    std::ranges::stable_sort(wrong.answers, std::greater(), &WrongAnswer::output);
    if (wrong.all > count) wrong.answers.resize(static_cast<std::size_t>(count));
    std::vector<std::int64_t> numbers;
    for (const WrongAnswer& one : wrong.answers) numbers.push_back(one.sample);
    wrong.inputs = samples_read(recipe, entry->description, numbers, open, provenance);
    wrong.class_names = class_names(provenance.of(artifact.header), answers->classes);
    return wrong;
}

std::optional<Array> samples_read(const Recipe& recipe, const StageDescription& stage, const std::vector<std::int64_t>& numbers,
                                  OpenStore& open, ProvenanceReader& provenance) {
    if (numbers.empty()) return std::nullopt;
    const auto inputs = input_array(recipe, port_of(stage.inputs, PortRole::Images), open, provenance);
    const bool fits = inputs && !inputs->shape().empty() && inputs->shape().front() > std::ranges::max(numbers);
    return fits ? std::optional(rows_of(*inputs, numbers)) : std::nullopt;
}

std::string pictures_text(const Array& samples, const std::vector<std::string>& captions, Drawing drawing, std::optional<int> width) {
    if (!are_pictures(samples)) return "";
    const ImageSet images = images_of(samples, samples.shape().front());
    return captioned_text(images.pictures, captions, drawing, width.value_or(kColumnsInPipe));
}

std::string wrong_text(const WrongAnswers& wrong, Drawing drawing, std::optional<int> width) {
    if (wrong.all == 0) return fmt::format("none of {} samples is wrong\n", wrong.samples);
    const bool drawn = wrong.inputs && are_pictures(*wrong.inputs);
    std::string text =
        fmt::format("{} of {} wrong answers on {} samples, the surest first{}", wrong.answers.size(), wrong.all,
                    wrong.samples, drawn ? "; below each picture: its number, true class -> predicted class" : "");
    text = wrapped_lines(text, width, 2) + '\n';
    if (!drawn) return text + table_text(table_of(wrong), width);
    std::vector<std::string> captions;
    for (const WrongAnswer& one : wrong.answers)
        captions.push_back(
            fmt::format("{}: {} -> {}", one.sample, name_of_class(wrong, one.label), name_of_class(wrong, one.answer)));
    return text + pictures_text(*wrong.inputs, captions, drawing, width);
}

Json wrong_json(const WrongAnswers& wrong) {
    Json answers = Json::array();
    for (const WrongAnswer& one : wrong.answers)
        answers.push_back({{"sample", one.sample}, {"label", one.label}, {"answer", one.answer}, {"output", one.output}});
    return {{"samples", wrong.samples},
            {"wrong", wrong.all},
            {"class_names", wrong.class_names},
            {"answers", std::move(answers)}};
}

}  // namespace satdl
