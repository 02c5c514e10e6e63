// satdl diff: two artifacts: why they differ, and how.
#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/inspect/diff_causes.h"
#include "commands/inspect/show_images.h"
#include "commands/inspect/show_wrong.h"
#include "commands/shared/artifact_reference.h"
#include "commands/shared/element_difference.h"
#include "commands/shared/session.h"
#include "commands/shared/tensor_statistics.h"
#include "pipeline/core/json.h"
#include "pipeline/core/mcnemar.h"
#include "pipeline/core/metric_text.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"
#include "pipeline/os/shared_library.h"
#include "pipeline/records/run_record.h"
#include "report/facts.h"

namespace satdl {

namespace {

struct DiffOptions {
    StoreOptions store;
    std::vector<std::string> what;
    std::string dag_name;
    std::vector<std::string> libraries;
    bool all = false, json = false;
    int images = 0;
};

constexpr std::size_t kTensorsShown = 12;
constexpr std::size_t kSamplesShown = 10;

// One of the two, mapped and verified.
struct Side {
    ArtifactRef found;
    ArtifactHeader header;
    StageOutput outcome;

    [[nodiscard]] std::string name() const {
        return fmt::format("{} {}", found.stage.empty() ? found.path.filename().string() : found.stage,
                           header.key.short_hex());
    }
};

Side opened(ArtifactRef found, FileSystem& files) {
    auto [header, outcome] = open_artifact(found, files);
    return {std::move(found), std::move(header), std::move(outcome)};
}

// The artifact that the stage had before: the newest of the runs' that is another one, and is still there.
ArtifactRef earlier(const ArtifactRef& now, OpenStore& open) {
    const Digest key = header_of(now, open.files()).key;
    for (const std::string& run : recorded_runs(open.folder(), open.files())) {
        const RunFacts facts = facts_of_run(open.folder(), run, open.files());
        const StageFacts* const stage = facts.find(now.stage);
        if (stage == nullptr || !stage->has_outcome() || !stage->key || *stage->key == key) continue;
        ArtifactRef found = now;
        found.path = open.store().path_of(*stage->key);
        if (open.files().stamp(found.path)) return found;
    }
    throw Error(ExitCode::Usage,
                fmt::format("no run made another artifact of {} that is still in the store", printable(now.stage)),
                "name two: satdl diff A B");
}

// ---- what differs ----

bool is_wanted(const TensorRecord& record, const std::string& wanted) {
    return wanted.empty() || record.path() == wanted || record.port == wanted;
}

std::string type_of(const Array& array) {
    return fmt::format("{} {}", name_of(array.dtype()), shape_text(array.shape()));
}

// "conv_2" before "conv_10".
bool is_before(const std::string& a, const std::string& b) {
    return ::strverscmp(a.c_str(), b.c_str()) < 0;
}

const Array* array_in(const Side& side, const std::string& port, const std::string& name) {
    const auto group = side.outcome.outputs.find(port);
    if (group == side.outcome.outputs.end()) return nullptr;
    const auto array = group->second.find(name);
    return array == group->second.end() ? nullptr : &array->second;
}

Json tensor_json(const TensorRecord& record, const Side& first, const Side& second) {
    const Array *a = array_in(first, record.port, record.name), *b = array_in(second, record.port, record.name);
    Json json = {{"tensor", record.path()},
                 {"a", a != nullptr ? Json(type_of(*a)) : Json()},
                 {"b", b != nullptr ? Json(type_of(*b)) : Json()}};
    const bool equal = a != nullptr && b != nullptr && a->digest() == b->digest();
    json["equal"] = equal;
    if (equal || json["a"] != json["b"]) return json;
    const ElementDifference apart = elements_apart(*a, *b);
    json.update(Json{{"elements", apart.count},
                     {"differing", apart.differing},
                     {"max", apart.max},
                     {"mean", apart.mean},
                     {"max_relative", apart.max_relative},
                     {"cosine", apart.cosine}});
    return json;
}

// Of all ports but metrics and history, which have their own words.
Json tensors_json(const Side& first, const Side& second) {
    std::vector<TensorRecord> records;
    for (const Side* side : {&first, &second}) {
        for (const TensorRecord& record : side->header.tensors) {
            const PortKind kind = side->header.ports.at(record.port);
            if (kind == PortKind::Metrics || kind == PortKind::History || !is_wanted(record, first.found.tensor)) continue;
            if (std::ranges::none_of(records, [&](const TensorRecord& one) { return one.path() == record.path(); }))
                records.push_back(record);
        }
    }
    std::ranges::stable_sort(records, is_before, &TensorRecord::path);
    Json tensors = Json::array();
    for (const TensorRecord& record : records) tensors.push_back(tensor_json(record, first, second));
    return tensors;
}

Json metrics_json(const Side& first, const Side& second) {
    Json metrics = Json::object();
    const auto add = [&](const Side& side, const char* name) {
        for (const auto& [port, values] : side.header.metrics)
            for (const auto& [metric, value] : values) {
                Json& row = metrics[side.header.metrics.size() == 1 ? metric : fmt::format("{}.{}", port, metric)];
                if (row.is_null()) row = {{"a", nullptr}, {"b", nullptr}};
                row[name] = value;
            }
    };
    add(first, "a");
    add(second, "b");
    return metrics;
}

// From which epoch on, and in which columns, two histories part; null if they do not.
Json parting_of(const NamedArrays& a, const NamedArrays& b) {
    Json parting;
    std::size_t earliest = 0;
    for (const auto& [name, column] : a) {
        const auto other = b.find(name);
        if (other == b.end()) continue;
        const auto mine = numbers_of(column), theirs = numbers_of(other->second);
        const auto [x, y] = std::ranges::mismatch(mine, theirs);
        const auto row = static_cast<std::size_t>(x - mine.begin());
        if (x == mine.end() && y == theirs.end()) continue;
        if (parting.is_null() || row < earliest) {
            earliest = row;
            parting = {{"epoch", row + 1}, {"epochs", {mine.size(), theirs.size()}}, {"columns", Json::object()}};
        }
        if (row == earliest && x != mine.end() && y != theirs.end()) parting["columns"][name] = {{"a", *x}, {"b", *y}};
    }
    return parting;
}

Json histories_json(const Side& first, const Side& second) {
    Json histories = Json::object();
    for (const auto& [port, kind] : first.header.ports) {
        if (kind != PortKind::History || !second.outcome.outputs.contains(port)) continue;
        if (Json parting = parting_of(first.outcome.outputs.at(port), second.outcome.outputs.at(port)); !parting.is_null())
            histories[port] = std::move(parting);
    }
    return histories;
}

// The right classes of both, if they are of the same samples, and the store has them.
std::optional<std::vector<std::int64_t>> labels_for(const Side& first, const Side& second, const std::string& port,
                                                    std::int64_t classes, Store& store, ContentMakers& makers) {
    const KeyPart *a = find_part(first.header.recipe, "input " + port), *b = find_part(second.header.recipe, "input " + port);
    if (a == nullptr || b == nullptr || a->value != b->value) return std::nullopt;
    const auto content = Digest::from_hex(a->value);
    if (!content || makers.of(*content).empty()) return std::nullopt;
    const auto& [key, of_port] = makers.of(*content).front();
    const auto made = store.load(key);
    return made ? labels_of(made->outputs.at(of_port).at(""), classes) : std::nullopt;
}

// How many samples have another answer; and, where the right ones are known, whether one of the two is better.
Json predictions_json(const Side& first, const Side& second, const StageDescription& stage, Store& store,
                      ContentMakers& makers) {
    const std::string port = port_of(stage.outputs, PortRole::Predictions),
                      labels_port = port_of(stage.inputs, PortRole::Labels);
    const Array *a = array_in(first, port, ""), *b = array_in(second, port, "");
    const auto answers = a != nullptr ? answers_of(*a) : std::nullopt, others = b != nullptr ? answers_of(*b) : std::nullopt;
    if (!answers || !others || answers->answer.size() != others->answer.size() || answers->classes != others->classes)
        return nullptr;
    Json flipped = Json::array();
    for (std::size_t i = 0; i < answers->answer.size(); ++i)
        if (answers->answer[i] != others->answer[i]) flipped.push_back(i);
    Json json = {{"samples", answers->answer.size()}, {"flipped", std::move(flipped)}};
    const auto labels = labels_for(first, second, labels_port, answers->classes, store, makers);
    if (!labels || labels->size() != answers->answer.size()) return json;
    const McNemar test = mcnemar(*answers, *others, *labels);
    json["right_only_in_a"] = test.only_first;
    json["right_only_in_b"] = test.only_second;
    json["p_value"] = test.p_value;
    return json;
}

Json side_json(const Side& side) {
    return {{"stage", side.found.stage.empty() ? Json() : Json(side.found.stage)},
            {"key", side.header.key.hex()},
            {"path", side.found.path.string()}};
}

// Of the kind of stage that both are of, if a library has it.
Json predictions_of(const Side& first, const Side& second, const Catalog& catalog, Store& store, ContentMakers& makers) {
    const KeyPart* const kind = find_part(first.header.recipe, "kind");
    const CatalogEntry* const entry = kind != nullptr ? catalog.find(kind->value) : nullptr;
    return entry != nullptr ? predictions_json(first, second, entry->description, store, makers) : Json();
}

Json document_of(const Side& first, const Side& second, const Catalog& catalog, OpenStore& open) {
    ContentMakers makers(open);
    Json json = {{"a", side_json(first)}, {"b", side_json(second)}, {"equal", true}, {"causes", Json::array()}};
    for (const DiffCause& cause : causes_of(first.header.recipe, second.header.recipe, open, makers))
        json["causes"].push_back(
            {{"stage", cause.stage}, {"key", cause.key.hex()}, {"part", cause.part}, {"text", cause.text}});
    json["tensors"] = tensors_json(first, second);
    const bool whole = first.found.tensor.empty();
    json["metrics"] = whole ? metrics_json(first, second) : Json::object();
    json["history"] = whole ? histories_json(first, second) : Json::object();
    json["predictions"] = whole ? predictions_of(first, second, catalog, open.store(), makers) : Json();
    json["equal"] = whole ? first.header.port_digests == second.header.port_digests
                          : std::ranges::all_of(json["tensors"], [](const Json& tensor) { return tensor["equal"] == true; });
    return json;
}

// ---- in words ----

std::string number(const Json& value) {
    return value.is_number() ? fmt::format("{:.3g}", value.get<double>()) : "nan";
}

void print_causes(const Json& causes) {
    if (causes.empty()) return;
    fmt::print("\nWhy\n");
    for (const Json& cause : causes)
        fmt::print("{}\n", wrapped_lines(fmt::format("  {}: {}", printable(cause["stage"].get<std::string>()),
                                                     cause["text"].get<std::string>()),
                                         stdout_columns(), 4));
}

void print_tensors(const Json& tensors, bool all) {
    Table table{.title = "Tensors",
                .columns = {"tensor", "differing", "max", "mean", "relative", "cosine"},
                .rows = {},
                .notes = {}};
    std::size_t equal = 0;
    for (const Json& tensor : tensors) {
        const auto name = tensor["tensor"].get<std::string>();
        if (tensor["equal"] == true) {
            ++equal;
            continue;
        }
        if (!tensor.contains("elements")) {
            const auto type = [&](const char* side) {
                return tensor[side].is_null() ? "none" : tensor[side].get<std::string>();
            };
            table.rows.push_back({name, fmt::format("{} -> {}", type("a"), type("b")), "", "", "", ""});
            continue;
        }
        table.rows.push_back(
            {name, fmt::format("{} of {}", tensor["differing"].get<std::int64_t>(), tensor["elements"].get<std::int64_t>()),
             number(tensor["max"]), number(tensor["mean"]), number(tensor["max_relative"]),
             tensor["cosine"].is_number() ? fmt::format("{:.6f}", tensor["cosine"].get<double>()) : "nan"});
    }
    if (tensors.empty()) return;
    if (table.rows.empty()) {
        fmt::print("\nall {} tensors are equal\n", tensors.size());
        return;
    }
    if (!all && table.rows.size() > kTensorsShown) {
        table.notes.push_back(fmt::format("{} more differ: --all", table.rows.size() - kTensorsShown));
        table.rows.resize(kTensorsShown);
    }
    if (equal > 0) table.notes.push_back(fmt::format("{} of {} tensors are equal", equal, tensors.size()));
    fmt::print("\n{}", table_text(table, stdout_columns()));
}

void print_metrics(const Json& metrics, bool all) {
    Table table{.title = "Metrics", .columns = {"metric", "a", "b", "b - a"}, .rows = {}, .notes = {}};
    std::size_t equal = 0;
    for (const auto& [name, row] : metrics.items()) {
        const auto text = [&](const char* side) {
            return row[side].is_number() ? metric_text(row[side].get<double>()) : "";
        };
        const bool both = row["a"].is_number() && row["b"].is_number();
        if (row["a"] == row["b"]) ++equal;
        if (row["a"] == row["b"] && !all) continue;
        table.rows.push_back({name, text("a"), text("b"),
                              both ? fmt::format("{:+.4g}", row["b"].get<double>() - row["a"].get<double>()) : ""});
    }
    if (table.rows.empty()) return;
    if (equal > 0 && !all) table.notes.push_back(fmt::format("{} of {} metrics are equal", equal, metrics.size()));
    fmt::print("\n{}", table_text(table, stdout_columns()));
}

void print_histories(const Json& histories) {
    for (const auto& [port, parting] : histories.items()) {
        const auto epoch = parting["epoch"].get<std::size_t>();
        std::string text = epoch == 1 ? fmt::format("{}: different from the first epoch on", port)
                                      : fmt::format("{}: equal up to epoch {}, then different", port, epoch - 1);
        std::string columns;
        for (const auto& [name, values] : parting["columns"].items())
            columns +=
                fmt::format("{} {} {} -> {}", columns.empty() ? "" : ",", name, number(values["a"]), number(values["b"]));
        if (!columns.empty())
            text += fmt::format(":{}", columns);
        else
            text += fmt::format(": {} and {} epochs", parting["epochs"][0].get<std::size_t>(),
                                parting["epochs"][1].get<std::size_t>());
        fmt::print("\n{}\n", wrapped_lines(printable(text), stdout_columns(), 2));
    }
}

void print_predictions(const Json& predictions) {
    if (predictions.is_null()) return;
    const Json& flipped = predictions["flipped"];
    std::string text =
        fmt::format("{} of {} samples have another class", flipped.size(), predictions["samples"].get<std::size_t>());
    for (std::size_t i = 0; i < std::min(flipped.size(), kSamplesShown); ++i)
        text += fmt::format("{}{}", i == 0 ? ": " : ", ", flipped[i].get<std::size_t>());
    if (flipped.size() > kSamplesShown) text += ", ...";
    if (predictions.contains("p_value"))
        text += fmt::format(
            "\nright only in a: {}, only in b: {}; McNemar's test: p = {:.3g}, so {}",
            predictions["right_only_in_a"].get<std::int64_t>(), predictions["right_only_in_b"].get<std::int64_t>(),
            predictions["p_value"].get<double>(),
            predictions["p_value"].get<double>() < 0.05 ? "they differ by more than chance" : "they cannot be told apart");
    fmt::print("\n{}\n", wrapped_lines(text, stdout_columns(), 2));
}

void print_document(const Json& json, const Side& first, const Side& second, bool all) {
    fmt::print("a: {}\nb: {}\n", printable(first.name()), printable(second.name()));
    print_causes(json["causes"]);
    if (json["equal"] == true) {
        fmt::print("\nthe two are equal\n");
        return;
    }
    print_tensors(json["tensors"], all);
    print_metrics(json["metrics"], all);
    print_histories(json["history"]);
    print_predictions(json["predictions"]);
}

// The first of the samples whose class differs, as pictures: the number, a's class -> b's class.
std::string flipped_pictures(const Side& first, const Side& second, const Json& flipped, int count, const Catalog& catalog, OpenStore& open,
                             const std::vector<LinkedStage>& linked) {
    const StageDescription& stage = catalog.find(find_part(first.header.recipe, "kind")->value)->description;
    const std::string port = port_of(stage.outputs, PortRole::Predictions);
    const auto a = answers_of(*array_in(first, port, "")), b = answers_of(*array_in(second, port, ""));
    ProvenanceReader provenance(open, catalog, linked);
    const std::vector<std::string> names = class_names(provenance.of(first.header), a->classes);
    const auto name = [&](std::int64_t number) {
        return names.empty() ? std::to_string(number) : printable(names[static_cast<std::size_t>(number)]);
    };
    std::vector<std::int64_t> numbers;
    std::vector<std::string> captions;
    for (std::size_t i = 0; i < std::min(flipped.size(), static_cast<std::size_t>(count)); ++i) {
        const auto sample = flipped[i].get<std::size_t>();
        numbers.push_back(static_cast<std::int64_t>(sample));
        captions.push_back(fmt::format("{}: {} -> {}", sample, name(a->answer[sample]), name(b->answer[sample])));
    }
    const auto samples = samples_read(first.header.recipe, stage, numbers, open, provenance);
    const std::string text = samples ? pictures_text(*samples, captions, drawing_on_stdout(), stdout_columns()) : "";
    if (text.empty() && !numbers.empty()) return "the samples are no pictures, or in no artifact of the store\n";
    return text.empty() ? "" : fmt::format("below each picture: its number, a's class -> b's class\n{}", text);
}

ExitCode diff(const DiffOptions& options) {
    if (options.what.size() > 2)
        throw Error(ExitCode::Usage, fmt::format("diff compares two artifacts, not {}", options.what.size()),
                    "for example: satdl diff m2 m3");
    if (options.json && options.images > 0)
        throw Error(ExitCode::Usage, "--images cannot be combined with --json", "leave one of them out");
    check_named_store(options.store);
    OpenStore open(options.store.store, Access::ReadOnly);
    ArtifactReferences references(options.store, options.dag_name, open);
    ArtifactRef now = references.find(options.what.back());
    if (options.what.size() == 1 && now.stage.empty())
        throw Error(ExitCode::Usage, "only a stage can be compared with what it was before", "name two: satdl diff A B");
    ArtifactRef before = options.what.size() == 2 ? references.find(options.what.front()) : earlier(now, open);
    if (before.tensor != now.tensor)
        throw Error(ExitCode::Usage,
                    fmt::format("'{}' and '{}' name different parts of their artifacts", printable(options.what.front()),
                                printable(options.what.back())),
                    "compare artifacts, or the same tensor of both");
    const Side first = opened(std::move(before), open.files()), second = opened(std::move(now), open.files());
    const Catalog catalog = first.found.tensor.empty() ? load_catalog(program_folder(), options.libraries) : Catalog();
    const Json json = document_of(first, second, catalog, open);
    if (!first.found.tensor.empty() && json["tensors"].empty())
        throw Error(ExitCode::Usage, fmt::format("neither artifact has a tensor '{}'", printable(first.found.tensor)),
                    "`satdl show` lists them");
    if (options.json)
        fmt::print("{}\n", dump_json(json));
    else
        print_document(json, first, second, options.all);
    if (options.images > 0) {
        if (json["predictions"].is_null())
            throw Error(ExitCode::Usage,
                        "--images draws samples whose predicted class differs, and these are no predictions of the same samples",
                        "for example: satdl diff evaluate_m2@test evaluate_m3@test --images 8");
        const auto linked = references.results() ? references.results()->stages() : std::vector<LinkedStage>();
        fmt::print("{}", flipped_pictures(first, second, json["predictions"]["flipped"], options.images, catalog, open, linked));
    }
    return json["equal"] == true ? ExitCode::Done : ExitCode::StageFailed;
}

}  // namespace

void add_diff_command(Command& program) {
    program.add_command<DiffOptions>(
        "diff", "compare two artifacts: why they differ, and how",
        "Examples:\n"
        "  satdl diff m1                             m1 as it was before, and as it is now\n"
        "  satdl diff m2 m3                          two stages\n"
        "  satdl diff 20261124T031731:m1 m1          that of an earlier run (satdl log)\n"
        "  satdl diff 'm1[seed=1]' 'm1[seed=2]'      two points of a sweep\n"
        "  satdl diff m2/model m3/model              one port or tensor of both\n"
        "  satdl diff evaluate_m2 evaluate_m3 --images 8   and draw samples that they take for different classes\n"
        "The exit code is 0 if they are equal and 1 if not, as of diff and cmp.",
        [](Command& command, DiffOptions& options) {
            command
                .add_option("what", options.what,
                            "two of STAGE, STAGE/PORT, STAGE/PORT/NAME, RUN:STAGE, a file, a key; or one stage")
                .required()
                .type_name("WHAT");
            command
                .add_option("--dag", options.dag_name, "the name of a DAG that ran before; default: the one that ran last")
                .type_name("NAME");
            command.add_flag("-a,--all", options.all, "every tensor that differs, and equal metrics, too");
            command.add_option("--images", options.images, "draw the first N samples that have another predicted class")
                .in_range(1, 10000)
                .type_name("N");
            command.add_flag("--json", options.json, "print the result as JSON (docs/json.md)");
            add_stages_option(command, options.libraries);
            add_store_options(command, options.store);
        },
        diff);
}

}  // namespace satdl
