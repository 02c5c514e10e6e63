#include "pipeline/remote/remote_secrets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "pipeline/core/error.h"
#include "pipeline/core/unique_fd.h"

namespace satdl {
namespace {

RemoteSecrets& taken() {
    static RemoteSecrets secrets;
    return secrets;
}

std::string take(const char* name) {
    const char* const value = std::getenv(name);
    if (value == nullptr) return "";
    std::string text = value;
    ::unsetenv(name);
    return text;
}

}  // namespace

void take_remote_secrets() {
    taken() = {.token = take("SATDL_REMOTE_TOKEN"), .password = take("SATDL_REMOTE_PASSWORD"), .signing_key = take("SATDL_SIGNING_KEY")};
}

const RemoteSecrets& remote_secrets() { return taken(); }

std::string read_secret_file(const std::filesystem::path& path, const std::string& what) {
    const std::string subject = fmt::format("{} in '{}'", what, printable(path.string()));
    const auto unreadable = [&](const char* reason) { return Error(ExitCode::Usage, fmt::format("cannot read {}: {}", subject, reason)); };
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) throw unreadable(std::strerror(errno));
    if (!S_ISREG(status.st_mode)) throw unreadable("it is not a file");
    if ((status.st_uid != ::geteuid() && status.st_uid != 0) || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        throw Error(ExitCode::Usage, fmt::format("{} is not secret: other users may read or write the file", subject),
                    fmt::format("chmod 600 '{}', and take another one if it has been read", printable(path.string())));
    std::array<char, 4096> text{};
    const ssize_t count = ::read(file.get(), text.data(), text.size());
    if (count < 0) throw unreadable(std::strerror(errno));
    std::string secret(text.data(), static_cast<std::size_t>(count));
    while (secret.ends_with('\n') || secret.ends_with('\r')) secret.pop_back();
    return secret;
}

}  // namespace satdl
