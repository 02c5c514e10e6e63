#include "commands/store/remote_keys.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "commands/shared/warnings.h"
#include "pipeline/core/error.h"
#include "pipeline/remote/remote_secrets.h"
#include "pipeline/remote/remote_settings.h"
#include "pipeline/yaml/user_settings.h"

namespace satdl {

namespace {

struct KeygenOptions {
    std::string name, file;
};

ExitCode keygen(const KeygenOptions& options) {
    if (!is_key_name(options.name))
        throw Error(ExitCode::Usage, fmt::format("'{}' is not a name for a key", printable(options.name)),
                    "letters, digits, '.', '_', '-' and '@', at most 64: ada@lab");
    const SigningKey key = generate_signing_key(options.name);
    const std::filesystem::path file = options.file.empty() ? signing_key_file() : std::filesystem::path(options.file);
    write_signing_key(key, file);
    fmt::print("{}\n", key.public_key().text());
    print_on_stderr(fmt::format("satdl: that is the public key, for `satdl cache trust`; the private one is in '{}', and nobody else may "
                                "have it", printable(file.string())));
    return ExitCode::Done;
}

struct TrustOptions {
    std::vector<std::string> keys;
};

// All who are believed, and why.
void list_keys() {
    const RemoteKeys keys = remote_keys(read_user_settings());
    if (keys.signing) fmt::print("{}  your own\n", keys.signing->public_key().text());
    for (const PublicKey& key : keys.trusted) fmt::print("{}\n", key.text());
    if (!keys.signing && keys.trusted.empty()) fmt::print("no key is trusted\n");
}

ExitCode trust(const TrustOptions& options) {
    std::vector<PublicKey> keys;
    for (const std::string& text : options.keys) keys.push_back(parse_public_key(text, "what is to be trusted"));
    for (const PublicKey& key : keys)
        fmt::print("{} {}\n", key.name, trust_key(key) ? "is trusted from now on" : "was trusted already");
    if (keys.empty()) list_keys();
    return ExitCode::Done;
}

}  // namespace

void add_remote_key_commands(Command& cache) {
    cache.add_command<KeygenOptions>(
        "keygen", "make the key with which this user's results are signed for a remote",
        "Prints the public key. The private key is written to a file that only you can read, and is never overwritten.\n"
        "Example:\n  satdl cache keygen ada@lab",
        [](Command& command, KeygenOptions& options) {
            command.add_option("name", options.name, "what the key is called, in signatures and lists").required().type_name("NAME");
            command.add_option("--file", options.file, "where the private key goes; default: signing-key beside the settings file")
                .type_name("FILE");
        },
        keygen);
    cache.add_command<TrustOptions>(
        "trust", "believe the results that others have signed; without a key: list whose are believed",
        "Whoever has the private key decides what your runs take for a result.\n"
        "Examples:\n  satdl cache trust\n  satdl cache trust ci:0bTmrJ2VbRq...=",
        [](Command& command, TrustOptions& options) {
            command.add_option("keys", options.keys, "public keys, as `satdl cache keygen` prints them").type_name("NAME:BASE64");
        },
        trust);
}

}  // namespace satdl
