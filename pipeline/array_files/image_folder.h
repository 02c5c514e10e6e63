// Folders of images with one subfolder for each class, as torchvision's ImageFolder and Keras' image_dataset_from_directory read them: the
// classes are the names of the subfolders in the order of their bytes, the images of a class those of its files. Names that begin with '.'
// are left out; whatever else is no image, or is not where one belongs, is an error that names it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/core/array.h"

namespace satdl {

struct ImageFolder {
    struct Image {
        std::string name;  // relative to the folder: "cats/1.png"
        std::int64_t label = 0;
    };
    std::vector<std::string> classes;
    std::vector<Image> images;  // by class, then by name
};

// Each throws Error{Store} naming the file or folder.

[[nodiscard]] ImageFolder list_image_folder(const std::filesystem::path& folder);
// At most `limit` of its images, in the same order, taken from all classes in turn.
[[nodiscard]] ImageFolder first_images(const ImageFolder& folder, std::int64_t limit);

// uint8 [N, C, H, W], by the headers of all images; two that differ in size or colours are named.
[[nodiscard]] ArrayType image_folder_type(const std::filesystem::path& folder);
// The images of `listed`. `check` is called before each.
[[nodiscard]] Array read_images(const std::filesystem::path& folder, const ImageFolder& listed, const std::function<void()>& check);

}  // namespace satdl
