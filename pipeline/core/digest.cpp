// libcrypto finds the processor's SHA instructions by itself (2 GB/s a core with SHA-NI). SHA256_Init and its kin are called deprecated,
// in favour of EVP: that loads providers and a configuration file, and needs all of libcrypto, 1 to 2 ms of each start of satdl.
// Rejected: BLAKE3, faster without those instructions but not in Debian as a library, and not what the world publishes for its files.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "pipeline/core/digest.h"

#include <openssl/sha.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "pipeline/core/error.h"

namespace satdl {
namespace {

// Below this, starting oneTBB costs more than it brings.
constexpr std::size_t kParallelBytes = 4 * kDigestBlockBytes;

SHA256_CTX* as_context(void* context) {
    return static_cast<SHA256_CTX*>(context);
}

int hex_digit(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    return -1;
}

std::span<const std::byte> block(std::span<const std::byte> bytes, std::size_t number) {
    const std::size_t start = number * kDigestBlockBytes;
    return bytes.subspan(start, std::min(kDigestBlockBytes, bytes.size() - start));
}

std::vector<Digest> block_digests(std::span<const std::byte> bytes) {
    std::vector<Digest> digests((bytes.size() + kDigestBlockBytes - 1) / kDigestBlockBytes);
    if (bytes.size() <= kParallelBytes) {
        for (std::size_t i = 0; i < digests.size(); ++i) digests[i] = sha256(block(bytes, i));
        return digests;
    }
    // ProcessExecutor: a thread that waits here must not start an unrelated stage meanwhile, under whatever lock the caller holds.
    tbb::this_task_arena::isolate([&] {
        tbb::parallel_for(std::size_t{0}, digests.size(), [&](std::size_t i) { digests[i] = sha256(block(bytes, i)); });
    });
    return digests;
}

}  // namespace

std::string Digest::hex() const {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text(2 * bytes.size(), '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        text[2 * i] = kDigits[std::to_integer<std::size_t>(bytes[i] >> 4)];
        text[2 * i + 1] = kDigits[std::to_integer<std::size_t>(bytes[i] & std::byte{15})];
    }
    return text;
}

std::optional<Digest> Digest::from_hex(std::string_view hex) {
    Digest digest;
    if (hex.size() != 2 * digest.bytes.size()) return std::nullopt;
    for (std::size_t i = 0; i < digest.bytes.size(); ++i) {
        const int high = hex_digit(hex[2 * i]);
        const int low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        digest.bytes[i] = static_cast<std::byte>(high * 16 + low);
    }
    return digest;
}

Sha256::Sha256() : context_(nullptr) {
    auto context = std::make_unique<SHA256_CTX>();
    SATDL_CHECK(SHA256_Init(context.get()) == 1, "cannot begin a SHA-256");
    context_ = context.release();
}

Sha256::~Sha256() {
    delete as_context(context_);
}

Sha256::Sha256(Sha256&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}

Sha256& Sha256::operator=(Sha256&& other) noexcept {
    std::swap(context_, other.context_);
    return *this;
}

Sha256& Sha256::update(std::span<const std::byte> bytes) {
    SATDL_CHECK(SHA256_Update(as_context(context_), bytes.data(), bytes.size()) == 1, "cannot continue a SHA-256");
    return *this;
}

Sha256& Sha256::update(std::string_view text) {
    return update(std::as_bytes(std::span(text)));
}

Digest Sha256::finish() {
    Digest digest;
    auto* const target = reinterpret_cast<unsigned char*>(digest.bytes.data());
    SATDL_CHECK(SHA256_Final(target, as_context(context_)) == 1, "cannot finish a SHA-256");
    return digest;
}

Digest sha256(std::span<const std::byte> bytes) {
    return Sha256().update(bytes).finish();
}

Digest sha256(std::string_view text) {
    return sha256(std::as_bytes(std::span(text)));
}

Digest tree_digest(std::span<const std::byte> bytes) {
    std::array<std::byte, 8> length{};
    const std::uint64_t size = bytes.size();
    for (std::size_t i = 0; i < length.size(); ++i) length[i] = static_cast<std::byte>(size >> (8 * i));
    Sha256 tree;
    tree.update("satdl-tree-1\n").update(length);
    for (const Digest& digest : block_digests(bytes)) tree.update(digest.bytes);
    return tree.finish();
}

}  // namespace satdl

std::size_t std::hash<satdl::Digest>::operator()(const satdl::Digest& digest) const noexcept {
    std::size_t value = 0;  // the digest's own first bytes are as random as any hash of them
    std::memcpy(&value, digest.bytes.data(), sizeof(value));
    return value;
}
