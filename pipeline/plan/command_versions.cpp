#include "pipeline/plan/command_versions.h"

#include <fmt/format.h>

#include "pipeline/core/ascii.h"
#include "pipeline/os/subprocess.h"

namespace satdl {
namespace {

constexpr std::size_t kMaxOutput = 64 << 10;

// Without the blanks and newlines around it.
std::string_view stripped(std::string_view text) {
    while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos) text.remove_suffix(1);
    while (!text.empty() && std::string_view(" \t\r\n").find(text.front()) != std::string_view::npos) text.remove_prefix(1);
    return text;
}

// What the command prints on stdout and stderr: `java -version` uses the latter.
std::string output_of(const CommandStage& command, const std::vector<std::string>& program, const Place& place) {
    std::string output;
    const ProcessOptions options{.folder = command.project, .environment = environment_of(command), .stderr_to_stdout = true};
    const ProcessResult result = run_process(program, options, [&](std::span<const std::byte> piece) {
        output.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        return output.size() <= kMaxOutput;
    });
    const std::string_view text = stripped(output);
    const std::string name = version_part(program);
    if (!result.good())
        refuse(place, fmt::format("no {}: {}", name, result.kind == ProcessResult::Kind::Cut ? "it prints too much" : result.describe()),
               text.empty() ? "remove it from 'versions', or mend it" : std::string(text.substr(0, 1000)));
    if (text.empty()) refuse(place, fmt::format("no {}: it printed nothing", name), "remove it from 'versions', or mend it");
    return std::string(text);
}

}  // namespace

std::map<std::pair<std::filesystem::path, std::string>, std::string> run_version_commands(const Dag& dag, const Request& request) {
    std::map<std::pair<std::filesystem::path, std::string>, std::string> printed;
    const Selection selection = select(dag, request);
    for (NodeId id = 0; id < dag.nodes.size(); ++id) {
        const Node& node = dag.nodes[id];
        if (!node.command || selection.parts[id] == Part::Excluded) continue;
        for (const std::vector<std::string>& program : node.command->versions) {
            const auto [found, is_new] = printed.try_emplace({node.command->project, version_part(program)});
            if (is_new) found->second = output_of(*node.command, program, node.params.value("versions").place());
        }
    }
    return printed;
}

}  // namespace satdl
