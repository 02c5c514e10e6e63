// An output with a port of every kind, its description and its recipe; small enough to damage byte by byte.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "pipeline/stage.h"
#include "pipeline/store/recipe.h"

namespace satdl::test {

inline StageDescription sample_description() {
    StageDescription description;
    description.kind = "sample";
    const auto add = [&](const char* name, PortKind kind) {
        PortDescription port;
        port.name = name;
        port.kind = kind;
        description.outputs.push_back(port);
    };
    add("images", PortKind::Array);
    add("nothing", PortKind::Array);
    add("scalar", PortKind::Array);
    add("model", PortKind::Model);
    add("metrics", PortKind::Metrics);
    add("history", PortKind::History);
    return description;
}

inline Recipe sample_recipe(int number = 0) {
    return {{"kind", "sample"}, {"version", "1"}, {"param number", std::to_string(number)}};
}

inline Digest sample_key(int number = 0) { return key_of(sample_recipe(number)); }

template <typename T>
Array array_of(Shape shape, std::vector<T> values) {
    return Array::of<T>(std::move(shape), std::span<const T>(values));
}

inline StageOutput sample_outcome(float first = 1.5F) {
    const std::string architecture = R"([{"conv":32}])";
    StageOutput outcome;
    outcome.outputs["images"][""] = array_of<float>({2, 3}, {first, 2, 3, 4, 5, 6});
    outcome.outputs["nothing"][""] = array_of<float>({0, 28}, {});
    outcome.outputs["scalar"][""] = array_of<std::int64_t>({}, {-7});
    const std::vector<std::uint8_t> text(architecture.begin(), architecture.end());
    outcome.outputs["model"]["architecture"] = array_of<std::uint8_t>({static_cast<std::int64_t>(text.size())}, text);
    outcome.outputs["model"]["conv_1.weight"] = array_of<float>({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
    outcome.outputs["metrics"]["accuracy"] = array_of<double>({1}, {0.1});
    outcome.outputs["metrics"]["loss"] = array_of<double>({1}, {std::nan("")});
    outcome.outputs["history"] = {{"loss", array_of<double>({3}, {3, 2, 1})}};
    outcome.tables.push_back({"P and P0", {"model", "accuracy"}, {{"M2", "88 %"}, {"M3", "größer"}}, {"a note"}});
    return outcome;
}

inline bool equal(const StageOutput& one, const StageOutput& other) {
    if (port_digests(one) != port_digests(other) || one.tables.size() != other.tables.size()) return false;
    for (std::size_t i = 0; i < one.tables.size(); ++i) {
        if (one.tables[i].title != other.tables[i].title || one.tables[i].rows != other.tables[i].rows) return false;
    }
    return true;
}

}  // namespace satdl::test
