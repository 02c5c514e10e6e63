#include "pipeline/array_files/image_folder.h"

#include <catch2/catch.hpp>

#include "pipeline/array_files/array_file.h"
#include "tests/support/image_writer.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using Catch::Matchers::Contains;

namespace {

std::string gray(std::uint8_t value, int width = 2) {
    return test::png_file({.width = width, .height = 1, .colour = PNG_COLOR_TYPE_GRAY},
                          std::vector<std::uint8_t>(static_cast<std::size_t>(width), value));
}

class Folder {
public:
    Folder& add(const std::string& name, const std::string& bytes) {
        std::filesystem::create_directories((path() / name).parent_path());
        std::ofstream(path() / name, std::ios::binary) << bytes;
        return *this;
    }
    [[nodiscard]] const std::filesystem::path& path() const { return folder_.path(); }
    [[nodiscard]] std::string error() const {
        try {
            (void)array_type_of_file(path(), {});
        } catch (const Error& error) {
            CHECK(error.code() == ExitCode::Store);
            CHECK_THAT(error.what(), Contains(path().string()));
            CHECK_FALSE(error.diagnostics().front().hint.empty());
            return error.what();
        }
        return "no error";
    }

private:
    test::TempFolder folder_{test::TempFolder::Where::Memory};
};

std::vector<int> first_pixels(const Array& images) {
    std::vector<int> pixels;
    const auto count = static_cast<std::size_t>(images.shape()[0]);
    const auto values = images.values<std::uint8_t>();
    for (std::size_t i = 0; i < count; ++i) pixels.push_back(values[i * values.size() / count]);
    return pixels;
}

}  // namespace

TEST_CASE("classes are the subfolders in the order of their names, images come by class and name, hidden names are left out") {
    Folder folder;
    folder.add("b/2.png", gray(4)).add("b/10.png", gray(3)).add("a-b/x.png", gray(2)).add("a/y.jpg", gray(1));
    folder.add(".DS_Store", "x").add("a/.hidden", "x").add(".git/config", "x");
    const ImageFolder listed = list_image_folder(folder.path());
    CHECK(listed.classes == std::vector<std::string>{"a", "a-b", "b"});
    std::vector<std::string> names;
    std::vector<std::int64_t> labels;
    for (const ImageFolder::Image& image : listed.images) names.push_back(image.name), labels.push_back(image.label);
    CHECK(names == std::vector<std::string>{"a/y.jpg", "a-b/x.png", "b/10.png", "b/2.png"});
    CHECK(labels == std::vector<std::int64_t>{0, 1, 2, 2});
    CHECK(array_type_of_file(folder.path(), {}) == ArrayType{DType::UInt8, {4, 1, 1, 2}});
    int asked = 0;
    CHECK(first_pixels(read_images(folder.path(), listed, [&] { ++asked; })) == std::vector{1, 2, 3, 4});
    CHECK(asked == 4);
}

TEST_CASE("a limit takes images from all classes in turn, in the same order") {
    ImageFolder all{{"a", "b"}, {{"a/1", 0}, {"a/2", 0}, {"a/3", 0}, {"b/1", 1}, {"b/2", 1}}};
    const auto names = [&](std::int64_t limit) {
        std::vector<std::string> found;
        for (const ImageFolder::Image& image : first_images(all, limit).images) found.push_back(image.name);
        return found;
    };
    CHECK(names(1) == std::vector<std::string>{"a/1"});
    CHECK(names(3) == std::vector<std::string>{"a/1", "a/2", "b/1"});
    CHECK(names(4) == std::vector<std::string>{"a/1", "a/2", "b/1", "b/2"});
    CHECK(names(9).size() == 5);
    CHECK(first_images(all, 1).classes.size() == 2);
}

TEST_CASE("two images that differ are named with their sizes and colours, and with what makes them alike") {
    Folder sizes;
    sizes.add("a/1.png", gray(1)).add("a/2.png", gray(1)).add("b/3.png", gray(1, 3));
    CHECK_THAT(sizes.error(), Contains("b/3.png: is 3 x 1 gray, but a/1.png is 2 x 1 gray") && Contains("convert('L').resize((2, 1))"));
    CHECK_THROWS_WITH(read_images(sizes.path(), list_image_folder(sizes.path()), [] {}), Contains("b/3.png: is 3 x 1 gray"));
    Folder colours;
    colours.add("a/1.png", test::png_file({.width = 2, .height = 1}, {1, 2, 3, 4, 5, 6})).add("a/2.png", gray(1));
    CHECK_THAT(colours.error(), Contains("a/2.png: is 2 x 1 gray, but a/1.png is 2 x 1 RGB") && Contains("convert('RGB')"));
}

TEST_CASE("what is no image, or where none belongs, is named") {
    Folder text;
    text.add("a/1.png", gray(1)).add("a/notes.txt", "about these\n");
    CHECK_THAT(text.error(), Contains("a/notes.txt: is not a PNG or JPEG image: it is a text"));
    CHECK_THAT(Folder().add("readme", "x").add("a/1.png", gray(1)).error(), Contains("readme: lies beside the folders of the classes"));
    CHECK_THAT(Folder().add("a/b/1.png", gray(1)).error(), Contains("a/b: is a folder within a class"));
    CHECK_THAT(Folder().add("a/1.png", gray(1)).add("b/.hidden", "").error(), Contains("b/: is a class without images"));
    CHECK_THAT(Folder().error(), Contains("is an empty folder"));
    Folder link;
    link.add("a/1.png", gray(1));
    std::filesystem::create_symlink("nowhere", link.path() / "a/2.png");
    CHECK_THAT(link.error(), Contains("a/2.png: is neither a file nor a folder"));
    Folder circle;
    circle.add("a/1.png", gray(1));
    std::filesystem::create_directory_symlink("..", circle.path() / "a/up");
    CHECK_THAT(circle.error(), Contains("is too deep a folder") && Contains("a link to a folder above it"));
}
