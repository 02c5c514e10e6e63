#include "pipeline/executors/command_executor.h"
#include "pipeline/executors/command_versions.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/support/temp_folder.h"

using namespace satdl;

namespace {

class Context final : public StageContext {
public:
    [[nodiscard]] const Params& params() const override { return params_; }
    [[nodiscard]] int threads() const override { return 1; }
    [[nodiscard]] const std::vector<SourceFile>& files() const override { return files_; }
    [[nodiscard]] bool stop_requested() const override { return false; }
    void progress(const Progress& /*progress*/) override {}
    void log(LogLevel level, std::string_view message) override {
        logged.emplace_back(level, message);
    }

    std::vector<std::pair<LogLevel, std::string>> logged;

private:
    const Params params_;
    const std::vector<SourceFile> files_;
};

// A strict stage that copies a file which it does not declare.
Node copying(const std::filesystem::path& file) {
    auto command = std::make_shared<CommandStage>();
    command->entry.description.outputs = {{.name = "a", .kind = PortKind::File}};
    command->project = file.parent_path();
    command->run = {{"cp"}, {file.string()}, {Placeholder{Placeholder::Kind::Output, "a"}}};
    command->strict = true;
    Node node;
    node.name = "copy";
    node.stage = &command->entry;
    node.command = std::move(command);
    return node;
}

}  // namespace

TEST_CASE("A command under versions that does not end is stopped, and refused at its place") {
    const test::TempFolder folder;
    auto command = std::make_shared<CommandStage>();
    command->project = folder.path();
    command->versions = {{"sh", "-c", "trap '' TERM; sleep 1000"}};
    const auto source = std::make_shared<const SourceText>(SourceText{"dag.yaml", ""});
    Dag dag;
    Node node;
    node.name = "slow";
    node.params = Params({{"versions", ParamValue("sh", Place{source, 3, 5})}});
    node.command = std::move(command);
    dag.nodes.push_back(node);
    CHECK_THROWS_WITH(run_version_commands(dag, {}, 0.2), Catch::Contains("dag.yaml:3:5") && Catch::Contains("it takes longer than 0.2 s"));
}

TEST_CASE("A kernel without Landlock, or with its first version, enforces nothing, and satdl warns once") {
    const test::TempFolder folder;
    test::write_text(folder.path() / "file", "text");
    const Node node = copying(folder.path() / "file");
    for (const int landlock : {0, 1}) {
        CommandExecutor executor(folder.path() / "work", landlock);
        Context context;
        for (int i = 0; i < 2; ++i) CHECK(executor.execute(node, {}, context).outputs.at("a").size() == 1);
        // Not a warning of the result: those are kept with it.
        REQUIRE(context.logged.size() == 1);
        CHECK(context.logged[0] ==
              std::pair(LogLevel::Info,
                        std::string("'strict' is not enforced: this kernel has no Landlock that could (Linux 5.19 and newer)")));
    }
    if (landlock_version() < kLandlockWithMoves) return;
    CommandExecutor executor(folder.path() / "work");
    Context context;
    CHECK_THROWS_WITH(executor.execute(node, {}, context), Catch::Contains("cp read file, which the stage does not declare"));
    CHECK(std::ranges::count(context.logged, LogLevel::Warning, &std::pair<LogLevel, std::string>::first) == 0);
}
