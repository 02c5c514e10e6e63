// A small table of text, as the end of a run prints it and as `compare` returns one.
#pragma once

#include <string>
#include <vector>

namespace satdl {

struct Table {
    std::string title;
    std::vector<std::string> columns;
    std::vector<std::vector<std::string>> rows;
    std::vector<std::string> notes;
};

}  // namespace satdl
