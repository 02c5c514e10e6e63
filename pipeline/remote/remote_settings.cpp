#include "pipeline/remote/remote_settings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <span>
#include <string_view>
#include <utility>

#include "pipeline/core/ascii.h"
#include "pipeline/core/unique_fd.h"
#include "pipeline/os/file_error.h"
#include "pipeline/os/file_system.h"
#include "pipeline/os/write_all.h"
#include "pipeline/remote/remote_secrets.h"
#include "pipeline/yaml/user_settings.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNone = "none";

bool is_url(std::string_view place) { return place.find("://") != place.npos; }

// Of a URL whose scheme is known: "cache.lab:8080".
std::string_view authority_of(std::string_view url) {
    url.remove_prefix(url.find("://") + 3);
    return url.substr(0, url.find_first_of("/?#"));
}

bool is_this_machine(std::string_view authority) {
    const std::size_t end = authority.starts_with('[') ? authority.find(']') + 1 : authority.find(':');
    const std::string_view host = authority.substr(0, end);
    return host == "localhost" || host == "[::1]" || (host.starts_with("127.") && is_made_of(host, "."));
}

// "cache.lab", "cache.lab:8080", "[::1]:8080"
bool has_possible_port(std::string_view authority) {
    const std::size_t colon = authority.rfind(':');
    if (colon == authority.npos || authority.ends_with(']')) return true;
    const std::string_view port = authority.substr(colon + 1);
    int number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    return error == std::errc() && end == port.data() + port.size() && number > 0 && number < 65536;
}

// Nothing of a URL that may have a password in it is repeated.
std::string checked_url(std::string url, const Place& from) {
    while (url.ends_with('/') && !url.ends_with("://")) url.pop_back();
    const std::string scheme = lower(url.substr(0, url.find("://")));
    if (scheme != "http" && scheme != "https")
        refuse(from, "a remote is at an http:// or https:// URL, or in a folder", "docs/remote.md has examples");
    if (authority_of(url).find('@') != url.npos)
        refuse(from, "the URL of the remote has a user or a password in it, and URLs stand in logs",
               "use `user:` in the settings file, and $SATDL_REMOTE_PASSWORD");
    const bool is_plain = std::ranges::all_of(url, [](char c) { return c > ' ' && c < 0x7f && c != '?' && c != '#' && c != '\\'; });
    if (authority_of(url).empty() || !is_plain || !has_possible_port(authority_of(url)))
        refuse(from, "the URL of the remote is not one", "for example https://cache.lab/satdl");
    return url;
}

fs::path with_home(const std::string& path) {
    const char* const home = std::getenv("HOME");
    if (path.starts_with("~/") && home != nullptr) return fs::path(home) / path.substr(2);
    return path;
}

std::string checked_folder(const std::string& place, const Place& from) {
    std::error_code failed;
    const fs::path folder = fs::absolute(with_home(place), failed).lexically_normal();
    if (!fs::is_directory(folder, failed))
        refuse(from, fmt::format("the remote '{}' is not a folder that exists", printable(place)),
               "make it (mkdir) or mount it; --remote none runs without it");
    std::string text = folder.string();
    if (text.size() > 1 && text.ends_with('/')) text.pop_back();
    return text;
}

std::string checked_place(const std::string& place, const Place& from) {
    return is_url(place) ? checked_url(place, from) : checked_folder(place, from);
}

// The section `remote`.
class SectionReader {
public:
    explicit SectionReader(const ConfigValue& settings) : section_(settings.is_map() ? settings.find("remote") : nullptr) {
        if (section_ == nullptr || section_->is_null()) return;
        if (!section_->is_map()) refuse(section_->place(), "`remote` must be a map, not " + section_->describe());
        static const std::vector<std::string> kNames{"url",     "user",         "password-file", "token-file",
                                                     "ca-file", "trusted-keys", "sign-with",     "required"};
        Diagnostics mistakes;
        for (const auto& entry : section_->entries()) {
            if (std::ranges::find(kNames, entry.key) != kNames.end()) continue;
            const bool is_secret = entry.key == "password" || entry.key == "token";
            mistakes.add(entry.key_place, fmt::format("`remote` has no setting '{}'", printable(entry.key)),
                         is_secret ? fmt::format("a secret stands in a file of its own: {}-file", entry.key)
                                   : did_you_mean(entry.key, kNames));
        }
        mistakes.throw_if_any();
    }

