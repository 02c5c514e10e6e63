#include "pipeline/yaml/user_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

#include "pipeline/core/suggest.h"
#include "pipeline/yaml/yaml_parser.h"

namespace satdl {
namespace {

const std::vector<std::string>& sections() {
    static const std::vector<std::string> names{"executors", "remote"};
    return names;
}

}  // namespace

std::filesystem::path user_settings_file() {
    const char* const config = std::getenv("XDG_CONFIG_HOME");
    if (config != nullptr && *config == '/') return std::filesystem::path(config) / "satdl" / "settings.yaml";  // the XDG rule: absolute
    const char* const home = std::getenv("HOME");
    if (home == nullptr || *home == '\0') return {};
    return std::filesystem::path(home) / ".config" / "satdl" / "settings.yaml";
}

ConfigValue read_user_settings(const std::filesystem::path& file) {
    std::error_code failed;
    if (file.empty() || std::filesystem::status(file, failed).type() == std::filesystem::file_type::not_found) return ConfigValue::null();
    ConfigValue settings = parse_yaml_file(file.string());
    if (settings.is_null()) return settings;
    if (!settings.is_map())
        refuse(settings.place(), "a settings file must be a map of sections, not " + settings.describe(),
               fmt::format("its sections: {}", fmt::join(sections(), ", ")));
    Diagnostics mistakes;
    for (const ConfigValue::Entry& entry : settings.entries())
        if (std::ranges::find(sections(), entry.key) == sections().end())
            mistakes.add(entry.key_place, fmt::format("a settings file has no section '{}'", printable(entry.key)),
                         did_you_mean(entry.key, sections()));
    mistakes.throw_if_any();
    return settings;
}

}  // namespace satdl
