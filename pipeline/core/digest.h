// SHA-256 of bytes, and of large arrays as a tree over 1 MiB blocks, so that hashing uses every core.
//
// tree_digest(bytes) = SHA-256("satdl-tree-1\n" ++ length as u64 LE ++ SHA-256(block 0) ++ SHA-256(block 1) ++ ...).
// The tree form is what artifacts carry; plain sha256 is what the world publishes for downloaded files.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace satdl {

struct Digest {
    std::array<std::byte, 32> bytes{};

    auto operator<=>(const Digest&) const = default;
    [[nodiscard]] std::string hex() const;                                   // 64 lower-case digits
    [[nodiscard]] std::string short_hex() const { return hex().substr(0, 12); }
    [[nodiscard]] static std::optional<Digest> from_hex(std::string_view hex);
};

// SHA-256 taken in pieces.
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    Sha256& update(std::span<const std::byte> bytes);
    Sha256& update(std::string_view text);
    [[nodiscard]] Digest finish();  // once

private:
    void* context_;
};

[[nodiscard]] Digest sha256(std::span<const std::byte> bytes);
[[nodiscard]] Digest sha256(std::string_view text);

inline constexpr std::size_t kDigestBlockBytes = std::size_t{1} << 20;

// The digest of a tensor's bytes; blocks are hashed in parallel (oneTBB). Equal for every number of threads.
[[nodiscard]] Digest tree_digest(std::span<const std::byte> bytes);

}  // namespace satdl

template <>
struct std::hash<satdl::Digest> {
    std::size_t operator()(const satdl::Digest& digest) const noexcept;
};
