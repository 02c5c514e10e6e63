// A parsed document as bytes from which it is made again in a twentieth of the time of parsing.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pipeline/core/config_value.h"

namespace satdl {

// What parse_yaml() returned, with all its places. nullopt if there would be more than `limit` bytes: aliases are expanded.
[[nodiscard]] std::optional<std::string> bytes_of_document(const ConfigValue& document, std::size_t limit);

// The inverse: the document, whose places are in `source` again. nullopt if these are not the bytes of a document.
[[nodiscard]] std::optional<ConfigValue> document_of_bytes(std::string_view bytes,
                                                           const std::shared_ptr<const SourceText>& source);

}  // namespace satdl
