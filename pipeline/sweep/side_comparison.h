// Several sides (runs, or settings of a sweep) beside each other: each with its repetitions as mean and standard deviation,
// and its difference from the first side.
//
// A difference is paired: repetition by repetition (the same seeds on both sides), since what both sides have in common for
// a seed cancels. As in a sweep's own table (sweep_summary.h), copies count once: n is the number of artifacts, or of pairs
// of artifacts, not of points.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/sweep/mean_interval.h"

namespace satdl {

struct ComparedPoint {
    std::string repetition;  // what tells it from the other points of its side: "seed=1"; "" if it is the only one
    std::map<std::string, double> metrics;  // by column: "compare.p"
    std::map<std::string, std::string>
        artifacts;  // by column: the key that the number comes from; a missing one is one of its own
};

struct MetricComparison {
    struct Difference {
        Sample sample;                     // of the pairs; n = 0: no repetition is on both sides
        std::optional<Interval> interval;  // 95 %
    };
    std::string metric;
    std::vector<Sample> sides;            // n = 0: the side has no such metric
    std::vector<Difference> differences;  // of the second side from the first, of the third, ...
};

// Of these metrics, in their order. Two sides of one point each are paired, whatever their repetitions are called.
[[nodiscard]] std::vector<MetricComparison> compare_sides(const std::vector<std::vector<ComparedPoint>>& sides,
                                                          const std::vector<std::string>& metrics);

}  // namespace satdl
