// What the command line and `sweep:` say of points: the first line an override, the rest the section.
#include "pipeline/sweep/sweep.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/small_catalog.h"

using namespace satdl;

namespace {

constexpr std::size_t kFewPoints = 12;  // beyond, laying DAGs over each other takes the time of many inputs
constexpr const char* kDag = R"(
params: {noise: 0.4, seed: 1, epochs: 2, deep: {x: 1}}
stages:
  mnist: {kind: load, dataset: mnist, limit: 7}
  unit: {kind: normalise, in: {images: mnist.images}}
  noisy: {kind: add_noise, in: {images: unit.images}, noise_factor: "${noise}", seed: "${seed}"}
  other: {kind: add_noise, in: {images: unit.images}, noise_factor: "${deep.x}"}
)";

void lay_out(SweepDesign design) {
    static const Catalog catalog = small_catalog();
    static const DatasetIndex datasets({std::filesystem::path(SATDL_SOURCE_DIR) / "data"});
    static const DagSource source("fuzz.yaml", fuzz::yaml("fuzz.yaml", kDag));
    mark_repetitions(design.axes, design.repeat);
    if (design.points.size() > kFewPoints) return;
    const Sweep sweep = make_sweep(source, {}, design, catalog, datasets);
    for (const SweepPoint& point : sweep.points) {
        for (const NodeId node : point.nodes)
            if (node >= sweep.dag.nodes.size()) std::abort();
    }
}

}  // namespace

SATDL_FUZZER(text) {
    const std::size_t end = text.find('\n');
    const std::string line(text.substr(0, end));
    const std::string section(end == std::string_view::npos ? "" : text.substr(end + 1));
    fuzz::expect_result_or_error([&] { lay_out(product_of({axis_of(parse_override(line, "--sweep"))})); });
    fuzz::expect_result_or_error([&] {
        if (is_override(line)) (void)setting_of(parse_override(line, "--set"));
    });
    if (!section.empty()) fuzz::expect_result_or_error([&] { lay_out(design_from_yaml(fuzz::yaml("sweep", section))); });
}
