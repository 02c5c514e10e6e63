// read_images: a folder of images, one subfolder for each class.
#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/array_files/image_folder.h"
#include "stages/ports.h"
#include "stages/stages.h"

namespace satdl::stages {
namespace {

Table table_of(const ImageFolder& folder) {
    std::vector<std::int64_t> counts(folder.classes.size(), 0);
    for (const ImageFolder::Image& image : folder.images) ++counts[static_cast<std::size_t>(image.label)];
    Table table{.title = "classes", .columns = {"label", "class", "images"}, .rows = {}, .notes = {}};
    for (std::size_t label = 0; label < counts.size(); ++label)
        table.rows.push_back({std::to_string(label), printable(folder.classes[label]), std::to_string(counts[label])});
    return table;
}

StageOutput run(const StageInputs&, StageContext& context) {
    SATDL_CHECK(context.files().size() == 1, "the stage reads one folder");
    const std::filesystem::path& path = context.files().front().path;
    ImageFolder folder = list_image_folder(path);
    if (context.params().given("limit")) folder = first_images(folder, context.params().integer("limit"));
    Array images = read_images(path, folder, [&] {
        if (context.stop_requested()) throw Stopped{};
    });
    std::vector<std::int64_t> labels;
    for (const ImageFolder::Image& image : folder.images) labels.push_back(image.label);
    const Shape rows{static_cast<std::int64_t>(labels.size())};
    return {.outputs = {{"images", one_array(std::move(images))}, {"labels", one_array(Array::of<std::int64_t>(rows, labels))}},
            .tables = {table_of(folder)}};
}

}  // namespace

StageEntry read_images_stage() {
    return {
        .description = {
            .kind = "read_images",
            .help = "Load a folder of PNG and JPEG images, with one subfolder for each class",
            .outputs = {{.name = "images", .dtypes = {DType::UInt8}, .shape = "file(folder)",
                         .help = "[N, C, H, W]; C: 1 gray, 2 gray with alpha, 3 RGB, 4 RGB with alpha"},
                        {.name = "labels", .dtypes = {DType::Int64}, .shape = "rows(folder)",
                         .help = "class numbers: 0 for the first subfolder by name, 1 for the second, ..."}},
            .params = {{.name = "folder", .type = ParamType::Folder,
                        .help = "a folder of any name; the names and contents of its files are part of the key"},
                       {.name = "limit", .type = ParamType::Integer, .fallback = "null", .min = 1, .unit = "images",
                        .help = "load only N, from all classes in turn (default: all)",
                        .smoke_max = kSmokeSamples}},
            .memory_fixed_bytes = 256 << 20,
        },
        .run = run,
    };
}

}  // namespace satdl::stages
