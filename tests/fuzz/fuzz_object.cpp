// An artifact: header, places, digests. The header's own digest, its key and the file's size, which a mutation can hardly
// hit, are put right first; unless the input begins with '!', which is read as it stands.
#include <nlohmann/json.hpp>

#include "pipeline/core/json.h"
#include "pipeline/store/artifact.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/text_file_system.h"

using namespace satdl;

namespace {

constexpr std::size_t kUserBlock = 4096;

// JSON, a NUL, what stands behind the user block.
std::string put_right(std::string_view text) {
    const std::size_t cut = std::min(text.find('\0'), text.size());
    std::string json(text.substr(0, cut));
    const std::string_view rest = cut < text.size() ? text.substr(cut + 1) : "";
    std::erase(json, '\n');
    Json parsed = Json::parse(json, nullptr, false);
    if (parsed.is_object()) {
        parsed["file_bytes"] = kUserBlock + rest.size();
        parsed["user_block_bytes"] = kUserBlock;
        try {
            Recipe recipe;
            for (const Json& part : parsed.at("recipe"))
                recipe.push_back({part.at(0).get<std::string>(), part.at(1).get<std::string>()});
            parsed["key"] = key_of(recipe).hex();
        } catch (const Json::exception&) {
        }
        json = parsed.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    json += '\n';
    std::string file = "satdl-object-1\n" + sha256(json).hex() + "\n" + json;
    if (file.size() < kUserBlock) file.resize(kUserBlock);
    return file.append(rest);
}

}  // namespace

SATDL_FUZZER(text) {
    test::TextFileSystem files;
    files.text = text.starts_with('!') ? std::string(text.substr(1)) : put_right(text);
    fuzz::expect_result_or_error([&] {
        const ArtifactHeader header = read_header(files, "artifact");
        const MappedFile mapped = files.map("artifact");
        for (const TensorRecord& tensor : header.tensors)
            if (tensor.offset > mapped.bytes.size() || tensor.bytes() > mapped.bytes.size() - tensor.offset) std::abort();
        (void)view_artifact(header, mapped);
        verify_artifact(header, mapped.bytes, "artifact");
    });
}
