#include "commands/inspect/provenance.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "pipeline/core/json_reader.h"
#include "pipeline/display/text_format.h"
#include "pipeline/records/recorded_dag.h"

namespace satdl {

namespace {

constexpr std::string_view kParamPart = "param ", kInputPart = "input ", kFilePart = "file ";
constexpr int kLongestValue = 60;
constexpr std::ptrdiff_t kFewParams = 5;  // are all worth their room

std::string kind_in(const Recipe& recipe) {
    const KeyPart* const kind = find_part(recipe, "kind");
    return kind == nullptr ? "" : kind->value;
}

// Canonical JSON as people write it in YAML: a text without quotes, a network by its number of layers.
std::string value_text(const std::string& canonical) {
    const auto value = parse_json(canonical);
    if (!value) return fitted(printable(canonical), kLongestValue);
    if (value->is_scalar()) return fitted(printable(value->text()), kLongestValue);
    const bool is_network = value->is_list() && !value->items().empty() && value->items().front().is_map();
    if (is_network) return fmt::format("{} layer{}", value->items().size(), value->items().size() == 1 ? "" : "s");
    return fitted(printable(canonical), kLongestValue);
}

bool is_default(const ParamDescription& param, const std::string& canonical) {
    if (!param.fallback) return false;
    if (canonical == *param.fallback || canonical == fmt::format("\"{}\"", *param.fallback)) return true;
    const auto number = ConfigValue::scalar(*param.fallback).as_number();  // "1e-7" for 1e-07
    return number && canonical == canonical_number(*number);
}

}  // namespace

StageSettings settings_of(const Recipe& recipe, const Catalog& catalog, const StageFacts* recorded) {
    const CatalogEntry* const entry = catalog.find(kind_in(recipe));
    StageSettings settings;
    if (entry != nullptr && recorded != nullptr) {
        for (const ParamDescription& param : entry->description.params) {
            const bool is_source =
                param.type == ParamType::Dataset || param.type == ParamType::File || param.type == ParamType::Folder;
            const auto value = recorded->params.find(param.name);
            if (is_source && value != recorded->params.end() && value->is_string())
                settings.emplace_back(param.name, printable(value->get<std::string>()));
        }
    }
    const auto params = std::ranges::count_if(recipe, [](const KeyPart& part) { return part.name.starts_with(kParamPart); });
    for (const KeyPart& part : recipe) {
        if (!part.name.starts_with(kParamPart)) continue;
        const std::string name = part.name.substr(kParamPart.size());
        const ParamDescription* const param = entry != nullptr ? entry->description.param(name) : nullptr;
        if (part.value == "null" || (params > kFewParams && param != nullptr && is_default(*param, part.value))) continue;
        settings.emplace_back(name, value_text(part.value));
    }
    return settings;
}

std::string text_of(const StageSettings& settings) {
    std::string text;
    for (const auto& [name, value] : settings) text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, value);
    return text;
}

const LinkedStage* ProvenanceReader::linked(const Digest& key) const {
    const auto found =
        std::ranges::find_if(linked_, [&](const LinkedStage& one) { return one.header && one.header->key == key; });
    return found == linked_.end() ? nullptr : &*found;
}

const StageFacts* ProvenanceReader::recorded(const Digest& key) {
    for (const auto& [id, facts] : runs_) {
        const auto stage = std::ranges::find_if(facts.stages, [&](const StageFacts& one) { return one.key == key; });
        if (stage != facts.stages.end() && !stage->kind.empty()) return &*stage;
    }
    const auto found = find_recorded_stages(open_.folder(), {key}, open_.files());
    if (found.empty()) return nullptr;
    const auto& [run, stage] = found.begin()->second;
    const auto facts = runs_.try_emplace(run, facts_of_run(open_.folder(), run, open_.files())).first;
    return facts->second.find(stage);
}

std::optional<ContentMakers::Maker> ProvenanceReader::maker_of(const Digest& content, const std::string& from) {
    const std::vector<ContentMakers::Maker>& makers = makers_.of(content);
    if (makers.empty()) return std::nullopt;
    const auto has_name = [&](const ContentMakers::Maker& maker) {
        const LinkedStage* const stage = linked(maker.first);
        return stage != nullptr && (from.empty() || from == fmt::format("{}.{}", stage->name, maker.second));
    };
    if (const auto named = std::ranges::find_if(makers, has_name); named != makers.end()) return *named;
    for (const ContentMakers::Maker& maker : makers) {
        const StageFacts* const facts = makers.size() > 1 && !from.empty() ? recorded(maker.first) : nullptr;
        if (facts != nullptr && from == fmt::format("{}.{}", facts->name, maker.second)) return maker;
    }
    return makers.front();
}

Provenance ProvenanceReader::of(const ArtifactHeader& header) {
    Provenance all;
    places_.clear();
    add(header, all);
    return all;
}

