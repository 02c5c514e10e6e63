#include "commands/command.h"

namespace satdl {

std::string_view without_mark(std::string_view rendered) {
    constexpr std::string_view kMark = "error: ";
    return rendered.starts_with(kMark) ? rendered.substr(kMark.size()) : rendered;
}

std::string dumped(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace satdl
