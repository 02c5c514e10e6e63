// Secrets out of the environment: taken out of it when the program starts, so that no stage, no program of a stage and no record gets them.
#pragma once

#include <filesystem>
#include <string>

namespace satdl {

struct RemoteSecrets {
    std::string token;        // $SATDL_REMOTE_TOKEN: Bearer authentication
    std::string password;     // $SATDL_REMOTE_PASSWORD: Basic authentication
    std::string signing_key;  // $SATDL_SIGNING_KEY: the text of a private key
};

// Before there are threads.
void take_remote_secrets();
[[nodiscard]] const RemoteSecrets& remote_secrets();

// The text of a file that only its owner, who is this user or root, can read. Throws Error{Usage} naming the file, and never its content.
// `what`: "the private key".
[[nodiscard]] std::string read_secret_file(const std::filesystem::path& path, const std::string& what);

}  // namespace satdl
