#include "pipeline/store/key_claims.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <thread>

#include "pipeline/store/process_mark.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using namespace std::chrono_literals;
using test::TempFolder;

namespace {

const Digest kKey = sha256("a key");
constexpr LeaseTimes kShort{.expiry = 200ms, .renewal = 20ms};

using Answer = std::variant<std::unique_ptr<Claim>, ClaimHolder>;

bool is_given(const Answer& answer) {
    return std::holds_alternative<std::unique_ptr<Claim>>(answer);
}

ClaimHolder someone(const std::string& run) {
    return {.process = name_with_process("satdl", 0), .host = host_name(), .run = run};
}

std::filesystem::path file_in(const TempFolder& folder) {
    return folder.path() / "claims" / kKey.hex();
}

void write(const std::filesystem::path& path, const std::string& text) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
}

// Of a process on another machine, which a flock of ours does not see.
constexpr const char* kElsewhere =
    R"({"process":"satdl.0123456789abcdef.4711.0","host":"lab3","run":"20261124T031731.123456-4711"})";

}  // namespace

TEST_CASE("A key is claimed by one, and free again when the claim ends") {
    const TempFolder folder;
    ClaimFiles one(folder.path(), someone("one")), other(folder.path(), someone("other"));
    {
        const Answer held = one.claim(kKey);
        REQUIRE(is_given(held));
        CHECK(is_claim_held(file_in(folder)));
        const Answer refused = other.claim(kKey);
        REQUIRE_FALSE(is_given(refused));
        CHECK(std::get<ClaimHolder>(refused).text() == "run one on host " + host_name());
        CHECK(is_given(other.claim(sha256("another key"))));
    }
    CHECK_FALSE(std::filesystem::exists(file_in(folder)));
    CHECK(is_given(other.claim(kKey)));
}

TEST_CASE("The claim that a killed process of this machine left is free at once") {
    const TempFolder folder;
    write(file_in(folder), R"({"process":")" + name_with_process("satdl", 7) + R"(","host":"lab3","run":"old"})");
    CHECK_FALSE(is_claim_held(file_in(folder)));
    CHECK(is_given(ClaimFiles(folder.path(), someone("new")).claim(kKey)));
}

TEST_CASE("So is one that this machine left before it was restarted, and one that says nothing") {
    const TempFolder folder;
    const std::string text = GENERATE("", "{", "[1]", R"({"process":7})", "before the restart");
    write(file_in(folder), text != "before the restart"
                               ? text
                               : R"({"process":"satdl.0123456789abcdef.1.0","host":")" + host_name() + R"("})");
    CHECK(is_given(ClaimFiles(folder.path(), someone("new")).claim(kKey)));
}

TEST_CASE("A claim of another host counts as long as its file is touched") {
    const TempFolder folder;
    write(file_in(folder), kElsewhere);
    ClaimFiles claims(folder.path(), someone("here"), kShort);
    const auto touched = std::filesystem::last_write_time(file_in(folder));
    for (int i = 1; i <= 6; ++i) {
        const Answer answer = claims.claim(kKey);
        REQUIRE_FALSE(is_given(answer));
        CHECK(std::get<ClaimHolder>(answer).text() == "run 20261124T031731.123456-4711 on host lab3");
        std::this_thread::sleep_for(50ms);
        std::filesystem::last_write_time(file_in(folder),
                                         touched - std::chrono::hours(i));  // whatever that host's clock says
    }
    REQUIRE_FALSE(is_given(claims.claim(kKey)));
    std::this_thread::sleep_for(kShort.expiry);
    const Answer taken = claims.claim(kKey);
    CHECK(is_given(taken));
    CHECK_FALSE(is_given(ClaimFiles(folder.path(), someone("later")).claim(kKey)));
}

TEST_CASE("A claim is touched while it is held, so that other hosts see it") {
    const TempFolder folder;
    ClaimFiles claims(folder.path(), someone("here"), kShort);
    const Answer held = claims.claim(kKey);
    const auto before = std::filesystem::last_write_time(file_in(folder));
    for (int i = 0; i < 500 && std::filesystem::last_write_time(file_in(folder)) == before; ++i)
        std::this_thread::sleep_for(20ms);
    CHECK(std::filesystem::last_write_time(file_in(folder)) != before);
}

TEST_CASE("A claim that another host took over stays when the one that lost it ends") {
    const TempFolder folder;
    {
        ClaimFiles claims(folder.path(), someone("suspended"));
        const Answer held = claims.claim(kKey);
        write(file_in(folder), kElsewhere);
    }
    CHECK(std::filesystem::exists(file_in(folder)));
}

TEST_CASE("If the claim cannot be written, it is given all the same") {
    const TempFolder folder;
    CHECK(is_given(ClaimFiles(folder.path() / "no" / "store", someone("one")).claim(kKey)));
    CHECK_FALSE(std::filesystem::exists(folder.path() / "no"));
    write(folder.path() / "claims", "a file");
    CHECK(is_given(ClaimFiles(folder.path(), someone("one")).claim(kKey)));
}
