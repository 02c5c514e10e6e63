#include "pipeline/os/file_trust.h"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "pipeline/core/error.h"

using namespace satdl;
using Catch::Matchers::Contains;

namespace {

// "" where the files are taken.
std::string refusal(const std::vector<std::filesystem::path>& files, const std::map<std::string, uid_t>& owners) {
    const OwnerOf owner = [&](const std::filesystem::path& path) -> std::optional<uid_t> {
        const auto found = owners.find(path.string());
        return found != owners.end() ? std::optional(found->second) : std::nullopt;
    };
    try {
        check_file_owners(files, std::vector<uid_t>{1000, 0}, owner);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Usage);
        CHECK_THAT(error.what(), Contains("--trust"));
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("files of the user's and of root's are taken, those of others and in others' folders are refused") {
    CHECK(refusal({"dags/a.yaml", "dags/common/b.yaml"},
                  {{"dags/a.yaml", 1000}, {"dags", 1000}, {"dags/common/b.yaml", 0}, {"dags/common", 0}}) == "");
    CHECK_THAT(refusal({"dags/a.yaml"}, {{"dags/a.yaml", 4242}, {"dags", 1000}}),
               Contains("dags/a.yaml: this file belongs to uid 4242"));
    CHECK_THAT(refusal({"dags/a.yaml"}, {{"dags/a.yaml", 1000}, {"dags", 4242}}),
               Contains("dags/a.yaml: its folder belongs to uid 4242"));
    CHECK_THAT(refusal({"a.yaml", "b.yaml"}, {{"a.yaml", 1000}, {".", 1000}, {"b.yaml", 4242}}),
               Contains("b.yaml: this file belongs"));
    CHECK_THAT(refusal({"gone.yaml"}, {{".", 1000}}), Contains("unknown owner"));
}

TEST_CASE("the user, root and the program's owner are trusted") {
    const auto trusted = trusted_owners();
    CHECK(std::ranges::count(trusted, ::geteuid()) > 0);
    CHECK(std::ranges::count(trusted, uid_t{0}) > 0);
    CHECK(std::ranges::count(trusted, owner_of("/proc/self/exe").value()) > 0);
    CHECK(owner_of("/") == uid_t{0});
    CHECK(owner_of("/there/is/no/such/file") == std::nullopt);
}
