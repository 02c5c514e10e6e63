// Keys and signatures as text. Whoever has a private key decides what all who trust its public key take for a result: so keys have names,
// and each record says whose it is.
//
//   ci:0bTmrJ2VbRq...=                      a public key, or a signature: a name, and base64
//   satdl-signing-key-1:ci:9xv8...=         a private key: nothing else looks like one, so none is taken for a public key
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/remote/signature_library.h"

namespace satdl {

struct PublicKey {
    std::string name;
    Ed25519Key key{};
    [[nodiscard]] std::string text() const;
};

struct SigningKey {
    std::string name;
    Ed25519Key secret{};
    [[nodiscard]] std::string text() const;  // secret
    // Throws Error{Store} if satdl's library is missing, or libcrypto fails.
    [[nodiscard]] PublicKey public_key() const;
};

// Letters, digits, '.', '_', '-' and '@', 64 at most.
[[nodiscard]] bool is_key_name(std::string_view name);

// Throws Error{Usage}, whose text repeats nothing of `text`: it may be a private key. `origin`: where it stands, "the file X".
[[nodiscard]] PublicKey parse_public_key(std::string_view text, const std::string& origin);
[[nodiscard]] SigningKey parse_signing_key(std::string_view text, const std::string& origin);

// Each throws Error{Store} if satdl's library is missing, or libcrypto fails.
[[nodiscard]] SigningKey generate_signing_key(const std::string& name);
[[nodiscard]] std::string sign(const SigningKey& key, std::string_view text);  // "ci:base64"
// Whether one of these keys has signed it.
[[nodiscard]] bool is_signed(std::string_view text, std::span<const std::string> signatures, std::span<const PublicKey> trusted);

}  // namespace satdl
