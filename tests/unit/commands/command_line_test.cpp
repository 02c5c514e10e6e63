#include "commands/shared/command_line.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <optional>

using namespace satdl;

namespace {

struct Given {
    std::string file, format = "dot";
    std::vector<std::string> targets, set, libraries;
    int jobs = 0;
    std::uint64_t bytes = 0;
    double seconds = 60;
    bool dry_run = false;
};

// What the command `work` gets from these arguments; nothing if it does not run.
struct Outcome {
    ExitCode code;
    std::optional<Given> given;
};

Outcome run(std::vector<std::string> arguments) {
    std::optional<Given> given;
    CommandLine command_line("test", "a program", "", std::move(arguments));
    Command program = command_line.program();
    program.add_command<Given>(
        "work", "does the work", "",
        [](Command& command, Given& options) {
            command.add_option("file", options.file, "a file").required();
            command.add_option("targets", options.targets, "targets");
            command.add_option("--set", options.set, "settings");
            command.add_option("--libraries", options.libraries, "libraries").envname("TEST_LIBRARIES").delimiter(':');
            command.add_option("--format", options.format, "a format").one_of({"dot", "svg"});
            command.add_option("-j,--jobs", options.jobs, "jobs").in_range(1, 8);
            command.add_size("--memory", options.bytes, "memory");
            command.add_option("--seconds", options.seconds, "seconds").not_negative();
            command.add_flag("-n,--dry-run", options.dry_run, "only look");
        },
        [&given](const Given& options) {
            given = options;
            return ExitCode::StageFailed;
        });
    program.add_command<Given>(
        "rest", "does the rest", "", [](Command& command, Given& options) { command.add_option("--size", options.jobs, "a size"); },
        [](const Given&) { return ExitCode::Done; });
    const ExitCode code = command_line.run();
    return {code, given};
}

}  // namespace

TEST_CASE("a command gets its options and arguments, and its exit code is the program's") {
    const Outcome outcome = run({"work", "a.yaml", "m1", "m2", "-n", "-j", "3", "--memory", "2KB", "--format", "svg"});
    CHECK(outcome.code == ExitCode::StageFailed);
    REQUIRE(outcome.given);
    CHECK(outcome.given->file == "a.yaml");
    CHECK(outcome.given->targets == std::vector<std::string>{"m1", "m2"});
    CHECK(outcome.given->dry_run);
    CHECK(outcome.given->jobs == 3);
    CHECK(outcome.given->bytes == 2048);
    CHECK(outcome.given->format == "svg");
    CHECK(outcome.given->seconds == 60);
}

TEST_CASE("an option that may be repeated takes one value each time, and leaves what follows to the arguments") {
    const Outcome outcome = run({"work", "a.yaml", "--set", "x=1", "m1", "--set", "y=2", "--libraries", "a:b"});
    REQUIRE(outcome.given);
    CHECK(outcome.given->set == std::vector<std::string>{"x=1", "y=2"});
    CHECK(outcome.given->targets == std::vector<std::string>{"m1"});
    CHECK(outcome.given->libraries == std::vector<std::string>{"a", "b"});
}

TEST_CASE("an option that does not exist is refused with what was meant") {
    CHECK_THROWS_WITH(run({"work", "a.yaml", "--dryrun"}), "there is no option '--dryrun'\n  did you mean '--dry-run'?");
    CHECK_THROWS_WITH(run({"work", "a.yaml", "--parallel", "3"}), Catch::Contains("did you mean '--jobs'?"));
    CHECK_THROWS_WITH(run({"work", "a.yaml", "-m", "3"}), Catch::Contains("'-m'") && Catch::Contains("did you mean '--memory'?"));
    CHECK_THROWS_WITH(run({"work", "a.yaml", "--epochs", "3"}),
                      Catch::Contains("a parameter of the DAG is set as epochs=3, one of a stage as STAGE.epochs=3"));
    CHECK_THROWS_WITH(run({"work", "a.yaml", "--epochs=3"}), Catch::Contains("'--epochs'") && Catch::Contains("as epochs=3"));
    CHECK_THROWS_WITH(run({"work", "a.yaml", "-x"}), Catch::Contains("known: --help, --set, --libraries, --format, --jobs"));
    CHECK_THROWS_WITH(run({"work", "a.yaml", "-s", "3"}), Catch::Contains("did you mean '--set' or '--seconds'?"));
    CHECK_THROWS_WITH(run({"work", "a.yaml", "--dry"}), Catch::Contains("did you mean '--dry-run'?"));
    CHECK_THROWS_WITH(run({"work", "a.yaml", "--size", "3"}), "there is no option '--size'\n  that is an option of `test rest`");
    CHECK_THROWS_WITH(run({"rest", "--memory", "3"}), Catch::Contains("that is an option of `test work`"));
    CHECK_THROWS_WITH(run({"--wrong"}), "there is no option '--wrong'\n  known: --help");
}

TEST_CASE("the environment gives what the command line leaves out") {
    setenv("TEST_LIBRARIES", "c:d", 1);
    CHECK(run({"work", "a.yaml"}).given->libraries == std::vector<std::string>{"c", "d"});
    CHECK(run({"work", "a.yaml", "--libraries", "e"}).given->libraries == std::vector<std::string>{"e"});
    unsetenv("TEST_LIBRARIES");
}

TEST_CASE("a mistake on the command line is a usage error, and the command does not run") {
    const std::vector<std::vector<std::string>> mistakes{
        {},          {"work"}, {"work", "a.yaml", "-j", "9"},         {"work", "a.yaml", "-j", "x"},     {"work", "a.yaml", "--format", "png"},
        {"work", "a.yaml", "--memory", "much"}, {"work", "a.yaml", "--seconds", "-1"}, {"work", "a.yaml", "--set"},
        {"work", ""}, {"work", "a.yaml", "--set", ""}, {"work", "a.yaml", "--libraries="}};
    for (const auto& arguments : mistakes) {
        const Outcome outcome = run(arguments);
        CHECK(outcome.code == ExitCode::Usage);
        CHECK_FALSE(outcome.given);
    }
}

TEST_CASE("help is no mistake, and no command runs for it") {
    const Outcome outcome = run({"work", "--help"});
    CHECK(outcome.code == ExitCode::Done);
    CHECK_FALSE(outcome.given);
}

TEST_CASE("an unknown command is named, with the one that was probably meant") {
    CHECK_THROWS_WITH(run({"wrok"}), Catch::Matchers::Contains("there is no command 'wrok'") && Catch::Matchers::Contains("work"));
    CHECK_THROWS_WITH(run({"a.yaml"}), Catch::Matchers::Contains("runs a DAG file"));
}
