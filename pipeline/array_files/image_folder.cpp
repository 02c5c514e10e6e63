#include "pipeline/array_files/image_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "pipeline/array_files/image.h"
#include "pipeline/core/fresh_array.h"
#include "pipeline/os/file_tree.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolderIs =
    "a folder of images has a subfolder for each class, with nothing but its images: move this away, or begin its name with '.'";

Error error_in(const fs::path& folder, const std::string& name, const std::string& message, std::string hint) {
    return Error(ExitCode::Store, fmt::format("{}: {}", printable((folder / name).string()), message), std::move(hint));
}

// All images have the size and the colours of the first.
class OneShape {
public:
    explicit OneShape(const fs::path& folder) : folder_(folder) {}

    const Shape& of(BinaryFile& file, const std::string& name) {
        Shape shape = read_image_shape(file);
        if (first_.empty()) {
            first_ = name;
            shape_ = std::move(shape);
        } else if (shape != shape_) {
            throw error_in(folder_, name, fmt::format("is {}, but {} is {}", image_text(shape), printable(first_), image_text(shape_)),
                           "all images of a folder have one size and the same colours. " + how_to_convert_to(shape_));
        }
        return shape_;
    }

private:
    const fs::path& folder_;
    std::string first_;
    Shape shape_;
};

}  // namespace

ImageFolder list_image_folder(const fs::path& folder) {
    std::map<std::string, std::vector<std::string>> files;  // by class
    for (const std::string& name : visible_files_below(folder)) {
        const std::size_t slash = name.find('/');
        if (slash == std::string::npos) throw error_in(folder, name, "lies beside the folders of the classes", kFolderIs);
        if (slash + 1 == name.size()) throw error_in(folder, name, "is a class without images", kFolderIs);
        if (name.find('/', slash + 1) != std::string::npos)
            throw error_in(folder, name.substr(0, name.find('/', slash + 1)), "is a folder within a class", kFolderIs);
        files[name.substr(0, slash)].push_back(name);
    }
    if (files.empty()) throw error_in(folder, "", "is an empty folder", "a folder of images has a subfolder for each class");
    ImageFolder listed;
    for (auto& [name, images] : files) {
        for (std::string& image : images) listed.images.push_back({std::move(image), static_cast<std::int64_t>(listed.classes.size())});
        listed.classes.push_back(name);
    }
    return listed;
}

ImageFolder first_images(const ImageFolder& folder, std::int64_t limit) {
    // The rounds in which they are taken: 0 for the first image of each class, 1 for the second, ...
    std::vector<std::size_t> seen(folder.classes.size(), 0), rounds;
    for (const ImageFolder::Image& image : folder.images) rounds.push_back(seen[static_cast<std::size_t>(image.label)]++);
    std::vector<std::size_t> order(folder.images.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return rounds[i]; });
    order.resize(std::min(order.size(), static_cast<std::size_t>(limit)));
    std::ranges::sort(order);
    ImageFolder chosen{folder.classes, {}};
    for (const std::size_t i : order) chosen.images.push_back(folder.images[i]);
    return chosen;
}

ArrayType image_folder_type(const fs::path& folder) {
    const ImageFolder listed = list_image_folder(folder);
    OneShape one_shape(folder);
    Shape shape{static_cast<std::int64_t>(listed.images.size())};
    for (const ImageFolder::Image& image : listed.images) {
        BinaryFile file(folder / image.name);
        const Shape& each = one_shape.of(file, image.name);
        if (shape.size() == 1) shape.insert(shape.end(), each.begin(), each.end());
    }
    return {DType::UInt8, std::move(shape)};
}

Array read_images(const fs::path& folder, const ImageFolder& listed, const std::function<void()>& check) {
    OneShape one_shape(folder);
    std::optional<FreshArray> images;
    std::span<std::byte> rest;
    for (const ImageFolder::Image& image : listed.images) {
        check();
        BinaryFile file(folder / image.name);
        const Shape& shape = one_shape.of(file, image.name);
        if (!images) {
            images.emplace(DType::UInt8, Shape{static_cast<std::int64_t>(listed.images.size()), shape[0], shape[1], shape[2]});
            rest = images->bytes();
        }
        const std::size_t bytes = images->bytes().size() / listed.images.size();
        read_image(file, shape, rest.first(bytes));
        rest = rest.subspan(bytes);
    }
    SATDL_CHECK(images.has_value(), "a folder of images has at least one");
    return std::move(*images).finish();
}

}  // namespace satdl
