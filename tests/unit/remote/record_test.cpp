#include "pipeline/remote/record.h"

#include <catch2/catch.hpp>

#include "tests/support/remote_samples.h"

using namespace satdl;
using namespace satdl::test;

namespace {

std::string refusal(std::string_view text, const RecordTrust& trust, const Digest& key = sample_key()) {
    const auto parsed = parse_record(text, key, trust);
    const auto* const refused = std::get_if<RefusedRecord>(&parsed);
    return refused == nullptr ? "" : refused->why;
}

std::string signed_by(const SigningKey& key, const RemoteRecord& record) {
    return record_text(record, std::vector{sign(key, signed_text(record))});
}

}  // namespace

TEST_CASE("a record comes back out of an ActionResult with every digest and metric of its artifact") {
    const SigningKey ci = generate_signing_key("ci");
    const RemoteRecord record = sample_record();
    const std::string text = signed_by(ci, record);
    const std::string bytes = as_action_result(record, text);
    const auto found = text_in_action_result(bytes);
    REQUIRE(found);
    CHECK(*found == text);
    const auto parsed = parse_record(*found, sample_key(), {.keys = {ci.public_key()}});
    const auto* const read = std::get_if<RemoteRecord>(&parsed);
    REQUIRE(read != nullptr);
    CHECK(read->blob == record.blob);
    CHECK(read->header.port_digests == record.header.port_digests);
    CHECK(read->header.metrics.at("metrics").at("accuracy") == 0.1);
    CHECK(read->header.tables.size() == 1);
    CHECK(read->header_text == record.header_text);
}

TEST_CASE("a field that a server adds to an ActionResult changes nothing") {
    const RemoteRecord record = sample_record();
    const std::string text = record_text(record, {});
    const std::string bytes = as_action_result(record, text) + "\x20\x05" + std::string("\x4a\x03\x0a\x01w", 5);
    CHECK(text_in_action_result(bytes) == text);
    CHECK_FALSE(text_in_action_result(std::string_view(bytes).substr(0, bytes.size() - 1)));
    CHECK_FALSE(text_in_action_result("<html>not found</html>"));
    CHECK_FALSE(text_in_action_result(""));
}

TEST_CASE("a record of nobody who is trusted is refused, whoever says what") {
    const SigningKey ci = generate_signing_key("ci"), bob = generate_signing_key("bob");
    const RemoteRecord record = sample_record(), other = sample_record(1);
    const RecordTrust trust{.keys = {ci.public_key()}};
    CHECK(refusal(record_text(record, {}), trust) == "it is not signed");
    CHECK(refusal(signed_by(bob, record), trust) == "it is signed by bob");
    CHECK(refusal(record_text(record, std::vector{sign(bob, signed_text(record)), sign(ci, signed_text(record))}), trust).empty());
    CHECK(refusal(record_text(record, {}), {.keys = {}, .everyone = true}).empty());
    CHECK(refusal(record_text(record, std::vector{sign(ci, signed_text(other))}), trust) == "it is signed by ci");
    CHECK(refusal(signed_by(ci, other), trust) == "it is of another key");
}

TEST_CASE("no byte of a signed record can be changed, and no part of it left out") {
    const SigningKey ci = generate_signing_key("ci");
    const RemoteRecord record = sample_record();
    const RecordTrust trust{.keys = {ci.public_key()}};
    const std::string text = signed_by(ci, record);
    REQUIRE(refusal(text, trust).empty());
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::string changed = text;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        if (refusal(changed, trust).empty()) FAIL("byte " << at << " can be changed");
    }
    for (std::size_t size = 0; size < text.size(); ++size)
        if (refusal(std::string_view(text).substr(0, size), trust).empty()) FAIL(size << " bytes are enough");
    CHECK_FALSE(refusal(text + "x", trust).empty());
}

TEST_CASE("a record whose parts do not agree is refused although it is signed") {
    const SigningKey ci = generate_signing_key("ci");
    const RecordTrust trust{.keys = {ci.public_key()}};
    RemoteRecord record = sample_record();
    record.header_text = sample_record(1).header_text;
    CHECK(refusal(signed_by(ci, record), trust) == "its header is of another key");
    record = sample_record();
    record.header.file_bytes += 1;
    CHECK(refusal(signed_by(ci, record), trust) == "its header is not an artifact's");
    record = sample_record();
    record.header_text += "more";
    CHECK(refusal(signed_by(ci, record), trust) == "something follows its header");
}
