// Names of files and folders that belong to one process, so that others can tell whether it still lives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace satdl {

// Of this machine; "" if it has none.
[[nodiscard]] std::string host_name();

// "<name>.<origin>.<process>.<number>": of this process. Dots in `name` become '-'.
[[nodiscard]] std::string name_with_process(std::string name, std::uint64_t number);

// Whether the process that such a name belongs to still lives. nullopt where that cannot be known: of another host, boot or container.
[[nodiscard]] std::optional<bool> process_lives(const std::string& name);

}  // namespace satdl
