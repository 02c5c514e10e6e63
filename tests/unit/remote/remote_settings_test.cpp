#include "pipeline/remote/remote_settings.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "pipeline/remote/remote_secrets.h"
#include "pipeline/yaml/yaml_parser.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using namespace satdl::test;

namespace {

namespace fs = std::filesystem;

// A home folder, and an environment without what the tests' own user has set.
class Home {
public:
    Home() {
        for (const char* name :
             {"SATDL_REMOTE_TOKEN", "SATDL_REMOTE_PASSWORD", "SATDL_REMOTE_USER", "SATDL_SIGNING_KEY", "XDG_CONFIG_HOME"})
            ::unsetenv(name);
        ::setenv("HOME", folder_.path().c_str(), 1);
        take_remote_secrets();
    }
    ~Home() {
        for (const char* name : {"SATDL_REMOTE_TOKEN", "SATDL_REMOTE_PASSWORD", "SATDL_SIGNING_KEY"}) ::unsetenv(name);
        take_remote_secrets();
    }
    Home(const Home&) = delete;
    Home& operator=(const Home&) = delete;

    [[nodiscard]] const fs::path& path() const { return folder_.path(); }
    void write(const std::string& name, const std::string& text, mode_t mode) const {
        std::ofstream(path() / name) << text;
        REQUIRE(::chmod((path() / name).c_str(), mode) == 0);
    }

private:
    const TempFolder folder_;
};

ConfigValue yaml(const std::string& text) {
    return parse_yaml(std::make_shared<const SourceText>(SourceText{"settings.yaml", text}));
}

std::string refusal(const RemoteChoice& choice, const ConfigValue& settings = {}) {
    try {
        (void)remote_settings(choice, settings);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Usage);
        return error.what();
    }
    return "";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the remote is the command line's, else the settings file's, else none") {
    const Home home;
    const ConfigValue settings = yaml("remote: {url: 'https://cache.lab/satdl/'}");
    CHECK(remote_settings({}, {}).place.empty());
    CHECK(remote_settings({}, yaml("executors: {}")).place.empty());
    CHECK(remote_settings({}, settings).place == "https://cache.lab/satdl");
    CHECK(remote_settings({.place = "https://other:8080"}, settings).place == "https://other:8080");
    CHECK(remote_settings({.place = "none"}, settings).place.empty());
    CHECK(remote_settings({.place = home.path().string() + "/."}, settings).place == home.path().string());
    CHECK_FALSE(remote_settings({.place = home.path().string()}, {}).is_http());
    CHECK(remote_settings({.required = true}, settings).required);
    CHECK(remote_settings({}, yaml("remote: {url: 'https://x', required: true}")).required);
    CHECK(has(refusal({.required = true}), "none is named"));
}

TEST_CASE("a place that cannot be one is refused, and a password in it is not repeated") {
    const Home home;
    CHECK(has(refusal({.place = "ftp://cache"}), "http:// or https://"));
    for (const char* url : {"http://cache:", "http://cache:0", "http://cache:65536", "http://cache:80a", "http://[::1]:x"})
        CHECK(has(refusal({.place = url}), "is not one"));
    CHECK(refusal({.place = "http://[::1]"}).empty());
    CHECK(has(refusal({.place = "https://"}), "is not one"));
    CHECK(has(refusal({.place = "https://cache/x?token=hunter2"}), "is not one"));
    CHECK(has(refusal({.place = "https://cache/a b"}), "is not one"));
    CHECK(has(refusal({.place = (home.path() / "absent").string()}), "is not a folder that exists"));
    const std::string with_password = refusal({.place = "https://ada:hunter2@cache/x"});
    CHECK(has(with_password, "URLs stand in logs"));
    CHECK_FALSE(has(with_password, "hunter2"));
}

