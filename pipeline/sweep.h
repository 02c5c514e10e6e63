// Sweeps: many settings of one DAG, laid over each other so that what they share runs once, by construction.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/dag_yaml.h"

namespace satdl {

// One swept parameter, in the order given: noise_factor -> 0.1, 0.2, 0.4.
struct SweepAxis {
    std::string name;
    std::vector<Value> values;
};

// "noise_factor=0.1,0.2,0.4" or "noise_factor=range(0.1,0.6,0.1)" (stop excluded, steps in decimal: exactly 0.1 ... 0.5; also
// range(n), range(a,b)); values may be mixed: "a=1,range(2,5)". Throws Error{Usage}: an empty range, a step of zero or of the
// wrong sign, over 10,000 values.
[[nodiscard]] SweepAxis parse_axis(const std::string& text);
// The `sweep:` section of the file: a map from parameter to a list, or to the text that --sweep takes.
[[nodiscard]] std::vector<SweepAxis> axes_from_yaml(const Value& section);

struct SweepPoint {
    std::vector<std::pair<std::string, std::string>> values;  // parameter -> canonical text, in the order of the axes
    std::vector<NodeId> nodes;                                // of the merged DAG: this point's, in the order of the single DAG
    std::vector<std::string> names;                           // of these nodes in the single DAG ("m1")
};

struct Sweep {
    std::vector<SweepAxis> axes;
    std::vector<SweepPoint> points;
    Dag dag;  // nodes with equal recipes are one node
};

// The product of the axes in declared order, the last axis fastest. Throws Error{Usage}: an unknown parameter (did you mean),
// one that is swept twice, over 10,000 points; and what DagSource::build throws, naming the point.
[[nodiscard]] Sweep make_sweep(const DagSource& source, const Settings& settings, const std::vector<SweepAxis>& axes,
                               const Catalog& catalog, const DatasetIndex& datasets);

}  // namespace satdl
