// The errors of DAG files, compared to the letter: see tests/golden/README.md.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "pipeline/dag_file/dag_source.h"
#include "pipeline/sweep/sweep.h"
#include "pipeline/yaml/yaml_parser.h"
#include "tests/support/small_catalog.h"

using namespace satdl;

namespace {

const std::filesystem::path kSource = SATDL_SOURCE_DIR;

std::string content(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

// What the first line says of the command line.
Settings settings_of(const std::string& text) {
    Settings settings;
    std::istringstream line(text.substr(0, text.find('\n')));
    std::string word;
    if (!(line >> word && word == "#" && line >> word && word == "with:")) return settings;
    for (std::string option, value; line >> option >> value;) {
        if (option == "--profile") settings.profile = value;
        if (option == "--set") settings.set.push_back(parse_setting(value));
    }
    return settings;
}

// All that is said about the file, or "no mistakes".
std::string told(const std::filesystem::path& path) {
    const std::string text = content(path);
    const Catalog catalog = small_catalog();
    const DatasetIndex datasets({kSource / "data"});
    const auto read = [](const std::filesystem::path& name) {  // with names as a user in that folder would see them
        const std::string read_text = content(kSource / "tests/golden" / name);
        return parse_yaml(std::make_shared<const SourceText>(SourceText{name.string(), read_text}));
    };
    try {
        const DagSource source(path.filename(), read(path.filename()), read);
        const ConfigValue* section = source.document().find("sweep");
        if (section == nullptr) {
            (void)source.build(settings_of(text), catalog, datasets);
        } else {
            SweepDesign design = design_from_yaml(*section);
            mark_repetitions(design.axes, design.repeat);
            (void)make_sweep(source, settings_of(text), design, catalog, datasets);
        }
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Usage);
        return std::string(error.what()) + "\n";
    }
    return "no mistakes\n";
}

}  // namespace

TEST_CASE("the messages for each wrong file are the golden ones") {
    const bool update = std::getenv("SATDL_UPDATE_GOLDEN") != nullptr;
    std::set<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(kSource / "tests/golden"))
        if (entry.path().extension() == ".yaml") files.insert(entry.path());
    CHECK(files.size() >= 30);
    for (const std::filesystem::path& file : files) {
        INFO(file.filename().string());
        const std::string now = told(file);
        std::filesystem::path expected = file;
        expected.replace_extension(".expected");
        if (update) std::ofstream(expected, std::ios::binary) << now;
        CHECK(now == content(expected));
    }
}

TEST_CASE("the example of docs/yaml.md is a DAG, and its sweeps can be read") {
    const std::string page = content(kSource / "docs/yaml.md");
    const std::size_t begin = page.find("```yaml\n") + 8;
    const auto source =
        std::make_shared<const SourceText>(SourceText{"small.yaml", page.substr(begin, page.find("```", begin) - begin)});
    const DagSource dag("small.yaml", parse_yaml(source));
    const Catalog catalog = small_catalog();
    const DatasetIndex datasets({kSource / "data"});
    CHECK(dag.build({}, catalog, datasets).nodes.size() == 6);
    CHECK(dag.build({.profile = "quick", .set = {}}, catalog, datasets).find("m1")->params.integer("epochs") == 2);
    const Sweep sweep = make_sweep(dag, {}, design_from_yaml(*dag.document().find("sweep")), catalog, datasets);
    CHECK(sweep.dag.find("m1[noise.factor=0.1]"));
    CHECK(sweep.dag.nodes.size() == 4 + 2 * 3);
    const std::size_t section = page.find("sweep:\n  matrix:");
    const auto other = std::make_shared<const SourceText>(
        SourceText{"small.yaml", page.substr(section, page.find("```", section) - section)});
    const SweepDesign design = design_from_yaml(*parse_yaml(other).find("sweep"));
    CHECK(make_sweep(dag, {}, design, catalog, datasets).points.size() == 3 * 3 * 2 - 2 + 1);
}

TEST_CASE("a DAG file with a byte changed, dropped or doubled is a DAG, or an error") {
    const std::string page = content(kSource / "docs/yaml.md");
    const std::size_t begin = page.find("```yaml\n") + 8;
    const std::string good = page.substr(begin, page.find("```", begin) - begin);
    const Catalog catalog = small_catalog();
    const DatasetIndex datasets({kSource / "data"});
    const auto survives = [&](std::string text) {
        try {
            const auto source = std::make_shared<const SourceText>(SourceText{"small.yaml", std::move(text)});
            const Dag dag = DagSource("small.yaml", parse_yaml(source)).build({}, catalog, datasets);
            return !dag.nodes.empty();
        } catch (const Error& error) {
            return error.code() == ExitCode::Usage && !error.diagnostics().empty();
        }
    };
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (const char c : {' ', '\n', ':', ',', '{', '}', '[', ']', '"', '$', '@', '.', '-', '~', '0', 'x'}) {
            std::string changed = good;
            changed[i] = c;
            CHECK(survives(std::move(changed)));
        }
        CHECK(survives(good.substr(0, i) + good.substr(i + 1)));
        CHECK(survives(good.substr(0, i) + good[i] + good.substr(i)));
        CHECK(survives(good.substr(0, i)));
    }
}
