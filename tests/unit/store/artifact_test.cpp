#include "pipeline/store/artifact.h"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "pipeline/os/sigbus_guard.h"
#include "tests/support/command.h"
#include "tests/support/hdf5_writer.h"
#include "tests/support/sample_outcome.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text_file_system.h"

using namespace satdl;
using test::file_text;
using test::sample_description;
using test::sample_outcome;
using test::sample_recipe;
using test::TempFolder;

namespace {

void write_object(const std::filesystem::path& path, const Recipe& recipe, const StageOutput& outcome) {
    const ArtifactImage image = make_artifact(recipe, sample_description(), outcome, test::hdf5_writer());
    real_file_system()->write_new(path, image.header.file_bytes, image.extents);
}

StageOutput read_whole(FileSystem& files, const std::filesystem::path& path) {
    const ArtifactHeader header = read_header(files, path);
    const MappedFile file = files.map(path);
    verify_artifact(header, file.bytes, path);
    return view_artifact(header, file);
}

StageOutput read_whole(const std::filesystem::path& path) {
    return read_whole(*real_file_system(), path);
}

std::string object_text(const Recipe& recipe, const StageOutput& outcome) {
    const TempFolder folder;
    write_object(folder.path() / "object.h5", recipe, outcome);
    return file_text(folder.path() / "object.h5");
}

// One tensor of each sort that lies in the file in its own way: few pages, so that every byte can be tried.
StageOutput small_outcome() {
    const StageOutput whole = sample_outcome();
    StageOutput small;
    small.tables = whole.tables;
    for (const char* const port : {"nothing", "scalar", "history"}) small.outputs[port] = whole.outputs.at(port);
    return small;
}

// Whether the damage is found, whatever reads it first.
bool is_refused(test::TextFileSystem& files) {
    try {
        (void)read_whole(files, "object.h5");
        return false;
    } catch (const DamagedArtifact&) {
        return true;
    }
}

}  // namespace

TEST_CASE("an output is read back from its artifact, mapped, with its tables") {
    const TempFolder folder;
    const auto path = folder.path() / "object.h5";
    write_object(path, sample_recipe(), sample_outcome());
    const StageOutput outcome = read_whole(path);
    CHECK(test::equal(outcome, sample_outcome()));
    CHECK(outcome.outputs.at("nothing").at("").shape() == Shape{0, 28});
    CHECK(outcome.outputs.at("scalar").at("").values<std::int64_t>()[0] == -7);
    CHECK(outcome.tables[0].notes == std::vector<std::string>{"a note"});
    CHECK(outcome.warnings.empty());
}

TEST_CASE("what a stage warned of stands in the header") {
    const TempFolder folder;
    const auto path = folder.path() / "object.h5";
    StageOutput warned = sample_outcome();
    warned.warnings = {"class 3 is missing", "größer als 1"};
    write_object(path, sample_recipe(), warned);
    CHECK(read_header(*real_file_system(), path).warnings == warned.warnings);
    CHECK(read_whole(path).warnings == warned.warnings);
    CHECK(object_text(sample_recipe(), sample_outcome()).find("warnings") == std::string::npos);
}

TEST_CASE("the header is read without the tensors") {
    const TempFolder folder;
    const auto path = folder.path() / "object.h5";
    write_object(path, sample_recipe(3), sample_outcome());
    const ArtifactHeader header = read_header(*real_file_system(), path);
    CHECK(header.key == test::sample_key(3));
    CHECK(header.recipe == sample_recipe(3));
    CHECK(header.port_digests == port_digests(sample_outcome()));
    CHECK(header.ports.at("model") == PortKind::Model);
    CHECK(header.metrics.at("metrics").at("accuracy") == 0.1);
    CHECK(std::isnan(header.metrics.at("metrics").at("loss")));
    CHECK(header.file_bytes == std::filesystem::file_size(path));
}

TEST_CASE("an object is a pure function of its content") {
    const TempFolder folder;
    write_object(folder.path() / "a", sample_recipe(), sample_outcome());
    write_object(folder.path() / "b", sample_recipe(), sample_outcome());
    CHECK(file_text(folder.path() / "a") == file_text(folder.path() / "b"));
    write_object(folder.path() / "c", sample_recipe(1), sample_outcome());
    CHECK(file_text(folder.path() / "a") != file_text(folder.path() / "c"));
}

TEST_CASE("h5py reads an object: tensors, recipe and digests") {
    const TempFolder folder;
    const auto path = folder.path() / "object.h5";
    write_object(path, sample_recipe(), sample_outcome());
    const auto read =
        test::run_command(fmt::format("{} {}/tests/support/read_h5.py {}", SATDL_PYTHON, SATDL_SOURCE_DIR, path.string()));
    INFO(read.output);
    REQUIRE(read.status == 0);
    const auto json = nlohmann::json::parse(read.output);
    CHECK(json["attributes"]["satdl_key"] == test::sample_key().hex());
    CHECK(json["attributes"]["satdl_kind"] == "sample");
    CHECK(nlohmann::json::parse(json["attributes"]["satdl_recipe"].get<std::string>())["param number"] == "0");
    for (const auto& [port, group] : sample_outcome().outputs) {
        for (const auto& [name, array] : group) {
            const auto& found = json["tensors"][name.empty() ? port : port + "/" + name];
            CHECK(found["shape"] == array.shape());
            CHECK(found["dtype"] == name_of(array.dtype()));
            CHECK(found["sha256"] == sha256(array.bytes()).hex());
            CHECK(found["attributes"]["sha256"] == array.digest().hex());
        }
    }
    CHECK(test::run_command("h5ls -r " + path.string()).status == 0);
    CHECK_THAT(test::run_command("h5dump -d /history/loss " + path.string()).output, Catch::Contains("3, 2, 1"));
}

