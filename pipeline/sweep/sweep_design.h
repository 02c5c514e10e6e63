// Which points a sweep has: the product of its axes, and what the `sweep:` section of a DAG file makes of it.
//
//   sweep: {noise_factor: [0.1, 0.2]}                    # short for matrix alone
//   sweep:
//     matrix:  {noise_factor: [0.1, 0.2], epochs: [5, 20]}
//     exclude: [{noise_factor: 0.1, epochs: 20}]         # these points of the matrix are left out
//     include: [{noise_factor: 0.4, epochs: 50}]         # laid over the points that it fits, else a point of its own
//     repeat:  [seed]                                    # as --repeat
//
// `include` is that of GitHub Actions' strategy.matrix: an entry fits the points of the matrix of which it changes no value of the
// matrix's own axes, and adds the rest of its settings to them; where it fits none it is a further point.
#pragma once

#include <optional>
#include <vector>

#include "pipeline/sweep/sweep_axis.h"

namespace satdl {

inline constexpr std::size_t kMaxPoints = 10'000;  // of one sweep

struct SweepDesign {
    struct Point {
        std::vector<std::optional<std::size_t>> at;  // by axis: which of its values; nothing: what the parameter has without it
        Place place{};                               // of the `include` that adds it
    };
    std::vector<SweepAxis> axes;
    std::vector<Point> points;
    std::optional<std::vector<ConfigValue>> repeat{};  // names, for mark_repetitions(); nothing: not said
};

// In declared order, the last axis fastest. Throws Error{Usage}: a parameter that is swept twice, over kMaxPoints points (told
// before any is made).
[[nodiscard]] SweepDesign product_of(std::vector<SweepAxis> axes);
// Every point of one with every point of the other; throws as product_of().
[[nodiscard]] SweepDesign product_of(const SweepDesign& slow, const SweepDesign& fast);

// The section `sweep:`. Throws Error{Usage} with all its mistakes but those that need the parameters.
[[nodiscard]] SweepDesign design_from_yaml(const ConfigValue& section);

}  // namespace satdl
