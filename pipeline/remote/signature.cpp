#include "pipeline/remote/signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "pipeline/core/ascii.h"
#include "pipeline/core/base64.h"
#include "pipeline/core/error.h"
#include "pipeline/os/shared_library.h"

namespace satdl {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::string_view kSecretPrefix = "satdl-signing-key-1:";

SignatureLibrary load_library() {
    const auto path = program_folder() / "libsatdl_signatures.so";
    const SharedLibrary library(path);
    const auto function = reinterpret_cast<SignatureLibraryFunction>(library.find(kSignatureLibrarySymbol));
    if (function == nullptr) throw Error(ExitCode::Store, path.string() + " lacks " + kSignatureLibrarySymbol, "build satdl again");
    return function();
}

const SignatureLibrary& library() {
    static const SignatureLibrary loaded = load_library();
    return loaded;
}

void demand(bool worked, const char* what) {
    if (!worked) throw Error(ExitCode::Store, fmt::format("libcrypto cannot {}", what));
}

template <typename Bytes>
std::string named(const std::string& name, const Bytes& bytes) {
    return fmt::format("{}:{}", name, base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
}

// Of "name:base64".
template <typename Bytes>
std::optional<std::string> parse_named(std::string_view text, Bytes& bytes) {
    const std::size_t colon = text.find(':');
    if (colon == text.npos || !is_key_name(text.substr(0, colon))) return std::nullopt;
    const auto decoded = from_base64(text.substr(colon + 1));
    if (!decoded || decoded->size() != bytes.size()) return std::nullopt;
    std::memcpy(bytes.data(), decoded->data(), bytes.size());
    return std::string(text.substr(0, colon));
}

std::string_view without_line_feed(std::string_view text) {
    while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
    return text;
}

}  // namespace

std::string PublicKey::text() const { return named(name, key); }
PublicKey SigningKey::public_key() const {
    PublicKey of{name, {}};
    demand(library().public_of(secret, of.key), "use a private key");
    return of;
}

std::string SigningKey::text() const { return std::string(kSecretPrefix) + named(name, secret); }

bool is_key_name(std::string_view name) { return name.size() <= kMaxName && is_made_of(name, "._-@"); }

PublicKey parse_public_key(std::string_view text, const std::string& origin) {
    text = without_line_feed(text);
    if (text.starts_with(kSecretPrefix))
        throw Error(ExitCode::Usage, fmt::format("{} is a private key, which only its owner may have", origin),
                    "give the public one, NAME:BASE64, which `satdl cache trust` prints");
    PublicKey parsed;
    auto name = parse_named(text, parsed.key);
    if (!name)
        throw Error(ExitCode::Usage, fmt::format("{} is not a public key", origin),
                    "a public key is NAME:BASE64, as `satdl cache keygen NAME` prints it");
    parsed.name = *std::move(name);
    return parsed;
}

SigningKey parse_signing_key(std::string_view text, const std::string& origin) {
    text = without_line_feed(text);
    SigningKey parsed;
    std::optional<std::string> name;
    if (text.starts_with(kSecretPrefix)) name = parse_named(text.substr(kSecretPrefix.size()), parsed.secret);
    if (!name)
        throw Error(ExitCode::Usage, fmt::format("{} is not a private key", origin), "`satdl cache keygen NAME` makes one");
    parsed.name = *std::move(name);
    return parsed;
}

SigningKey generate_signing_key(const std::string& name) {
    SigningKey made;
    made.name = name;
    demand(library().generate(made.secret), "make a key");
    return made;
}

std::string sign(const SigningKey& key, std::string_view text) {
    Ed25519Signature signature;
    demand(library().sign(key.secret, text, signature), "sign");
    return named(key.name, signature);
}

bool is_signed(std::string_view text, std::span<const std::string> signatures, std::span<const PublicKey> trusted) {
    for (const std::string& one : signatures) {
        Ed25519Signature signature;
        const auto name = parse_named(one, signature);
        if (!name) continue;
        const auto by_trusted = [&](const PublicKey& key) { return key.name == *name && library().verify(key.key, text, signature); };
        if (std::ranges::any_of(trusted, by_trusted)) return true;
    }
    return false;
}

}  // namespace satdl
