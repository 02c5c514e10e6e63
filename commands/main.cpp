// satdl: a DAG of deep-learning stages, declared in YAML, of which only what changed runs again.
#include <CLI/CLI.hpp>

int main(int argc, char** argv) {
    CLI::App app("satdl: run a DAG of deep-learning stages, and only what changed of it", "satdl");
    app.set_version_flag("--version", "satdl " SATDL_VERSION);
    CLI11_PARSE(app, argc, argv);
    return 0;
}
