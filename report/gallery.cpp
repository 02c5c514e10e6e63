#include "report/gallery.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "pipeline/core/base64.h"
#include "pipeline/core/json.h"
#include "report/escape.h"
#include "report/png.h"

namespace satdl {

namespace {

constexpr std::int64_t kMaxSide = 256;     // pixels
constexpr std::int64_t kNoiseColumns = 10;  // pictures
constexpr std::size_t kWrongPictures = 24;
constexpr std::size_t kDifferingPictures = 12;  // of each kind

template <typename T>
void as_bytes(std::span<const T> values, std::vector<std::uint8_t>& pixels) {
    for (const T value : values) {
        if constexpr (std::is_same_v<T, std::uint8_t>) {
            pixels.push_back(value);
        } else {
            const double unit = std::isnan(value) ? 0 : std::clamp(static_cast<double>(value), 0.0, 1.0);
            pixels.push_back(static_cast<std::uint8_t>(std::lround(unit * 255)));
        }
    }
}

Json picture_or_null(const std::optional<Array>& images, std::int64_t index) {
    return images ? Json(picture(*images, index)) : Json(nullptr);
}

}  // namespace

Json source_json(const Source& source) {
    return {{"stage", source.stage}, {"port", source.port}, {"key", source.key.hex()}, {"digest", source.digest.hex()}};
}

bool is_pictures(const Array& array) {
    const Shape& shape = array.shape();
    if (shape.size() != 3 && !(shape.size() == 4 && shape[1] == 1)) return false;
    const auto fits = [](std::int64_t side) { return side >= 2 && side <= kMaxSide; };
    const bool drawn = array.dtype() == DType::UInt8 || array.dtype() == DType::Float32 || array.dtype() == DType::Float64;
    return drawn && shape[0] > 0 && fits(shape[shape.size() - 2]) && fits(shape.back());
}

std::string picture(const Array& images, std::int64_t index) {
    SATDL_CHECK(is_pictures(images) && index >= 0 && index < images.shape()[0], "no such picture");
    const auto height = static_cast<std::size_t>(images.shape()[images.shape().size() - 2]);
    const auto width = static_cast<std::size_t>(images.shape().back());
    const std::size_t size = height * width, begin = static_cast<std::size_t>(index) * size;
    std::vector<std::uint8_t> pixels;
    if (images.dtype() == DType::UInt8) as_bytes(images.values<std::uint8_t>().subspan(begin, size), pixels);
    if (images.dtype() == DType::Float32) as_bytes(images.values<float>().subspan(begin, size), pixels);
    if (images.dtype() == DType::Float64) as_bytes(images.values<double>().subspan(begin, size), pixels);
    return "data:image/png;base64," +
           base64(png_of(pixels, static_cast<std::uint32_t>(width), static_cast<std::uint32_t>(height)));
}

std::optional<Graded> graded(const StageFacts& stage, Evidence& evidence) {
    const PortDescription* output = stage.output(PortRole::Predictions);
    const Reads* target = stage.reads(PortRole::Labels);
    const Reads* x = stage.reads(PortRole::Images);
    if (output == nullptr || target == nullptr) return std::nullopt;
    const auto predictions = evidence.array(stage.name, output->name);
    const auto labels = evidence.array(target->from, target->from_port);
    if (!predictions || !labels) return std::nullopt;
    auto answers = answers_of(*predictions);
    if (!answers) return std::nullopt;
    auto numbers = labels_of(*labels, answers->classes);
    if (!numbers || numbers->size() != answers->answer.size()) return std::nullopt;
    Graded result{stage.name, std::move(*answers), std::move(*numbers), {}, {}};
    if (x != nullptr) result.images = evidence.array(x->from, x->from_port);
    if (result.images &&
        (!is_pictures(*result.images) || result.images->shape()[0] != static_cast<std::int64_t>(result.labels.size()))) {
        result.images.reset();
    }
    result.sources.push_back(*evidence.source(stage.name, output->name));
    result.sources.push_back(*evidence.source(target->from, target->from_port));
    if (result.images) result.sources.push_back(*evidence.source(x->from, x->from_port));
    return result;
}

Json noise_gallery(const StageFacts& noise, const RunFacts& run, Evidence& evidence) {
    const PortDescription* noisy = noise.output(PortRole::NoisyImages);
    if (noisy == nullptr) return nullptr;
    struct Column {
        std::string title;
        Source source;
        Array images;
    };
    std::vector<Column> columns;
    const auto add = [&](const std::string& title, const std::string& stage, const std::string& port) {
        const auto images = evidence.array(stage, port);
        const auto source = evidence.source(stage, port);
        if (!images || !source || !is_pictures(*images)) return;
        if (!columns.empty() && images->shape() != columns.front().images.shape()) return;
        columns.push_back({title, *source, *images});
    };
    if (const Reads* clean = noise.reads(PortRole::Images)) add("clean", clean->from, clean->from_port);
    add("noisy", noise.name, noisy->name);
    for (const auto& stage : run.stages) {
        const Reads* x = stage.reads(PortRole::Images);
        const PortDescription* denoised = stage.output(PortRole::DenoisedImages);
        if (denoised != nullptr && x != nullptr && x->from == noise.name && x->from_port == noisy->name)
            add("denoised", stage.name, denoised->name);
    }
    if (columns.size() < 2) return nullptr;
    Json gallery = {{"stage", noise.name}, {"columns", Json::array()}, {"rows", Json::array()}};
    for (const auto& column : columns) {
        gallery["columns"].push_back({{"title", column.title}, {"source", source_json(column.source)}});
    }
    for (std::int64_t i = 0; i < std::min(kNoiseColumns, columns.front().images.shape()[0]); ++i) {
        Json row = Json::array();
        for (const auto& column : columns) row.push_back(picture(column.images, i));
        gallery["rows"].push_back(std::move(row));
    }
    return gallery;
}

Json most_wrong(const Graded& graded) {
    std::vector<std::size_t> wrong;
    for (std::size_t i = 0; i < graded.labels.size(); ++i) {
        if (graded.answers.answer[i] != graded.labels[i]) wrong.push_back(i);
    }
    std::stable_sort(wrong.begin(), wrong.end(),
                     [&](std::size_t a, std::size_t b) { return graded.answers.output[a] > graded.answers.output[b]; });
    if (wrong.size() > kWrongPictures) wrong.resize(kWrongPictures);
    Json shown = Json::array();
    for (const std::size_t i : wrong) {
        shown.push_back({{"index", i},
                         {"label", graded.labels[i]},
                         {"answer", graded.answers.answer[i]},
                         {"output", graded.answers.output[i]},
                         {"picture", picture_or_null(graded.images, static_cast<std::int64_t>(i))}});
    }
    return shown;
}

Json differing(const Graded& first, const Graded& second) {
    Json shown = Json::array();
    std::size_t by_first = 0, by_second = 0;
    for (std::size_t i = 0; i < first.labels.size(); ++i) {
        const bool one = first.answers.answer[i] == first.labels[i], other = second.answers.answer[i] == first.labels[i];
        if (one == other || (one ? by_first : by_second)++ >= kDifferingPictures) continue;
        shown.push_back(
            {{"index", i},
             {"label", first.labels[i]},
             {"first", first.answers.answer[i]},
             {"second", second.answers.answer[i]},
             {"picture", picture_or_null(first.images ? first.images : second.images, static_cast<std::int64_t>(i))}});
    }
    return shown;
}

}  // namespace satdl