TEST_CASE("every flipped byte of an object is found") {
    test::TextFileSystem files;
    files.text = object_text(sample_recipe(), small_outcome());
    REQUIRE_FALSE(is_refused(files));
    std::size_t missed = 0;
    for (std::size_t at = 0; at < files.text.size(); ++at) {
        const char right = files.text[at];
        files.text[at] = static_cast<char>(right ^ (1 << (at % 8)));
        if (!is_refused(files)) ++missed;
        files.text[at] = right;
    }
    CHECK(missed == 0);
    CHECK_FALSE(is_refused(files));
}

TEST_CASE("an object cut at any byte, or longer than it was, is found") {
    test::TextFileSystem files;
    files.text = object_text(sample_recipe(), small_outcome());
    files.text += '\0';
    CHECK(is_refused(files));
    files.text.pop_back();
    REQUIRE_FALSE(is_refused(files));
    std::size_t missed = 0;
    while (!files.text.empty()) {
        files.text.pop_back();
        if (!is_refused(files)) ++missed;
    }
    CHECK(missed == 0);
}

TEST_CASE("garbage in place of an object is refused, not believed") {
    test::TextFileSystem files;
    const std::string whole = object_text(sample_recipe(), sample_outcome());
    const auto forge = [](const std::string& json) {
        return fmt::format("satdl-object-1\n{}\n{}\n", sha256(json + "\n").hex(), json);
    };
    std::vector<std::string> others{"", "satdl-object-1\n", std::string(10'000, 'x'), std::string(10'000, '\0')};
    for (const std::string& garbage : {std::string(), std::string("[]"), std::string("{}"), std::string("null"),
                                       std::string(5000, '['), std::string(R"({"key":3})")}) {
        others.push_back(forge(garbage));
    }
    // The header that satdl would write, with one number changed and the digest right again.
    const std::size_t start = std::string("satdl-object-1\n").size() + 65;
    const std::string json = whole.substr(start, whole.find('\n', start) - start);
    const auto changed = [&](const std::string& from, const std::string& to) {
        std::string text = json;
        const std::size_t at = text.find(from);
        REQUIRE(at != std::string::npos);
        others.push_back(forge(text.replace(at, from.size(), to)) + whole.substr(start + json.size() + 1));
    };
    changed(R"("shape":[2,3])", R"("shape":[2,300000000])");
    changed(R"("shape":[2,3])", R"("shape":[2,-3])");
    changed(R"("shape":[2,3])", R"("shape":[4611686018427387904,4611686018427387904])");
    changed(R"("shape":[2,3])", R"("shape":[2,1e300])");
    changed(R"("offset":)", R"("offset":1844674407370955161)");
    changed(R"("user_block_bytes":)", R"("user_block_bytes":1)");
    changed(R"("metadata":[[)", R"("metadata":[[18446744073709551615,18446744073709551615],[)");
    changed(R"("param number","0")", R"("param number","1")");
    for (const std::string& text : others) {
        files.text = text;
        CHECK(is_refused(files));
    }
}

TEST_CASE("a header longer than one page finds its place") {
    const TempFolder folder;
    StageOutput outcome = sample_outcome();
    for (int i = 0; i < 100; ++i) {
        outcome.outputs["model"][fmt::format("layer_{}.weight", i)] = test::array_of<float>({2}, {static_cast<float>(i), 1});
    }
    Recipe recipe = sample_recipe();
    recipe.push_back({"param text", std::string(100'000, 'a')});
    write_object(folder.path() / "object.h5", recipe, outcome);
    CHECK(test::equal(read_whole(folder.path() / "object.h5"), outcome));
    CHECK(read_header(*real_file_system(), folder.path() / "object.h5").user_block_bytes > 100'000);
}

TEST_CASE("names that HDF5 cannot hold and texts that are not UTF-8 are errors") {
    using namespace std::string_literals;
    for (const std::string& name : {""s, "."s, "a//b"s, "/a"s, "a/.."s, "nul\0byte"s, "\xff\xfe"s}) {
        StageOutput outcome = sample_outcome();
        outcome.outputs["model"][name] = test::array_of<float>({1}, {1});
        CHECK_THROWS_AS(make_artifact(sample_recipe(), sample_description(), outcome, test::hdf5_writer()), Error);
    }
}

TEST_CASE("a missing object is no damage") {
    const TempFolder folder;
    CHECK_THROWS_AS(read_header(*real_file_system(), folder.path() / "absent.h5"), FileError);
}

TEST_CASE("an object that is cut between its mapping and its verification is damaged, and ends no program") {
    install_sigbus_guard();
    const TempFolder folder;
    const auto path = folder.path() / "object.h5";
    write_object(path, sample_recipe(1), sample_outcome());
    const auto files = real_file_system();
    const ArtifactHeader header = read_header(*files, path);
    for (const std::uint64_t bytes : {header.file_bytes - 1, header.file_bytes / 2, std::uint64_t{4096}, std::uint64_t{0}}) {
        const MappedFile file = files->map(path);
        const std::string whole = file_text(path);
        std::filesystem::permissions(path, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
        std::filesystem::resize_file(path, bytes);
        CHECK_THROWS_AS(verify_artifact(header, file.bytes, path), DamagedArtifact);
        test::write_text(path, whole);
    }
}
