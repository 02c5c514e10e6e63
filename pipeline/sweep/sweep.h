// Sweeps: many settings of one DAG, merged so that what they share runs once.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/dag_file/dag_source.h"
#include "pipeline/sweep/sweep_design.h"

namespace satdl {

struct SweepPoint {
    std::vector<std::pair<std::string, std::string>> values;  // parameter -> its text, in the order of the axes
    std::vector<NodeId> nodes;       // of the merged DAG: this point's, in the order of the single DAG
    std::vector<std::string> names;  // of these nodes in the single DAG ("m1")
};

struct Sweep {
    std::vector<SweepAxis> axes;  // with every value that occurs in a point
    std::vector<SweepPoint> points;
    // Nodes with the same name and equal recipes are one node. It has the plain name if all points share it, else it is
    // "m1[noise_factor=0.1]", with the parameters that it varies with, and "m1" is the group of all of them.
    Dag dag;
};

// By node of the merged DAG: its point, if it belongs to only one.
[[nodiscard]] std::vector<std::optional<std::size_t>> only_points(const Sweep& sweep);

// Sets SweepAxis::repeats of the axes whose values only ever become the parameter `seed` of stages, whatever the axis is called.
void mark_seeds(Sweep& sweep);
// Sets SweepAxis::unused of the axes that change none of the nodes for which `runs` holds, as far as the points show.
void mark_unused_axes(Sweep& sweep, const std::function<bool(NodeId)>& runs);

// The points of `design`, in its order; a parameter that a point does not set has its value from `settings`. Throws Error{Usage}: an
// unknown parameter (did you mean), two equal points, also by what their stages make of them; and what DagSource::build throws, with the
// point.
[[nodiscard]] Sweep make_sweep(const DagSource& source, const Settings& settings, const SweepDesign& design,
                               const Catalog& catalog, const DatasetIndex& datasets,
                               const ArrayTypeReader& array_type = array_type_of_file);

}  // namespace satdl
