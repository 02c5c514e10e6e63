// What libsatdl_signatures.so exports: ed25519 of libcrypto. Of the program itself, which links libcrypto for SHA-256 alone
// (core/digest.cpp), this would take 1 to 2 ms of each start.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace satdl {

using Ed25519Key = std::array<std::byte, 32>;  // a private one (the seed of RFC 8032), or a public one
using Ed25519Signature = std::array<std::byte, 64>;

// Each returns whether it worked. Safe from any thread.
struct SignatureLibrary {
    bool (*generate)(Ed25519Key& secret);
    bool (*public_of)(const Ed25519Key& secret, Ed25519Key& public_key);
    bool (*sign)(const Ed25519Key& secret, std::string_view text, Ed25519Signature& signature);
    bool (*verify)(const Ed25519Key& public_key, std::string_view text, const Ed25519Signature& signature);
};

// Exported under this name.
using SignatureLibraryFunction = SignatureLibrary (*)();
inline constexpr const char* kSignatureLibrarySymbol = "satdl_signature_library";

}  // namespace satdl
