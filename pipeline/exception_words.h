// What an exception of a library means to a person. (Errors of satdl's own are written for people: error.h.)
#pragma once

#include <exception>
#include <string>

namespace satdl {

inline constexpr const char* kNoMemory = "there was not enough memory";

// kNoMemory for std::bad_alloc; else its own words, without the C++ stack that LibTorch appends for its developers.
[[nodiscard]] std::string words_of(const std::exception& error);

}  // namespace satdl
