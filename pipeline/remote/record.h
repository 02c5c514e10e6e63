// What a remote says of one key, "ac/<key>": which artifact it has, and the whole header of that artifact, so that a plan, its tables and
// its metrics need no artifact. The header has the digest of every tensor.
//
// As bytes it is an ActionResult of the Remote Execution API, because servers for Bazel's cache take nothing else there; some check that
// the files it names are there, and some add a field of their own. So what is signed is a text in one field of it (stdout_raw), and
// nothing else is used:
//
//   satdl-record: 1
//   Key: 3c4430ba416e...
//   Kind: train
//   Sha256: 93ab...           of the artifact, "cas/93ab..."
//   Size: 1052672             bytes of the artifact
//   Header-Sha256: 77e1...
//   Sig: ci:base64            any number of them, over all lines above the first
//
//   satdl-object-1 ...        the header's text
//
// A replayed record is harmless: a key's artifact is a function of the key. One under another key is refused, as is one that nobody who is
// trusted has signed. REAPI's protobuf: build.bazel.remote.execution.v2.ActionResult.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pipeline/remote/signature.h"
#include "pipeline/store/artifact_header.h"

namespace satdl {

inline constexpr std::uint64_t kMaxRecordBytes = std::uint64_t{16} << 20;
inline constexpr std::size_t kMaxSignatures = 16;

struct RemoteRecord {
    Digest blob;              // SHA-256 of the artifact's file; its size is header.file_bytes
    ArtifactHeader header;
    std::string header_text;  // as at the start of the file
};

// Where the files lie at a remote.
[[nodiscard]] std::string record_name(const Digest& key);
[[nodiscard]] std::string blob_name(const Digest& blob);

// All lines above the signatures, with the line feeds. Precondition: header_text is the text of the header.
[[nodiscard]] std::string signed_text(const RemoteRecord& record);
// The whole text, and that as an ActionResult.
[[nodiscard]] std::string record_text(const RemoteRecord& record, std::span<const std::string> signatures);
[[nodiscard]] std::string as_action_result(const RemoteRecord& record, std::string_view text);
// The text in an ActionResult; nullopt if the bytes are none, or it has none.
[[nodiscard]] std::optional<std::string_view> text_in_action_result(std::string_view bytes);

// Whose records are believed.
struct RecordTrust {
    std::vector<PublicKey> keys{};
    bool everyone = false;  // nobody but the user can write there
};

struct RefusedRecord {
    std::string why;        // "it is of another key", "it is signed by bob". Printable
    // Of one that is whole, but that nobody who is trusted has signed; else empty.
    std::string signed_text{};
    std::vector<std::string> signatures{};
};
// Throws nothing for what the text is.
[[nodiscard]] std::variant<RemoteRecord, RefusedRecord> parse_record(std::string_view text, const Digest& key, const RecordTrust& trust);

}  // namespace satdl
