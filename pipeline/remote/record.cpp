#include "pipeline/remote/record.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "pipeline/core/protobuf_reader.h"
#include "pipeline/core/protobuf_writer.h"
#include "pipeline/store/recipe.h"

namespace satdl {
namespace {

// Fields of ActionResult, OutputFile, Digest and ExecutedActionMetadata.
constexpr int kOutputFiles = 2, kStdoutRaw = 5, kExecutionMetadata = 9;
constexpr int kPath = 1, kFileDigest = 2;
constexpr int kHash = 1, kSize = 2;
constexpr int kWorker = 1;

std::string kind_of(const ArtifactHeader& header) {
    const KeyPart* const kind = find_part(header.recipe, "kind");
    return kind == nullptr ? "" : kind->value;
}

// Takes "name: value\n" off the start of the text.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view name) {
    if (!text.starts_with(name) || !text.substr(name.size()).starts_with(": ")) return std::nullopt;
    const std::size_t from = name.size() + 2, end = text.find('\n', from);
    if (end == text.npos) return std::nullopt;
    const std::string_view value = text.substr(from, end - from);
    text.remove_prefix(end + 1);
    return value;
}

std::string signers(const std::vector<std::string>& signatures) {
    std::string names;
    for (const std::string& one : signatures) names += (names.empty() ? "" : ", ") + one.substr(0, one.find(':'));
    return names.empty() ? "it is not signed" : "it is signed by " + printable(names);
}

}  // namespace

std::string record_name(const Digest& key) { return "ac/" + key.hex(); }
std::string blob_name(const Digest& blob) { return "cas/" + blob.hex(); }

std::string signed_text(const RemoteRecord& record) {
    return fmt::format("satdl-record: 1\nKey: {}\nKind: {}\nSha256: {}\nSize: {}\nHeader-Sha256: {}\n", record.header.key.hex(),
                       kind_of(record.header), record.blob.hex(), record.header.file_bytes, sha256(record.header_text).hex());
}

std::string record_text(const RemoteRecord& record, std::span<const std::string> signatures) {
    std::string text = signed_text(record);
    for (const std::string& one : signatures) text += fmt::format("Sig: {}\n", one);
    return text + '\n' + record.header_text;
}

std::string as_action_result(const RemoteRecord& record, std::string_view text) {
    ProtobufWriter digest, file, metadata, result;
    digest.bytes(kHash, record.blob.hex());
    digest.integer(kSize, static_cast<std::int64_t>(record.header.file_bytes));
    file.bytes(kPath, "outcome.h5");
    file.message(kFileDigest, digest);
    metadata.bytes(kWorker, "satdl");
    result.message(kOutputFiles, file);
    result.bytes(kStdoutRaw, text);
    result.message(kExecutionMetadata, metadata);
    return result.text();
}

std::optional<std::string_view> text_in_action_result(std::string_view bytes) {
    ProtobufReader reader(bytes);
    std::optional<std::string_view> found;
    while (const auto field = reader.next())
        if (field->number == kStdoutRaw) found = field->bytes;
    return reader.damaged() ? std::nullopt : found;
}

std::variant<RemoteRecord, RefusedRecord> parse_record(std::string_view text, const Digest& key, const RecordTrust& trust) {
    const std::string_view whole = text;
    if (take_line(text, "satdl-record") != "1") return RefusedRecord{"it is no record of this satdl"};
    const auto of_key = take_line(text, "Key"), kind = take_line(text, "Kind"), blob = take_line(text, "Sha256"),
               size = take_line(text, "Size"), header_digest = take_line(text, "Header-Sha256");
    if (!of_key || !kind || !blob || !size || !header_digest) return RefusedRecord{"it lacks a line"};
    const std::string_view signed_part = whole.substr(0, whole.size() - text.size());
    if (*of_key != key.hex()) return RefusedRecord{"it is of another key"};
    std::vector<std::string> signatures;
    while (const auto signature = take_line(text, "Sig")) {
        if (signatures.size() == kMaxSignatures) return RefusedRecord{"it has too many signatures"};
        signatures.emplace_back(*signature);
    }
    if (!text.starts_with('\n')) return RefusedRecord{"it has a line too many"};
    text.remove_prefix(1);
    if (!trust.everyone && !is_signed(signed_part, signatures, trust.keys))
        return RefusedRecord{signers(signatures), std::string(signed_part), std::move(signatures)};

    const auto digest = Digest::from_hex(*blob);
    std::uint64_t file_bytes = 0;
    const auto [end, error] = std::from_chars(size->data(), size->data() + size->size(), file_bytes);
    if (!digest || error != std::errc() || end != size->data() + size->size()) return RefusedRecord{"it has an impossible line"};
    if (sha256(text).hex() != *header_digest) return RefusedRecord{"its header does not match its digest"};
    RemoteRecord record{.blob = *digest, .header = {}, .header_text = std::string(text)};
    try {
        record.header = header_from_text(text, file_bytes, record_name(key));
    } catch (const DamagedArtifact&) {
        return RefusedRecord{"its header is not an artifact's"};
    }
    if (record.header.key != key) return RefusedRecord{"its header is of another key"};
    if (record.header.text_bytes != text.size()) return RefusedRecord{"something follows its header"};
    return record;
}

}  // namespace satdl
