// The points of a sweep: the product of its axes, changed by the `sweep:` section of a DAG file.
//
//   sweep: {noise_factor: [0.1, 0.2]}                    # the same as matrix alone
//   sweep:
//     matrix:  {noise_factor: [0.1, 0.2], epochs: [5, 20]}
//     exclude: [{noise_factor: 0.1, epochs: 20}]         # removes these points of the matrix
//     include: [{noise_factor: 0.4, epochs: 50}]         # changes the points that it matches, else adds a point
//     repeat:  [seed]                                    # as --repeat
//
// `include` is that of GitHub Actions' strategy.matrix: an entry matches the points with which it agrees on the axes of the matrix, and
// adds its other settings to them; if it matches none, it becomes a point of its own.
#pragma once

#include <optional>
#include <vector>

#include "pipeline/sweep/sweep_axis.h"

namespace satdl {

inline constexpr std::size_t kMaxPoints = 10'000;  // of one sweep

struct SweepDesign {
    struct Point {
        std::vector<std::optional<std::size_t>> at;  // by axis: which of its values; nullopt: not set, the parameter keeps its value
        Place place{};                               // of the `include` that adds it
    };
    std::vector<SweepAxis> axes;
    std::vector<Point> points;
    std::optional<std::vector<ConfigValue>> repeat{};  // names, for mark_repetitions(); nullopt if absent
};

// In declared order, the last axis fastest. Throws Error{Usage} if a parameter is swept twice, or for more than kMaxPoints points (before
// making any).
[[nodiscard]] SweepDesign product_of(std::vector<SweepAxis> axes);
// Every point of one with every point of the other; throws as product_of().
[[nodiscard]] SweepDesign product_of(const SweepDesign& slow, const SweepDesign& fast);

// The section `sweep:`. Throws Error{Usage} with all mistakes that can be found without the parameters.
[[nodiscard]] SweepDesign design_from_yaml(const ConfigValue& section);

}  // namespace satdl
