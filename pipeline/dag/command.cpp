#include "pipeline/dag/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "pipeline/core/shell_words.h"

namespace satdl {
namespace {

std::string doubled_braces(std::string_view text) {
    std::string result;
    for (const char c : text) result += c == '{' || c == '}' ? std::string(2, c) : std::string(1, c);
    return result;
}

std::string text_of(const Placeholder& placeholder) {
    const std::string format = placeholder.format.empty() ? "" : ":" + placeholder.format;
    switch (placeholder.kind) {
        case Placeholder::Kind::Input: return fmt::format("{{in.{}{}}}", placeholder.name, format);
        case Placeholder::Kind::Output: return fmt::format("{{out.{}{}}}", placeholder.name, format);
        case Placeholder::Kind::File: return fmt::format("{{files.{}}}", placeholder.name);
        case Placeholder::Kind::Value: return fmt::format("{{{}}}", placeholder.name);
        case Placeholder::Kind::Folder: break;
    }
    return "{work}";
}

}  // namespace

std::string version_part(const std::vector<std::string>& program) { return fmt::format("output of {}", shell_quoted(program)); }

std::vector<std::string> environment_of(const CommandStage& command) {
    constexpr std::array kAlways{"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ"};
    std::map<std::string, std::string> variables;
    const auto take = [&](const std::string& name) {
        if (const char* value = std::getenv(name.c_str())) variables.emplace(name, value);
    };
    for (const char* name : kAlways) take(name);
    for (const std::string& name : command.pass) take(name);
    for (const auto& [name, value] : command.env) variables[name] = value;
    if (command.threads > 1 || command.entry.description.param("threads") != nullptr) {
        for (const char* name : {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"})
            variables.emplace(name, std::to_string(command.threads));
    }
    std::vector<std::string> environment;
    for (const auto& [name, value] : variables) environment.push_back(fmt::format("{}={}", name, value));
    return environment;
}

std::vector<std::string> input_formats(PortKind kind) {
    switch (kind) {
        case PortKind::Array: return {"h5", "npy", "csv"};
        case PortKind::Model:
        case PortKind::Arrays: return {"h5", "npz", "safetensors"};
        case PortKind::Metrics: return {"json", "h5", "csv"};
        case PortKind::History: return {"csv", "h5", "npz"};
        case PortKind::File:
        case PortKind::Folder: break;
    }
    return {""};
}

std::vector<std::string> output_formats(PortKind kind) {
    switch (kind) {
        case PortKind::Array: return {"npy", "h5", "csv"};
        case PortKind::Model:
        case PortKind::Arrays: return {"npz", "safetensors", "h5"};
        case PortKind::Metrics: return {"json"};
        case PortKind::History: return {"csv", "jsonl"};
        case PortKind::File:
        case PortKind::Folder: break;
    }
    return {""};
}

std::filesystem::path path_in_folder(const CommandStage& command, const SourceFile& file) {
    if (file.role == kSourceRole) return file.member;
    const CommandFiles& files = *std::ranges::find(command.files, file.role, &CommandFiles::name);
    if (files.kind == CommandFiles::Kind::File) return files.path;
    return files.kind == CommandFiles::Kind::Folder ? files.path / file.member : std::filesystem::path(file.member);
}

std::vector<std::string> formats_in_run(const CommandStage& command, Placeholder::Kind kind, std::string_view name) {
    std::vector<std::string> formats;
    for (const Argument& argument : command.run) {
        for (const ArgumentPart& part : argument) {
            const auto* const placeholder = std::get_if<Placeholder>(&part);
            if (placeholder != nullptr && placeholder->kind == kind && placeholder->name == name) formats.push_back(placeholder->format);
        }
    }
    return formats;
}

std::string text_of(const Argument& argument) {
    std::string text;
    for (const ArgumentPart& part : argument) {
        const auto* const placeholder = std::get_if<Placeholder>(&part);
        text += placeholder != nullptr ? text_of(*placeholder) : doubled_braces(std::get<std::string>(part));
    }
    return text;
}

}  // namespace satdl
