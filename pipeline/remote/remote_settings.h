// Which remote, as whom, and whose records are believed: from the command line, the user's settings file and the files of keys beside it.
//
//   remote:                                       # in settings.yaml, all of it optional
//     url: https://cache.lab/satdl                # or a folder
//     user: ada                                   # Basic authentication; the password: $SATDL_REMOTE_PASSWORD, or password-file
//     password-file: ~/.config/satdl/password     # mode 0600, as each file with a secret
//     token-file: ~/.config/satdl/token           # or a token: $SATDL_REMOTE_TOKEN
//     ca-file: /etc/ssl/lab.pem                   # who vouches for the server; default: whom the system trusts
//     trusted-keys: ["ci:0bTm..."]                # besides those of `satdl cache trust`
//     sign-with: ~/.config/satdl/signing-key      # the default; or $SATDL_SIGNING_KEY has the key itself
//     required: true                              # as --remote-required
//
// A secret is in none of these, nor in a URL: a settings file is copied and shown to others, and a URL stands in logs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/core/config_value.h"
#include "pipeline/remote/signature.h"

namespace satdl {

// Of the command line.
struct RemoteChoice {
    std::string place{};    // URL or folder; "": that of the settings file; "none": no remote
    bool refresh = false;   // ask again for what was not there within the last hour
    bool required = false;  // a remote that does not answer ends the run
};

// Whose records are believed, and what signs those of this user.
struct RemoteKeys {
    std::optional<SigningKey> signing{};
    std::vector<PublicKey> trusted{};  // others
};

struct RemoteSettings {
    std::string place{};  // an absolute folder, or a URL without a slash at its end; "": no remote
    std::string user{}, password{}, token{}, ca_file{};
    RemoteKeys keys{};
    bool refresh = false, required = false;

    [[nodiscard]] bool is_http() const;
};

// `settings`: of the settings file (yaml/user_settings.h). Throws Error{Usage}: with the place of what is wrong in the file; for a URL or a
// file of secrets that must not be used. Reads nothing if no remote is chosen.
[[nodiscard]] RemoteSettings remote_settings(const RemoteChoice& choice, const ConfigValue& settings);

[[nodiscard]] RemoteKeys remote_keys(const ConfigValue& settings);

// ---- the files of keys, beside the settings file ----

[[nodiscard]] std::filesystem::path signing_key_file();
[[nodiscard]] std::filesystem::path trusted_keys_file();
// Of the file, one a line; none if it is absent. Throws Error{Usage}.
[[nodiscard]] std::vector<PublicKey> trusted_keys();
// Adds it to the file. Returns whether it is new; throws Error{Usage} if the name is another key's.
bool trust_key(const PublicKey& key);
// Makes the file, which only the user can read. Throws Error{Usage} if there is one.
void write_signing_key(const SigningKey& key, const std::filesystem::path& file);

}  // namespace satdl
