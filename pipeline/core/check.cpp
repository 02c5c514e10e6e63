#include "pipeline/core/check.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

namespace satdl {

void check_failed(const char* file, int line, const char* condition, const std::string& message) {
    fmt::print(stderr, "{}:{}: internal error: {} ({}); please report this bug\n", file, line, message, condition);
    std::fflush(stderr);
    std::abort();
}

}  // namespace satdl
