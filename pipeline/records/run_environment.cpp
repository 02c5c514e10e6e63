#include "pipeline/records/run_environment.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <variant>

namespace satdl {

namespace {

// Those that stages, their libraries or satdl read, and that stay (docs/engine.md); all that begin with SATDL_ as well.
constexpr std::array kVariables{"ATEN_CPU_CAPABILITY", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS",
                                "OMP_PLACES",          "OMP_PROC_BIND",        "KMP_AFFINITY",
                                "MKL_NUM_THREADS",     "LD_PRELOAD",           "LD_LIBRARY_PATH"};

std::string text_of(const char* file, std::size_t most) {
    std::ifstream stream(file, std::ios::binary);
    std::string text(most, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(most));
    text.resize(static_cast<std::size_t>(stream.gcount()));
    return text;
}

Json command_line() {
    constexpr std::size_t kMost = 1 << 20;
    Json words = Json::array();
    const std::string text = text_of("/proc/self/cmdline", kMost);
    for (std::size_t from = 0; from < text.size();) {
        const std::size_t end = std::min(text.find('\0', from), text.size());
        words.push_back(text.substr(from, end - from));
        from = end + 1;
    }
    return words;
}

// "Intel(R) Xeon(R) Platinum 8481C"; "" where the kernel has no name for it.
std::string cpu_model() {
    constexpr std::size_t kMost = 4096;  // the first core's part
    constexpr std::string_view kName = "model name";
    const std::string text = text_of("/proc/cpuinfo", kMost);
    const std::size_t line = text.find(kName);
    if (line == std::string::npos) return "";
    const std::size_t from = text.find_first_not_of(" \t:", line + kName.size());
    return text.substr(from, text.find('\n', from) - from);
}

Json variables() {
    Json found = Json::object();
    for (const char* name : kVariables)
        if (const char* const value = std::getenv(name)) found[name] = value;
    for (char** one = environ; *one != nullptr; ++one) {
        const std::string_view variable = *one;
        const std::size_t equals = variable.find('=');
        if (variable.starts_with("SATDL_") && equals != variable.npos)
            found[std::string(variable.substr(0, equals))] = variable.substr(equals + 1);
    }
    return found;
}

// "oneTBB 2021.8.0, yaml-cpp 0.7.0" as name -> version.
Json libraries_of(const Dag& dag, const std::string& built_with) {
    Json libraries = Json::object();
    for (std::size_t from = 0; from < built_with.size();) {
        const std::size_t comma = std::min(built_with.find(", ", from), built_with.size());
        const std::string one = built_with.substr(from, comma - from);
        libraries[one.substr(0, one.rfind(' '))] = one.substr(one.rfind(' ') + 1);
        from = comma + 2;
    }
    for (const Node& node : dag.nodes)
        if (node.stage != nullptr)
            for (const auto& [name, version] : node.stage->numerics) libraries[name] = version;
    return libraries;
}

Json gpus_of(const Machine& machine) {
    std::set<std::string> names;
    for (const auto& [library, answer] : machine.gpus)
        if (const Gpu* const gpu = std::get_if<Gpu>(&answer)) names.insert(gpu->name);
    return names;
}

}  // namespace

Json run_environment(const Dag& dag, const Machine& machine, const std::string& built_with,
                     const std::vector<std::string>& ignored) {
    utsname system{};
    ::uname(&system);
    std::error_code error;
    return {{"command", command_line()},
            {"folder", std::filesystem::current_path(error).string()},
            {"os", std::string(system.sysname) + " " + system.release},
            {"cpu", cpu_model()},
            {"instructions", machine.cpu},
            {"processor", machine.processor},
            {"memory_bytes", machine.memory_bytes},
            {"gpus", gpus_of(machine)},
            {"libraries", libraries_of(dag, built_with)},
            {"variables", variables()},
            {"ignored_variables", ignored}};
}

}  // namespace satdl
