#include "commands/shared/remote_options.h"

#include "commands/shared/warnings.h"
#include "pipeline/yaml/user_settings.h"

namespace satdl {

void add_remote_options(Command& command, RemoteChoice& choice) {
    command
        .add_option("--remote", choice.place,
                    "a cache that others share: an HTTP server or a folder (docs/remote.md), or none; default: that of the settings file")
        .envname("SATDL_REMOTE")
        .type_name("URL|FOLDER");
    command.add_flag("--remote-refresh", choice.refresh, "ask the remote again for what it did not have within the last hour");
    command.add_flag("--remote-required", choice.required, "fail if the remote does not answer, instead of going on without it");
}

std::unique_ptr<Remote> open_remote(const RemoteChoice& choice, OpenStore& open, Access access) {
    RemoteSettings settings = remote_settings(choice, choice.place == "none" ? ConfigValue() : read_user_settings());
    if (settings.place.empty()) return nullptr;
    return std::make_unique<Remote>(std::move(settings), open, access, [](const std::string& text) { print_warning(text); });
}

Store& store_of(OpenStore& open, const std::unique_ptr<Remote>& remote) {
    if (remote != nullptr) return remote->store();
    return open.store();
}

}  // namespace satdl
