#include "pipeline/plan/disk_space.h"

#include <catch2/catch.hpp>
#include <limits>

#include "pipeline/network/network_parser.h"
#include "pipeline/plan/machine.h"
#include "pipeline/store/memory_store.h"
#include "pipeline/yaml/yaml_parser.h"
#include "tests/support/text_file_system.h"
#include "tests/support/tiny_stages.h"

using namespace satdl;
using namespace satdl::test;

namespace {

PortType array_type(DType dtype, Shape shape) {
    PortType type;
    type.dtype = dtype;
    type.shape = std::move(shape);
    return type;
}

class Disk final : public TextFileSystem {
public:
    std::uint64_t free = 0;
    std::uint64_t free_bytes(const std::filesystem::path&) override { return free; }
};

}  // namespace

TEST_CASE("the size of a port is known if its shape is") {
    CHECK(expected_bytes(array_type(DType::Float32, {60000, 1, 28, 28})) == 188'160'000);
    CHECK(expected_bytes(array_type(DType::Float64, {})) == 8);
    CHECK(expected_bytes(array_type(DType::Float32, {-1, 28})) == 0);
    CHECK(expected_bytes(PortType{}) == 0);
}

TEST_CASE("a model takes its weights' bytes") {
    Diagnostics diagnostics;
    PortType model;
    model.kind = PortKind::Model;
    model.net_input = Shape{4};
    const auto yaml = parse_yaml(std::make_shared<SourceText>(SourceText{"net.yaml", "[{dense: 3}, {dense: 2}]"}));
    model.layers = summarise(parse_network(yaml, diagnostics), *model.net_input, diagnostics);
    diagnostics.throw_if_any();
    CHECK(expected_bytes(model) == 4 * ((4 * 3 + 3) + (3 * 2 + 2)));
}

TEST_CASE("only bytes that are certain to be written count") {
    Dag dag = DagBuilder().add("a", "make").add("b", "add", {}, {{"x", "a.out"}}).add("c", "add", {}, {{"x", "b.out"}}).build();
    const Files files;
    MemoryStore store;
    TinyCacheView cache(store, files);
    Plan plan = make_plan(dag, {}, Machine{}, cache);
    for (NodeTypes& types : dag.types) types.outputs["out"] = array_type(DType::Int64, {10});
    CHECK(bytes_to_write(dag, plan, cache) == 240);  // a runs, and b and c never ran
    plan.nodes[2].action = Action::Reuse;
    CHECK(bytes_to_write(dag, plan, cache) == 160);
    plan.nodes[0].action = Action::Continue;  // from the end of a shorter one: its outcome is new all the same
    CHECK(bytes_to_write(dag, plan, cache) == 160);
    plan.nodes[0].forced = true;
    CHECK(bytes_to_write(dag, plan, cache) == 80);
    RunResult last;
    last.nodes.emplace_back();
    last.nodes.back().node = 1;
    last.nodes.back().state = NodeState::Ran;
    cache.remember(dag, last);  // b ran before: it may turn out unchanged
    CHECK(bytes_to_write(dag, plan, cache) == 0);
}

TEST_CASE("a run that cannot fit is refused with the bytes that are missing") {
    Disk disk;
    disk.free = 1000;
    CHECK_NOTHROW(check_disk_space(0, ".satdl", disk));
    CHECK_NOTHROW(check_disk_space(1000, ".satdl", disk));
    CHECK_THROWS_WITH(check_disk_space(1200, ".satdl", disk),
                      Catch::Matchers::Contains("the store '.satdl' lacks 200 bytes of disk space: this run writes at least 1200, but only 1000 are free"));
}

TEST_CASE("free space is known even if the folder does not exist yet") {
    const auto files = real_file_system();
    CHECK(files->free_bytes("not/there/yet") > 0);
    CHECK(files->free_bytes("/proc/none/at/all") == std::numeric_limits<std::uint64_t>::max());  // has no blocks at all
}
