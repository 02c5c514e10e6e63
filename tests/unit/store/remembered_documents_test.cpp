#include "pipeline/store/remembered_documents.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "pipeline/core/error.h"
#include "pipeline/os/build_id.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using test::file_text;
using test::write_text;
namespace fs = std::filesystem;

namespace {

// A YAML file and a store beside it.
struct Scene {
    const test::TempFolder folder{test::TempFolder::Where::Memory};
    const fs::path file = folder.path() / "a.yaml";
    const fs::path store = folder.path() / "store";

    Scene() { fs::create_directory(store); }

    // What a command does: it reads, and remembers. Returns the value of `a`, and checks its place.
    std::string a() {
        RememberedDocuments documents(store);
        const ConfigValue document = documents.read(file);
        documents.remember();
        CHECK(document.find("a")->place().text() == file.string() + ":2:4");
        CHECK(document.find("a")->place().source->text == file_text(file));
        return document.find("a")->text();
    }

    fs::path memory() const {
        for (const auto& entry : fs::directory_iterator(store / "documents")) return entry.path();
        throw std::runtime_error("nothing is remembered");
    }

    // Whether a command takes the document from memory: then it has nothing to write, and so does not make the removed file
    // again.
    bool is_remembered() {
        RememberedDocuments documents(store);
        (void)documents.read(file);
        const fs::path kept = memory();
        const std::string text = file_text(kept);
        fs::remove(kept);
        documents.remember();
        const bool was_parsed = fs::exists(kept);
        fs::remove(kept);
        write_text(kept, text);
        return !was_parsed;
    }
};

}  // namespace

TEST_CASE("a document is parsed once, and then comes from the store with its places") {
    Scene scene;
    write_text(scene.file, "# a comment\na: one\n");
    CHECK(scene.a() == "one");
    CHECK(scene.is_remembered());
    CHECK(scene.a() == "one");
}

TEST_CASE("an edit counts, whatever stat says of the file") {
    Scene scene;
    write_text(scene.file, "# a comment\na: one\n");
    CHECK(scene.a() == "one");
    const auto time = fs::last_write_time(scene.file);
    write_text(scene.file, "# a comment\na: two\n");  // as many bytes, in the same file
    fs::last_write_time(scene.file, time);
    CHECK_FALSE(scene.is_remembered());
    CHECK(scene.a() == "two");
    CHECK(scene.is_remembered());
    write_text(scene.file, "# a comment\na: one\n");
    CHECK(scene.a() == "one");
}

TEST_CASE("two files have a memory each, and the same file by another path has one") {
    Scene scene;
    write_text(scene.file, "# a comment\na: one\n");
    CHECK(scene.a() == "one");
    RememberedDocuments documents(scene.store);
    write_text(scene.folder.path() / "b.yaml", "b: 1\n");
    CHECK(documents.read(scene.folder.path() / "b.yaml").find("b") != nullptr);
    CHECK(documents.read(scene.folder.path() / "store/../a.yaml").find("a")->text() == "one");
    documents.remember();
    CHECK(std::distance(fs::directory_iterator(scene.store / "documents"), fs::directory_iterator()) == 2);
}

TEST_CASE("one wrong byte anywhere, a missing or an added one, and the file is parsed and remembered again") {
    Scene scene;
    write_text(scene.file, "# a comment\na: one\nb: [1, {c: 2}]\n");
    CHECK(scene.a() == "one");
    const std::string good = file_text(scene.memory());
    const auto check_mended = [&](const std::string& damaged) {
        write_text(scene.memory(), damaged);
        CHECK(scene.a() == "one");
        CHECK(file_text(scene.memory()) == good);
    };
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (const int bit : {0, 3, 7}) {
            std::string damaged = good;
            damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
            check_mended(damaged);
        }
        check_mended(good.substr(0, at));
    }
    check_mended(good + "x");
    check_mended(std::string(5'000'000, '\0'));
}

TEST_CASE("what another program wrote counts only if it is the same build: the linker gives each its own mark") {
    CHECK(program_build_id().size() == 20);
    CHECK(program_build_id() == program_build_id());
}

TEST_CASE("a memory that others could have written is not believed") {
    Scene scene;
    write_text(scene.file, "# a comment\na: one\n");
    CHECK(scene.a() == "one");
    const fs::path memory = scene.memory();
    for (const mode_t mode : {0664, 0646}) {
        REQUIRE(::chmod(memory.c_str(), mode) == 0);
        CHECK(scene.a() == "one");
        RememberedDocuments documents(scene.store);
        (void)documents.read(scene.file);
        fs::remove(memory);
        documents.remember();  // it was parsed
        CHECK(fs::exists(memory));
    }
    const fs::path elsewhere = scene.folder.path() / "elsewhere";
    fs::rename(memory, elsewhere);
    fs::create_symlink(elsewhere, memory);
    const std::string before = file_text(elsewhere);
    write_text(scene.file, "# a comment\na: two\n");
    CHECK(scene.a() == "two");
    CHECK(file_text(elsewhere) == before);  // nor is anything written through a link
    if (::geteuid() == 0) {
        fs::remove(memory);
        CHECK(scene.a() == "two");
        REQUIRE(::chown(memory.c_str(), 4242, 4242) == 0);
        const std::string theirs = file_text(memory);
        write_text(scene.file, "# a comment\na: six\n");
        CHECK(scene.a() == "six");
        CHECK(file_text(memory) == theirs);
    }
}

TEST_CASE("where nothing can be remembered, every read parses, silently") {
    Scene scene;
    write_text(scene.file, "# a comment\na: one\n");
    write_text(scene.store / "documents", "a file in the place of the folder");
    CHECK(scene.a() == "one");
    fs::remove(scene.store / "documents");
    fs::create_directories(scene.store / "documents");
    CHECK(scene.a() == "one");
    const fs::path memory = scene.memory();
    fs::remove(memory);
    fs::create_directory(memory);  // a folder in the place of the file
    CHECK(scene.a() == "one");
    fs::remove(memory);
    REQUIRE(::mkfifo(memory.c_str(), 0600) == 0);  // nobody waits for its other end
    CHECK(scene.a() == "one");
    RememberedDocuments none(std::nullopt);
    CHECK(none.read(scene.file).find("a")->text() == "one");
    none.remember();
}

TEST_CASE("mistakes of the YAML and of reading are those of the parser, and nothing of them is kept") {
    Scene scene;
    RememberedDocuments documents(scene.store);
    CHECK_THROWS_WITH(documents.read(scene.file), "cannot read " + scene.file.string() + ": No such file or directory");
    write_text(scene.file, "a: {\n");
    CHECK_THROWS_AS(documents.read(scene.file), Error);
    documents.remember();
    CHECK_FALSE(fs::exists(scene.store / "documents"));
}
