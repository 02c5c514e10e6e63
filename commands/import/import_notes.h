// What an import has to say about single lines of the file that it reads.
#pragma once

#include <string>
#include <vector>

#include "pipeline/core/error.h"

namespace satdl {

class ImportNotes {
public:
    // It is carried over with a difference, or left out; the DAG runs.
    void warn(const Place& place, std::string message);
    // The DAG does not run before the user does something.
    void fail(const Place& place, std::string message, std::string hint = {});

    [[nodiscard]] bool has_failed() const;
    [[nodiscard]] std::string text() const;  // in the order of their places

private:
    struct Note {
        bool is_fatal = false;
        Diagnostic what{};
    };
    void add(Note note);

    std::vector<Note> notes_;  // each once: what a group repeats for its stages is one note
};

}  // namespace satdl
