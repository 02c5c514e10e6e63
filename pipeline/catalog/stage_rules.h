// The rules that a stage's description states about its ports, parsed; and whether a description is consistent, which
// the build checks when it writes a library's manifest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/stage.h"

namespace satdl {

// PortDescription::shape, parsed.
struct ShapeRule {
    enum class Kind { Any, Pattern, Network, Dataset, File };
    struct Extent {
        std::optional<std::int64_t> number{};
        std::string name{};  // "": a number, or `_`
    };

    Kind kind = Kind::Any;
    std::vector<Extent> extents{};  // Pattern
    bool open = false;            // Pattern: ends in `...`
    std::string rest{};             // Pattern: S of `...S`
    std::string net{};              // Network: a parameter or a model port
    std::string input{};            // Network: the port that it reads
    std::string layer{};            // Network: the parameter that names the layer; or ""
    std::string role{};             // Dataset
    std::string file{};             // File: the parameter
    bool rows_alone = false;        // File: only as many rows
};

// nullopt if the text is not a rule.
[[nodiscard]] std::optional<ShapeRule> parse_shape_rule(std::string_view text);

// Of ports, in their order.
[[nodiscard]] std::vector<std::string> names_of(const std::vector<PortDescription>& ports);

// The keys of a stage's map in a DAG file that are not parameters: kind, in, about, and those of its execution policy.
[[nodiscard]] std::vector<std::string_view> stage_keys();
[[nodiscard]] bool is_stage_key(std::string_view key);

// The message about what is wrong with a description: duplicate or invalid names, rules that name what does not exist, defaults that
// are not among the choices. nullopt if it is valid.
[[nodiscard]] std::optional<std::string> fault_of(const StageDescription& description);

}  // namespace satdl