    [[nodiscard]] const ConfigValue* find(const char* name) const {
        const ConfigValue* const value = section_ != nullptr && section_->is_map() ? section_->find(name) : nullptr;
        return value != nullptr && !value->is_null() ? value : nullptr;
    }
    [[nodiscard]] std::string text(const char* name) const {
        const ConfigValue* const value = find(name);
        if (value == nullptr) return "";
        if (!value->is_scalar() || value->text().empty())
            refuse(value->place(), fmt::format("`{}` must be a text, not {}", name, value->describe()));
        return value->text();
    }
    [[nodiscard]] Place place(const char* name) const {
        const ConfigValue* const value = find(name);
        return value == nullptr ? Place{} : value->place();
    }
    [[nodiscard]] bool flag(const char* name) const {
        const ConfigValue* const value = find(name);
        if (value == nullptr) return false;
        const auto flag = value->as_boolean();
        if (!flag) refuse(value->place(), fmt::format("`{}` must be true or false, not {}", name, value->describe()));
        return *flag;
    }
    [[nodiscard]] std::vector<PublicKey> keys(const char* name) const {
        std::vector<PublicKey> keys;
        const ConfigValue* const value = find(name);
        if (value == nullptr) return keys;
        if (!value->is_list()) refuse(value->place(), fmt::format("`{}` must be a list, not {}", name, value->describe()));
        for (const ConfigValue& item : value->items()) keys.push_back(parse_public_key(item.text(), item.place().text()));
        return keys;
    }

private:
    const ConfigValue* const section_;
};

// The credentials of the settings file are for its own URL, and for no other that the command line may name.
void read_credentials(const SectionReader& section, bool is_of_settings, RemoteSettings& settings) {
    settings.password = remote_secrets().password;
    settings.token = remote_secrets().token;
    if (is_of_settings) {
        settings.user = section.text("user");
        const std::string password = section.text("password-file"), token = section.text("token-file");
        if (settings.password.empty() && !password.empty()) settings.password = read_secret_file(with_home(password), "the password");
        if (settings.token.empty() && !token.empty()) settings.token = read_secret_file(with_home(token), "the token");
    }
    if (settings.user.empty())
        if (const char* const user = std::getenv("SATDL_REMOTE_USER")) settings.user = user;
    for (const std::string* const text : {&settings.user, &settings.password, &settings.token})
        if (std::ranges::any_of(*text, [](char c) { return c >= 0 && c < ' '; }))
            throw Error(ExitCode::Usage, "the user, the password or the token of the remote has a control character in it");
    if (!settings.password.empty() && settings.user.empty() && settings.token.empty())
        throw Error(ExitCode::Usage, "there is a password for the remote, but no user",
                    "use `user:` in the settings file, or $SATDL_REMOTE_USER");
    const bool has_any = !settings.token.empty() || !settings.user.empty();
    if (has_any && settings.place.starts_with("http://") && !is_this_machine(authority_of(settings.place)))
        throw Error(ExitCode::Usage, fmt::format("'{}' is not encrypted: a password or a token would be read on the way", settings.place),
                    "use https://");
}

std::optional<SigningKey> read_signing_key(const SectionReader& section) {
    if (!remote_secrets().signing_key.empty()) return parse_signing_key(remote_secrets().signing_key, "$SATDL_SIGNING_KEY");
    const std::string named = section.text("sign-with");
    const fs::path file = named.empty() ? signing_key_file() : with_home(named);
    std::error_code unknown;
    if (file.empty() || (named.empty() && !fs::exists(file, unknown))) return std::nullopt;
    return parse_signing_key(read_secret_file(file, "the private key"), fmt::format("the content of '{}'", printable(file.string())));
}

