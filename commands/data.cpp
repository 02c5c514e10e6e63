// satdl data: fetches the files of datasets, or verifies the files that are present.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "commands/shared/command.h"
#include "commands/shared/command_line.h"
#include "commands/shared/warnings.h"
#include "pipeline/dataset/dataset.h"
#include "pipeline/dataset/dataset_fetch.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"

namespace satdl {

namespace {

// On a terminal, one line that is redrawn while bytes arrive; elsewhere only whole lines.
class FetchLines final : public FetchObserver {
public:
    explicit FetchLines(std::string dataset) : dataset_(printable(dataset)), redraws_(can_redraw(STDOUT_FILENO)) {}

    void say(const std::string& line) override {
        clear();
        fmt::print("{}\n", printable(line));
        std::fflush(stdout);
    }

    void bytes(const std::string& file, std::uint64_t done, std::uint64_t total) override {
        if (!redraws_) return;
        const double now = clock_->seconds();
        if (now - drawn_at_ < 0.1 && done != total) return;
        drawn_at_ = now;
        const std::string line =
            fmt::format("{}: {} {} of {}", dataset_, printable(file), bytes_text(done), bytes_text(total));
        fmt::print("\r\x1b[K{}", fitted(line, terminal_size(STDOUT_FILENO).columns - 1));
        std::fflush(stdout);
        line_open_ = true;
    }

    void clear() {
        if (std::exchange(line_open_, false)) fmt::print("\r\x1b[K");
    }

private:
    const std::string dataset_;
    const bool redraws_;
    const std::unique_ptr<Clock> clock_ = steady_clock();
    double drawn_at_ = -1;
    bool line_open_ = false;
};

// The named datasets, or all of them. Throws Error{Usage} for an unknown name.
std::vector<const Dataset*> chosen(const DatasetIndex& index, const std::vector<std::string>& names) {
    const auto known = index.names();
    std::vector<const Dataset*> datasets;
    for (const auto& name : names.empty() ? known : names) {
        const Dataset* dataset = index.find(name);
        if (dataset == nullptr) {
            throw Error(ExitCode::Usage, fmt::format("there is no dataset '{}'", printable(name)),
                        did_you_mean(name, known));
        }
        datasets.push_back(dataset);
    }
    return datasets;
}

bool all_good(const Dataset& dataset) {
    for (const auto& [name, file] : dataset.files) {
        if (check_file(dataset, file).kind != FileState::Kind::Good) return false;
    }
    return true;
}

ExitCode fetch(const std::vector<std::string>& names) {
    const DatasetIndex index(dataset_folders({}));
    for (const Dataset* dataset : chosen(index, names)) {
        if (!all_good(*dataset)) {
            FetchLines lines(dataset->name);
            fetch_dataset(*dataset, lines);
            lines.clear();
        }
        fmt::print("{}: {} files in {}, verified\n", printable(dataset->name), dataset->files.size(),
                   printable(dataset->folder.string()));
    }
    return ExitCode::Done;
}

ExitCode verify(const std::vector<std::string>& names) {
    const DatasetIndex index(dataset_folders({}));
    ExitCode code = ExitCode::Done;
    for (const Dataset* dataset : chosen(index, names)) {
        for (const auto& [name, file] : dataset->files) {
            const FileState state = check_file(*dataset, file);
            if (state.kind == FileState::Kind::Good) {
                fmt::print("{}/{}: good\n", printable(dataset->name), printable(name));
                continue;
            }
            std::fflush(stdout);
            print_on_stderr(fmt::format("satdl: {}", wrong_file(*dataset, file, state).what()));
            code = ExitCode::Store;
        }
    }
    return code;
}

}  // namespace

void add_data_command(Command& program) {
    Command data = program.add_group("data", "fetch and verify datasets",
                                     "Examples:\n  satdl data fetch\n  satdl data fetch mnist\n  satdl data verify");
    using Names = std::vector<std::string>;
    const auto define = [](Command& command, Names& names) {
        command.add_option("names", names, "datasets; default: all").type_name("NAME");
    };
    data.add_command<Names>("fetch", "download missing or damaged files and verify them", nullptr, define, fetch);
    data.add_command<Names>("verify", "compare every file with the SHA-256 in its manifest", nullptr, define, verify);
}

}  // namespace satdl
