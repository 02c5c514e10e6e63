// What the program of a command stage reports: lines of JSON that it appends to the file $SATDL_PROGRESS (docs/programs.md).
//
//   {"epoch": 3, "epochs": 20, "metrics": {"loss": 0.1}}                an epoch has ended
//   {"epoch": 4, "epochs": 20, "step": 10, "steps": 469, "metrics": {}} within one
//   {"checkpoint": true, "epoch": 3, "epochs": 20}                      what lies in $SATDL_CHECKPOINT is whole: keep it
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/stage.h"

namespace satdl {

class CommandProgress {
public:
    struct Handlers {
        std::function<void(const Progress&)> progress;
        std::function<void(const Progress&)> checkpoint;  // where the program is
        std::function<void(const std::string&)> mistake;  // of the first line that is none of the above
    };
    CommandProgress(std::filesystem::path file, Handlers handlers) : file_(std::move(file)), handlers_(std::move(handlers)) {}

    // Reads the complete lines that were appended since the last call.
    void read_new_lines();
    // A row for each epoch that has ended: its number and its metrics, as far as all epochs have them. Empty if there is none.
    [[nodiscard]] NamedArrays history() const;
    // The epochs so far, for a checkpoint: the program reports those after it when it goes on.
    [[nodiscard]] std::string state() const;
    void restore(std::string_view state);

private:
    void take(const std::string& line);

    const std::filesystem::path file_;
    const Handlers handlers_;
    std::uint64_t read_ = 0;
    std::string rest_;
    bool reported_mistake_ = false;
    std::map<std::int64_t, std::map<std::string, double>> epochs_;
};

}  // namespace satdl
