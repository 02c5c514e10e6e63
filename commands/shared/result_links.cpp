#include "commands/shared/result_links.h"

#include <fmt/format.h>

#include "pipeline/records/run_recorder.h"

namespace satdl {

namespace {

constexpr std::string_view kSuffix = ".h5";

// The inverse of file_name_of(). A name that was too long stays shortened; it can be used as it is.
std::string name_from_file(std::string_view file) {
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
    std::string name;
    for (std::size_t i = 0; i < file.size(); ++i) {
        const bool escape = file[i] == '%' && i + 2 < file.size() && digit(file[i + 1]) >= 0 && digit(file[i + 2]) >= 0;
        name += escape ? static_cast<char>(digit(file[i + 1]) * 16 + digit(file[i + 2])) : file[i];
        if (escape) i += 2;
    }
    return name;
}

std::string last_dag(const std::filesystem::path& folder) {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(folder / ".last", error);
    if (error) {
        throw Error(ExitCode::Usage, fmt::format("there are no results in {}", printable(folder.string())),
                    "`satdl run DAG` creates them; use --results for another folder");
    }
    return target.string();
}

}  // namespace

ResultLinks::ResultLinks(std::filesystem::path folder, const std::string& dag, FileSystem& files) : files_(files) {
    const std::string file = dag.empty() ? last_dag(folder) : file_name_of(dag);
    dag_ = name_from_file(file);
    folder_ = folder / file;
    if (files_.stamp(folder_)) return;
    std::vector<std::string> known;
    if (files_.stamp(folder)) {
        for (const auto& entry : files_.list(folder)) {
            if (entry.front() != '.') known.push_back(name_from_file(entry));
        }
    }
    throw Error(ExitCode::Usage,
                fmt::format("there are no results of a DAG '{}' in {}", printable(dag_), printable(folder.string())),
                did_you_mean(dag_, known));
}

std::vector<std::string> ResultLinks::names() const {
    std::vector<std::string> names;
    for (const std::string& file : files_.list(folder_)) {
        if (file.size() > kSuffix.size() && file.ends_with(kSuffix)) {
            names.push_back(name_from_file(std::string_view(file).substr(0, file.size() - kSuffix.size())));
        }
    }
    return names;
}

std::filesystem::path ResultLinks::path_of(const std::string& stage) const {
    return folder_ / (file_name_of(stage) + std::string(kSuffix));
}

LinkedStage ResultLinks::stage(const std::string& name) const {
    LinkedStage stage{name, path_of(name), std::nullopt};
    if (files_.stamp(stage.path)) stage.header = read_header(files_, stage.path);
    return stage;
}

std::string ResultLinks::origin_of(const Digest& port_digest) const {
    for (const auto& name : names()) {
        const auto linked = stage(name);
        if (!linked.header) continue;
        for (const auto& [port, digest] : linked.header->port_digests) {
            if (digest == port_digest) return fmt::format("{}.{}", name, port);
        }
    }
    return {};
}

}  // namespace satdl
