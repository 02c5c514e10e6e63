#include "pipeline/remote/signature_library.h"

#include <openssl/evp.h>

#include <memory>
#include <type_traits>

namespace satdl {
namespace {

struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct FreeKeyContext {
    void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

const unsigned char* bytes_of(const auto& bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* room_in(auto& array) { return reinterpret_cast<unsigned char*>(array.data()); }

Key secret_key(const Ed25519Key& secret) {
    return Key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes_of(secret), secret.size()));
}

bool generate(Ed25519Key& secret) {
    const std::unique_ptr<EVP_PKEY_CTX, FreeKeyContext> context(EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nullptr));
    EVP_PKEY* made = nullptr;
    if (!context || EVP_PKEY_keygen_init(context.get()) != 1 || EVP_PKEY_keygen(context.get(), &made) != 1) return false;
    const Key key(made);
    std::size_t size = secret.size();
    return EVP_PKEY_get_raw_private_key(key.get(), room_in(secret), &size) == 1 && size == secret.size();
}

bool public_of(const Ed25519Key& secret, Ed25519Key& public_key) {
    const Key key = secret_key(secret);
    std::size_t size = public_key.size();
    return key && EVP_PKEY_get_raw_public_key(key.get(), room_in(public_key), &size) == 1 && size == public_key.size();
}

bool sign(const Ed25519Key& secret, std::string_view text, Ed25519Signature& signature) {
    const Key key = secret_key(secret);
    const Context context(EVP_MD_CTX_new());
    std::size_t size = signature.size();
    return key && context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
           EVP_DigestSign(context.get(), room_in(signature), &size, bytes_of(text), text.size()) == 1 && size == signature.size();
}

bool verify(const Ed25519Key& public_key, std::string_view text, const Ed25519Signature& signature) {
    const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(public_key), public_key.size()));
    const Context context(EVP_MD_CTX_new());
    return key && context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
           EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text), text.size()) == 1;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) SignatureLibrary satdl_signature_library() {
    return {.generate = generate, .public_of = public_of, .sign = sign, .verify = verify};
}

static_assert(std::is_same_v<decltype(&satdl_signature_library), SignatureLibraryFunction>);

}  // namespace satdl
