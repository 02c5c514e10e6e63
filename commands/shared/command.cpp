#include "commands/shared/command.h"

namespace satdl {

std::string dumped(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace satdl
