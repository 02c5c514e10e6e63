#include "pipeline/executors/declarations.h"

#include <catch2/catch.hpp>

using namespace satdl;

namespace {

Node node_with(std::vector<CommandFiles> files, const std::vector<std::pair<std::string, std::string>>& declared) {
    auto command = std::make_shared<CommandStage>();
    command->project = "/project";
    command->files = std::move(files);
    Node node;
    node.command = std::move(command);
    for (const auto& [role, path] : declared) {
        SourceFile file;
        file.role = role;
        file.path = path;
        node.files.push_back(std::move(file));
    }
    return node;
}

}  // namespace

TEST_CASE("Files that a program has read become files and sources by their endings and by whether they were run") {
    const FilesRead read{.of_project = {"train.py", "lib/util.py", "tool", "data.csv"}, .programs = {"tool"}};
    CHECK(declarations(read, node_with({}, {})) == "files: {data: data.csv}\nsources: [lib/util.py, tool, train.py]\n");
    CHECK(declarations({}, node_with({}, {})).empty());
}

TEST_CASE("What is declared keeps its name") {
    const FilesRead read{.of_project = {"raw/1.csv", "b.csv"}, .elsewhere = {"/data/set"}};
    const Node node = node_with({{"folder", "raw", CommandFiles::Kind::Folder}, {"set", "/data/set", CommandFiles::Kind::File}},
                                {{"folder", "/project/raw/1.csv"}, {"set", "/data/set"}});
    CHECK(declarations(read, node) == "files: {b: b.csv, folder: raw, set: /data/set}\n");
}

TEST_CASE("Many files of a kind become a pattern, and no two have the same name") {
    FilesRead read;
    for (const char* name : {"1", "2", "3", "4", "5"}) {
        read.of_project.insert(std::string("images/") + name + ".png");
        read.of_project.insert(std::string("texts/") + name + "/a.txt");
    }
    read.of_project.insert({"a/x.csv", "b/x.csv", "1 \"odd\".csv"});
    CHECK(declarations(read, node_with({}, {})) ==
          "files: {file_1__odd_: \"1 \\\"odd\\\".csv\", images: \"images/*.png\", texts: \"texts/**/*.txt\", x: a/x.csv, x_2: b/x.csv}\n");
}

TEST_CASE("What was read elsewhere is a comment") {
    CHECK(declarations({.elsewhere = {"/data/model.pt"}}, node_with({}, {})) ==
          "# outside of the project: /data/model.pt; files: {model: /data/model.pt}, or allow: [/data] if it does not count\n");
}
