// YAML to Dag: a DAG file, and after a line "---8<---" the one file that it may include.
#include "pipeline/dag_file/dag_source.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/small_catalog.h"

using namespace satdl;

SATDL_FUZZER(text) {
    static const Catalog catalog = small_catalog();
    static const DatasetIndex datasets({std::filesystem::path(SATDL_SOURCE_DIR) / "data"});
    constexpr std::string_view kCut = "\n---8<---\n";
    const std::size_t cut = text.find(kCut);
    const std::string included(cut == std::string_view::npos ? "" : text.substr(cut + kCut.size()));
    fuzz::expect_result_or_error([&] {
        const DocumentReader read = [&](const std::filesystem::path& path) {
            if (path.filename() != "b.yaml") throw Error(ExitCode::Usage, "there is no " + printable(path.string()));
            return fuzz::yaml(path.string(), included);
        };
        const DagSource source("fuzz/a.yaml", fuzz::yaml("fuzz/a.yaml", std::string(text.substr(0, cut))), read,
                               [](const std::filesystem::path& path) { return path.lexically_normal().string(); });
        const Dag dag = source.build({}, catalog, datasets);
        for (const Node& node : dag.nodes) {
            for (const Input& input : node.inputs)
                if (input.from >= dag.nodes.size()) std::abort();
        }
        (void)source.parameters({.profile = "quick", .set = {}});
    });
}
