#include "pipeline/core/digest.h"

#include <catch2/catch.hpp>
#include <tbb/global_control.h>

#include <vector>

using namespace satdl;

namespace {

std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * 2654435761U) >> 13);
    return bytes;
}

// The definition, without threads.
Digest slow_tree(const std::vector<std::byte>& bytes) {
    std::vector<std::byte> text;
    for (const char c : std::string_view("satdl-tree-1\n")) text.push_back(static_cast<std::byte>(c));
    for (int i = 0; i < 8; ++i) text.push_back(static_cast<std::byte>(bytes.size() >> (8 * i)));
    for (std::size_t start = 0; start < bytes.size(); start += kDigestBlockBytes) {
        const auto size = std::min(kDigestBlockBytes, bytes.size() - start);
        const Digest digest = sha256(std::span(bytes).subspan(start, size));
        text.insert(text.end(), digest.bytes.begin(), digest.bytes.end());
    }
    return sha256(text);
}

}  // namespace

TEST_CASE("SHA-256 gives the standard's own examples") {
    CHECK(sha256("").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(Sha256().update("a").update("").update("bc").finish() == sha256("abc"));
}

TEST_CASE("a digest reads back from its own hex, and from nothing else") {
    const Digest digest = sha256("abc");
    CHECK(Digest::from_hex(digest.hex()) == digest);
    CHECK(digest.short_hex() == "ba7816bf8f01");
    std::string upper = digest.hex();
    upper[0] = 'B';
    CHECK_FALSE(Digest::from_hex(upper));
    CHECK_FALSE(Digest::from_hex(digest.hex().substr(1)));
    CHECK_FALSE(Digest::from_hex(digest.hex() + "0"));
    CHECK_FALSE(Digest::from_hex(std::string(64, 'g')));
    CHECK_FALSE(Digest::from_hex(""));
}

TEST_CASE("a SHA-256 can be moved while it is taken") {
    Sha256 first;
    first.update("ab");
    Sha256 second = std::move(first);
    second.update("c");
    Sha256 third;
    third = std::move(second);
    CHECK(third.finish() == sha256("abc"));
}

TEST_CASE("the tree digest is what its definition says, around every boundary of blocks") {
    constexpr std::size_t kBlock = kDigestBlockBytes;
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, kBlock - 1, kBlock, kBlock + 1, 4 * kBlock, 4 * kBlock + 1, 9 * kBlock + 77}) {
        const auto bytes = pattern(size);
        CHECK(tree_digest(bytes) == slow_tree(bytes));
    }
}

TEST_CASE("the tree digest is the same for every number of threads") {
    const auto bytes = pattern(11 * kDigestBlockBytes + 5);
    const Digest expected = slow_tree(bytes);
    for (const std::size_t threads : {1, 2, 3, 8}) {
        const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
        CHECK(tree_digest(bytes) == expected);
    }
}
