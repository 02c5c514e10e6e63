#include "pipeline/os/file_tree.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "pipeline/core/error.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using satdl::test::TempFolder;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

void touch(const fs::path& path) {
    fs::create_directories(path.parent_path());
    std::ofstream{path};
}

std::vector<std::string> names_of(const std::vector<TreeFile>& files) {
    std::vector<std::string> names;
    for (const TreeFile& file : files) names.push_back(file.name);
    return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a pattern matches within parts of a path, and any folders by two stars") {
    const TempFolder folder;
    for (const char* name : {"a.py", "b.txt", "lib/c.py", "lib/deep/d.py", "lib/deep/e1.txt", ".git/f.py", "lib/.g.py"})
        touch(folder.path() / name);
    const auto matching = [&](const char* pattern) { return names_of(files_matching(folder.path(), pattern)); };
    CHECK(matching("*.py") == Names{"a.py"});
    CHECK(matching("lib/*") == Names{"lib/c.py"});
    CHECK(matching("**/*.py") == Names{"a.py", "lib/c.py", "lib/deep/d.py"});
    CHECK(matching("lib/**/*.py") == Names{"lib/c.py", "lib/deep/d.py"});
    CHECK(matching("**/**/d.py") == Names{"lib/deep/d.py"});
    CHECK(matching("*/deep/e[0-9].*") == Names{"lib/deep/e1.txt"});
    CHECK(matching("?.txt") == Names{"b.txt"});
    CHECK(matching("lib/**") == Names{"lib/c.py", "lib/deep/d.py", "lib/deep/e1.txt"});
    CHECK(matching(".git/*") == Names{".git/f.py"});
    CHECK(matching("*.cpp").empty());
}

TEST_CASE("the files of a folder come by name, those of links to files as well") {
    const TempFolder folder;
    for (const char* name : {"b", "a/z", "a/y", ".hidden"}) touch(folder.path() / name);
    fs::create_symlink("b", folder.path() / "c");
    CHECK(names_of(files_below(folder.path())) == Names{".hidden", "a/y", "a/z", "b", "c"});
}

TEST_CASE("what cannot be read to its end, or leads elsewhere, is refused by name") {
    const auto error_with = [](const auto& make) {
        const TempFolder folder;
        touch(folder.path() / "a");
        make(folder.path() / "odd");
        try {
            (void)files_below(folder.path());
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK_THAT(error_with([](const fs::path& path) { ::mkfifo(path.c_str(), 0600); }), Contains("odd is neither a file nor a folder"));
    CHECK_THAT(error_with([](const fs::path& path) { fs::create_symlink("/dev/zero", path); }),
               Contains("odd is neither a file nor a folder"));
    CHECK_THAT(error_with([](const fs::path& path) { fs::create_symlink("/", path); }), Contains("odd is a link to a folder"));
    CHECK_THAT(error_with([](const fs::path& path) { fs::create_symlink("nowhere", path); }), Contains("odd is a link that leads nowhere"));
}
