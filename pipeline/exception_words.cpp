#include "pipeline/exception_words.h"

#include <new>
#include <string_view>

namespace satdl {

std::string words_of(const std::exception& error) {
    if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return kNoMemory;
    const std::string_view what = error.what();
    return std::string(what.substr(0, what.find("\nException raised from ")));
}

}  // namespace satdl