TEST_CASE("mistakes in the settings file are reported at their place, and a secret in it is not taken") {
    const Home home;
    CHECK(has(refusal({}, yaml("remote: {urls: x}")), "settings.yaml:1:10: error: `remote` has no setting 'urls'"));
    CHECK(has(refusal({}, yaml("remote: {url: 'https://x', password: hunter2}")), "password-file"));
    CHECK_FALSE(has(refusal({}, yaml("remote:\n  url: https://x\n  token: 1")), "did you mean"));
    CHECK(has(refusal({}, yaml("remote: [x]")), "must be a map"));
    CHECK(has(refusal({}, yaml("remote: {url: 'https://x', required: maybe}")), "true or false"));
    CHECK(has(refusal({}, yaml("remote: {url: 'https://x', trusted-keys: ['ci:AAAA']}")), "is not a public key"));
}

TEST_CASE("secrets come out of the environment, which then has them no more, or from files of the user's alone") {
    const Home home;
    home.write("password", "hunter2\n", 0600);
    const ConfigValue settings = yaml("remote: {url: 'https://cache', user: ada, password-file: '~/password'}");
    CHECK(remote_settings({}, settings).password == "hunter2");
    CHECK(remote_settings({.place = "https://cache"}, settings).password == "hunter2");
    CHECK(remote_settings({.place = "https://elsewhere"}, settings).password.empty());
    CHECK(remote_settings({.place = "https://elsewhere"}, settings).user.empty());
    home.write("password", "hunter2\n", 0640);
    const std::string refused = refusal({}, settings);
    CHECK(has(refused, "is not secret"));
    CHECK_FALSE(has(refused, "hunter2"));
    ::setenv("SATDL_REMOTE_TOKEN", "abc", 1);
    take_remote_secrets();
    CHECK(std::getenv("SATDL_REMOTE_TOKEN") == nullptr);
    CHECK(remote_settings({.place = "https://elsewhere"}, settings).token == "abc");
    CHECK(remote_settings({.place = "http://127.0.0.1:8080"}, settings).token == "abc");
    const std::string plain = refusal({.place = "http://cache.lab"});
    CHECK(has(plain, "is not encrypted"));
    CHECK_FALSE(has(plain, "abc"));
    CHECK(remote_settings({.place = home.path().string()}, settings).token.empty());
}

TEST_CASE("a private key is written once, for the user alone, and signs from then on") {
    const Home home;
    CHECK_FALSE(remote_keys({}).signing);
    const SigningKey key = generate_signing_key("ada");
    write_signing_key(key, signing_key_file());
    struct stat status {};
    REQUIRE(::stat(signing_key_file().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK(remote_keys({}).signing->public_key().text() == key.public_key().text());
    CHECK_THROWS_AS(write_signing_key(generate_signing_key("bob"), signing_key_file()), Error);
    CHECK(remote_keys({}).signing->name == "ada");
    REQUIRE(::chmod(signing_key_file().c_str(), 0644) == 0);
    CHECK_THROWS_AS(remote_keys({}), Error);
    const SigningKey ci = generate_signing_key("ci");
    ::setenv("SATDL_SIGNING_KEY", ci.text().c_str(), 1);
    take_remote_secrets();
    CHECK(remote_keys({}).signing->name == "ci");
}

TEST_CASE("keys that are trusted are remembered by name") {
    const Home home;
    const PublicKey ci = generate_signing_key("ci").public_key(), other = generate_signing_key("ci").public_key();
    CHECK(trust_key(ci));
    CHECK_FALSE(trust_key(ci));
    CHECK_THROWS_AS(trust_key(other), Error);
    CHECK(trust_key(generate_signing_key("bob").public_key()));
    REQUIRE(trusted_keys().size() == 2);
    CHECK(trusted_keys().front().text() == ci.text());
    std::ofstream(trusted_keys_file(), std::ios::app) << "# a comment\n\nnonsense\n";
    try {
        (void)trusted_keys();
        FAIL("nonsense is taken");
    } catch (const Error& error) {
        CHECK(has(error.what(), "line 5 of"));
    }
}
