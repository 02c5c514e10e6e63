#include "pipeline/yaml/user_settings.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/support/temp_folder.h"

using namespace satdl;
using satdl::test::TempFolder;

namespace {

std::string mistake(const std::filesystem::path& file, const std::string& text) {
    std::ofstream(file) << text;
    try {
        (void)read_user_settings(file);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Usage);
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("the settings file is $XDG_CONFIG_HOME/satdl/settings.yaml, else the one below ~/.config") {
    setenv("HOME", "/home/me", 1);
    unsetenv("XDG_CONFIG_HOME");
    CHECK(user_settings_file() == "/home/me/.config/satdl/settings.yaml");
    setenv("XDG_CONFIG_HOME", "/etc/mine", 1);
    CHECK(user_settings_file() == "/etc/mine/satdl/settings.yaml");
    setenv("XDG_CONFIG_HOME", "relative", 1);
    CHECK(user_settings_file() == "/home/me/.config/satdl/settings.yaml");
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("HOME");
    CHECK(user_settings_file().empty());
    CHECK(read_user_settings().is_null());
}

TEST_CASE("a settings file is a map of known sections, and may be absent") {
    const TempFolder folder;
    const auto file = folder.path() / "settings.yaml";
    CHECK(read_user_settings(file).is_null());
    CHECK(mistake(file, "remote: {url: \"https://cache\"}\n") == "");
    CHECK(read_user_settings(file).find("remote")->find("url")->text() == "https://cache");
    CHECK_THAT(mistake(file, "remtoe: {}\n"), Catch::Contains("settings.yaml:1:1: error: a settings file has no section 'remtoe'") &&
                                                  Catch::Contains("did you mean 'remote'?"));
    CHECK_THAT(mistake(file, "- remote\n"), Catch::Contains("must be a map of sections, not a list"));
    CHECK_THAT(mistake(file, "remote: {\n"), Catch::Contains("settings.yaml:"));
}
