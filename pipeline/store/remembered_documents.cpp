#include "pipeline/store/remembered_documents.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "pipeline/core/digest.h"
#include "pipeline/os/build_id.h"
#include "pipeline/os/own_file.h"
#include "pipeline/store/layout.h"
#include "pipeline/yaml/document_bytes.h"
#include "pipeline/yaml/yaml_parser.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

std::string_view view_of(const Digest& digest) {
    return {reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()};
}

constexpr std::size_t kDigestBytes = sizeof(Digest::bytes);

const std::string& program() {
    static const std::string id = program_build_id();
    return id;
}

Digest digest_of(const SourceText& source, std::string_view document) {
    const std::string sizes = fmt::format("{} {}\n", program().size(), source.text.size());
    return Sha256().update(sizes).update(program()).update(source.text).update(document).finish();
}

fs::path memory_of(const fs::path& file, const fs::path& store) {
    const std::string path = fs::absolute(file).lexically_normal().string();
    return store / store_layout::kDocuments / sha256(path).hex().substr(0, 32);
}

std::optional<ConfigValue> recalled(const fs::path& memory, const std::shared_ptr<const SourceText>& source) {
    const auto text = read_own_file(memory);
    if (!text || text->size() < kDigestBytes) return std::nullopt;
    const std::string_view document = std::string_view(*text).substr(kDigestBytes);
    if (view_of(digest_of(*source, document)) != std::string_view(*text).substr(0, kDigestBytes)) return std::nullopt;
    return document_of_bytes(document, source);
}

}  // namespace

ConfigValue RememberedDocuments::read(const fs::path& file) {
    const auto source = read_yaml_source(file.string());
    if (!store_ || program().empty()) return parse_yaml(source);  // without an ID, builds could not be told apart
    fs::path memory = memory_of(file, *store_);
    if (auto document = recalled(memory, source)) return *std::move(document);
    ConfigValue document = parse_yaml(source);
    parsed_.push_back({std::move(memory), source, document});
    return document;
}

void RememberedDocuments::remember() {
    for (const Parsed& one : std::exchange(parsed_, {})) {
        const auto document = bytes_of_document(one.document, 1024 + 8 * one.source->text.size());
        if (!document) continue;
        std::error_code ignored;
        fs::create_directory(one.memory.parent_path(), ignored);
        write_own_file(one.memory, std::string(view_of(digest_of(*one.source, *document))) + *document);
    }
}

}  // namespace satdl
