#include "pipeline/remote/signature.h"

#include <catch2/catch.hpp>

#include "pipeline/core/base64.h"
#include "pipeline/core/error.h"

using namespace satdl;

namespace {

std::string unhexed(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return bytes;
}

}  // namespace

TEST_CASE("a signature of RFC 8032's second test vector") {
    const std::string secret = unhexed("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    const std::string public_key = unhexed("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    const std::string signature = unhexed(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    const SigningKey key = parse_signing_key("satdl-signing-key-1:ci:" + base64(secret), "the test");
    CHECK(key.public_key().text() == "ci:" + base64(public_key));
    CHECK(sign(key, "\x72") == "ci:" + base64(signature));
}

TEST_CASE("what a key has signed is believed of that key, and of nothing else") {
    const SigningKey ci = generate_signing_key("ci"), other = generate_signing_key("other");
    const std::vector<PublicKey> trusted{ci.public_key()};
    const std::vector<std::string> good{sign(ci, "text")};
    CHECK(is_signed("text", good, trusted));
    CHECK_FALSE(is_signed("texT", good, trusted));
    CHECK_FALSE(is_signed("text", good, {}));
    CHECK_FALSE(is_signed("text", {}, trusted));
    CHECK_FALSE(is_signed("text", std::vector{sign(other, "text")}, trusted));
    CHECK(is_signed("text", std::vector{sign(other, "text"), std::string("nonsense"), good.front()}, trusted));
    SigningKey impostor = other;
    impostor.name = "ci";
    CHECK_FALSE(is_signed("text", std::vector{sign(impostor, "text")}, trusted));
    CHECK_FALSE(is_signed("text", std::vector{"ci:" + base64(std::string(64, '\0'))}, trusted));
}

TEST_CASE("keys as text are read back, and a private one is never taken for a public one") {
    const SigningKey key = generate_signing_key("ada@lab-1.x");
    CHECK(parse_signing_key(key.text() + "\n", "X").public_key().text() == key.public_key().text());
    CHECK(parse_public_key(key.public_key().text(), "X").text() == key.public_key().text());
    const std::string secret = base64({reinterpret_cast<const char*>(key.secret.data()), key.secret.size()});
    for (const std::string& text : {key.text(), std::string("ci"), std::string("ci:"), std::string("ci:AAAA"),
                                    ":" + key.public_key().text(), "a b:" + base64(std::string(32, 'x')),
                                    std::string(65, 'n') + ":" + base64(std::string(32, 'x'))}) {
        try {
            (void)parse_public_key(text, "X");
            FAIL("taken: " + text);
        } catch (const Error& error) {
            CHECK(error.code() == ExitCode::Usage);
            CHECK(std::string(error.what()).find(secret) == std::string::npos);
        }
    }
    CHECK_THROWS_AS(parse_signing_key(key.public_key().text(), "X"), Error);
    CHECK_THROWS_AS(parse_signing_key("", "X"), Error);
}