std::size_t ProvenanceReader::add(const ArtifactHeader& header, Provenance& all) {
    const std::size_t place = all.nodes.size();
    places_.emplace(header.key, place);
    all.nodes.push_back({.key = header.key,
                         .stage = {},
                         .kind = kind_in(header.recipe),
                         .settings = {},
                         .files = {},
                         .inputs = {},
                         .tables = header.tables});
    std::map<std::string, std::string> origins;
    {
        ProvenanceNode& node = all.nodes.back();
        const LinkedStage* const link = linked(header.key);
        const StageFacts* const facts = recorded(header.key);
        node.stage = link != nullptr ? link->name : facts != nullptr ? facts->name : node.kind;
        node.settings = settings_of(header.recipe, catalog_, facts);
        if (link != nullptr)
            origins = link->origins;
        else if (facts != nullptr)
            for (const Reads& input : facts->inputs)
                origins.emplace(input.port, fmt::format("{}.{}", input.from, input.from_port));
        for (const KeyPart& part : header.recipe)
            if (part.name.starts_with(kFilePart)) node.files.emplace_back(part.name.substr(kFilePart.size()), part.value);
    }
    std::vector<ProvenanceNode::Input> inputs;
    for (const KeyPart& part : header.recipe) {
        if (!part.name.starts_with(kInputPart)) continue;
        ProvenanceNode::Input input{part.name.substr(kInputPart.size()), part.value, {}};
        const auto content = Digest::from_hex(part.value);
        const auto maker = content ? maker_of(*content, origins[input.port]) : std::nullopt;
        const auto made = maker ? open_.store().header(maker->first) : std::nullopt;
        if (made) {
            const auto known = places_.find(made->key);
            input.node = known != places_.end() ? known->second : add(*made, all);
            input.from = fmt::format("{}.{}", all.nodes[*input.node].stage, maker->second);
        }
        inputs.push_back(std::move(input));
    }
    all.nodes[place].inputs = std::move(inputs);
    return place;
}

namespace {

class Tree {
public:
    Tree(const Provenance& provenance, std::optional<int> width) : nodes_(provenance.nodes), width_(width) {}

    std::string text() {
        add_line("", described(nodes_.front().stage, nodes_.front()));
        add_branches(0, "");
        return text_;
    }

private:
    static std::string described(const std::string& name, const ProvenanceNode& node) {
        const std::string settings = text_of(node.settings);
        return fmt::format("{}  {}{}{}", printable(name), printable(node.kind), settings.empty() ? "" : ": ", settings);
    }

    void add_line(const std::string& lead, const std::string& rest) {
        const std::string line = lead + rest;
        text_ += (width_ ? fitted(line, *width_) : line) + '\n';
    }

    void add_branches(std::size_t at, const std::string& lead) {
        const ProvenanceNode& node = nodes_[at];
        std::size_t left = node.inputs.size() + node.files.size();
        const auto branch = [&] { return --left == 0 ? "└─ " : "├─ "; };
        for (const auto& [role, digest] : node.files)
            add_line(lead + branch(), fmt::format("file {}  sha256 {}…", printable(role), digest.substr(0, 12)));
        for (const auto& input : node.inputs) {
            const std::string line = lead + branch() + printable(input.port) + ": ";
            if (!input.node) {
                add_line(line, fmt::format("content {}…, in no artifact of the store", input.content.substr(0, 12)));
            } else if (!drawn_.insert(*input.node).second) {
                add_line(line, printable(input.from) + ", as above");
            } else {
                add_line(line, described(input.from, nodes_[*input.node]));
                add_branches(*input.node, lead + (left == 0 ? "   " : "│  "));
            }
        }
    }

    const std::vector<ProvenanceNode>& nodes_;
    const std::optional<int> width_;
    std::string text_;
    std::set<std::size_t> drawn_{0};
};

}  // namespace

std::string provenance_text(const Provenance& provenance, std::optional<int> width) {
    return Tree(provenance, width).text();
}

Json provenance_json(const Provenance& provenance) {
    Json nodes = Json::array();
    for (const ProvenanceNode& node : provenance.nodes) {
        Json settings = Json::object(), files = Json::object(), inputs = Json::array();
        for (const auto& [name, value] : node.settings) settings[name] = value;
        for (const auto& [role, digest] : node.files) files[role] = digest;
        for (const auto& input : node.inputs)
            inputs.push_back({{"port", input.port},
                              {"content", input.content},
                              {"from", input.node ? Json(input.from) : Json()},
                              {"key", input.node ? Json(provenance.nodes[*input.node].key.hex()) : Json()}});
        nodes.push_back({{"stage", node.stage},
                         {"key", node.key.hex()},
                         {"kind", node.kind},
                         {"set", std::move(settings)},
                         {"files", std::move(files)},
                         {"inputs", std::move(inputs)}});
    }
    return nodes;
}

}  // namespace satdl