fs::path beside_settings(const char* name) {
    const fs::path settings = user_settings_file();
    return settings.empty() ? fs::path() : settings.parent_path() / name;
}

fs::path demanded(const fs::path& file) {
    if (file.empty()) throw Error(ExitCode::Usage, "there is no folder for settings: neither HOME nor XDG_CONFIG_HOME is set");
    if (file.has_parent_path()) real_file_system()->make_folders(file.parent_path());
    return file;
}

}  // namespace

bool RemoteSettings::is_http() const { return is_url(place); }

RemoteSettings remote_settings(const RemoteChoice& choice, const ConfigValue& settings) {
    if (choice.place == kNone) return {};
    const SectionReader section(settings);
    const std::string from_file = section.text("url");
    RemoteSettings chosen{.refresh = choice.refresh, .required = choice.required || section.flag("required")};
    if (choice.place.empty() && from_file.empty()) {
        if (choice.required)
            throw Error(ExitCode::Usage, "a remote is required, but none is named",
                        "--remote names one, and so does `remote: {url: ...}` in the settings file");
        return {};
    }
    chosen.place = choice.place.empty() ? checked_place(from_file, section.place("url")) : checked_place(choice.place, {});
    const bool is_of_settings = !from_file.empty() && (choice.place.empty() || choice.place == from_file);
    chosen.ca_file = with_home(section.text("ca-file"));
    if (chosen.is_http()) read_credentials(section, is_of_settings, chosen);
    chosen.keys = remote_keys(settings);
    return chosen;
}

RemoteKeys remote_keys(const ConfigValue& settings) {
    const SectionReader section(settings);
    RemoteKeys keys{.signing = read_signing_key(section), .trusted = section.keys("trusted-keys")};
    std::ranges::copy(trusted_keys(), std::back_inserter(keys.trusted));
    return keys;
}

// ---- the files of keys ------------------------------------------------------------------------------------------------

fs::path signing_key_file() { return beside_settings("signing-key"); }
fs::path trusted_keys_file() { return beside_settings("trusted-keys"); }

std::vector<PublicKey> trusted_keys() {
    std::vector<PublicKey> keys;
    const fs::path file = trusted_keys_file();
    const auto files = real_file_system();
    if (file.empty() || !files->stamp(file)) return keys;
    constexpr std::size_t kMost = 1 << 20;
    const std::string text = files->read(file, 0, kMost);
    int number = 0;
    for (std::size_t from = 0; from < text.size();) {
        const std::size_t end = std::min(text.find('\n', from), text.size());
        const std::string_view line = trimmed(std::string_view(text).substr(from, end - from));
        ++number;
        if (!line.empty() && !line.starts_with('#'))
            keys.push_back(parse_public_key(line, fmt::format("line {} of '{}'", number, printable(file.string()))));
        from = end + 1;
    }
    return keys;
}

bool trust_key(const PublicKey& key) {
    for (const PublicKey& known : trusted_keys()) {
        if (known.text() == key.text()) return false;
        if (known.name == key.name)
            throw Error(ExitCode::Usage, fmt::format("another key has the name '{}' already", key.name),
                        fmt::format("if it was replaced, delete its line in '{}'", printable(trusted_keys_file().string())));
    }
    real_file_system()->append(demanded(trusted_keys_file()), key.text() + '\n', true);
    return true;
}

void write_signing_key(const SigningKey& key, const fs::path& file) {
    const fs::path path = demanded(file);
    const UniqueFd made(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!made && errno == EEXIST)
        throw Error(ExitCode::Usage, fmt::format("there is a private key in '{}' already, which stays", printable(path.string())),
                    "`satdl cache trust` prints its public key; for another one, move the file away first");
    if (!made) throw FileError(errno, "create", path);
    const std::string text = key.text() + '\n';
    const bool is_written = write_all(made.get(), std::as_bytes(std::span(text))) == text.size() && ::fsync(made.get()) == 0;
    if (is_written) return;
    const int number = errno;
    ::unlink(path.c_str());
    throw FileError(number, "write to", path);
}

}  // namespace satdl
