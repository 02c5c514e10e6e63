// split: the samples in parts for training, validation and test.
//
// All samples lie in one row: in the order that the seed decides and, with labels, class by class. A part takes its samples at equal
// distances along the row. So it has its share of every stretch of the row, which a class is, to within one sample. Folds take turns.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "pipeline/core/fresh_array.h"
#include "stages/classification.h"
#include "stages/parallel.h"
#include "stages/ports.h"
#include "stages/random.h"
#include "stages/stages.h"

namespace satdl::stages {
namespace {

using Samples = std::vector<std::int64_t>;

enum Part : std::size_t { kTrain, kValidation, kTest };
constexpr std::array<const char*, 3> kParts{"train", "validation", "test"};
constexpr std::int64_t kGrain = 256;  // samples

std::vector<std::int64_t> numbers_of(const Array& labels) {
    const auto widened = [](const auto values) { return std::vector<std::int64_t>(values.begin(), values.end()); };
    switch (labels.dtype()) {
        case DType::UInt8: return widened(labels.values<std::uint8_t>());
        case DType::Int32: return widened(labels.values<std::int32_t>());
        default: return widened(labels.values<std::int64_t>());
    }
}

// Whether the sample at `position` of a row is one of those that lie at equal distances, round(fraction * samples) in all.
bool is_chosen(std::size_t position, double fraction) {
    const auto before = static_cast<double>(position);
    return std::llround((before + 1) * fraction) > std::llround(before * fraction);
}

// By part: its samples, in the order that the seed decides. `labels` may be empty.
std::array<Samples, 3> parts_of(std::int64_t samples, std::span<const std::int64_t> labels, const Params& params) {
    const std::vector<std::int64_t> order = shuffled(samples, Stream(params.integer("seed"), Purpose::Split));
    std::vector<std::int64_t> row = order;
    if (!labels.empty()) std::ranges::stable_sort(row, {}, [&](std::int64_t sample) { return labels[static_cast<std::size_t>(sample)]; });
    const auto is_test = [&](std::size_t position) {
        if (!params.given("folds")) return is_chosen(position, params.number("test_fraction"));
        return static_cast<std::int64_t>(position) % params.integer("folds") == params.integer("fold");
    };
    std::vector<Part> part_of(row.size(), kTrain);
    std::size_t others = 0;  // that are not for the test, so far
    for (std::size_t i = 0; i < row.size(); ++i) {
        Part& part = part_of[static_cast<std::size_t>(row[i])];
        if (is_test(i)) part = kTest;
        else if (is_chosen(others++, params.number("validation_fraction"))) part = kValidation;
    }
    std::array<Samples, 3> parts;
    for (const std::int64_t sample : order) parts[part_of[static_cast<std::size_t>(sample)]].push_back(sample);
    return parts;
}

void check_sizes(const std::array<Samples, 3>& parts, std::int64_t samples, const Params& params) {
    const bool wants_test = params.given("folds") || params.number("test_fraction") > 0;
    const bool wants_validation = params.number("validation_fraction") > 0;
    if (!parts[kTrain].empty() && (!wants_validation || !parts[kValidation].empty()) && (!wants_test || !parts[kTest].empty())) return;
    throw stage_error(fmt::format("{} samples are too few: {} would be for training, {} for validation and {} for the test", samples,
                                  parts[kTrain].size(), parts[kValidation].size(), parts[kTest].size()),
                      params.given("folds") ? "choose fewer folds" : "choose other fractions");
}

void warn_of_missing_classes(const std::array<Samples, 3>& parts, std::span<const std::int64_t> labels, StageContext& context) {
    std::map<std::int64_t, std::array<std::int64_t, 3>> counts;
    for (std::size_t part = 0; part < parts.size(); ++part)
        for (const std::int64_t sample : parts[part]) ++counts[labels[static_cast<std::size_t>(sample)]][part];
    for (std::size_t part = 0; part < parts.size(); ++part) {
        std::vector<std::int64_t> missing;
        for (const auto& [label, count] : counts)
            if (count[part] == 0) missing.push_back(label);
        if (parts[part].empty() || missing.empty()) continue;
        context.log(LogLevel::Warning,
                    fmt::format("no sample of {} is in the {} part: there are too few", classes_text(missing), kParts[part]));
    }
}

Array taken(const Array& from, const Samples& samples, int threads) {
    Shape shape = from.shape();
    shape[0] = static_cast<std::int64_t>(samples.size());
    FreshArray result(from.dtype(), std::move(shape));
    const std::size_t size = result.bytes().empty() ? 0 : result.bytes().size() / samples.size();
    parallel_ranges(static_cast<std::int64_t>(samples.size()), kGrain, threads, [&](std::int64_t first, std::int64_t last) {
        for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(last); ++i) {
            const std::span<const std::byte> sample = from.bytes().subspan(static_cast<std::size_t>(samples[i]) * size, size);
            std::ranges::copy(sample, result.bytes().subspan(i * size).begin());
        }
    });
    return std::move(result).finish();
}

StageOutput run(const StageInputs& inputs, StageContext& context) {
    const Array& data = array_at(inputs, "data");
    const std::int64_t samples = data.shape()[0];
    std::vector<std::int64_t> labels;
    if (connected(inputs, "labels")) labels = numbers_of(array_at(inputs, "labels"));
    const std::array<Samples, 3> parts = parts_of(samples, labels, context.params());
    check_sizes(parts, samples, context.params());
    if (!labels.empty()) warn_of_missing_classes(parts, labels, context);
    StageOutput outcome;
    for (const auto& [input, arrays] : inputs)
        for (std::size_t part = 0; part < parts.size(); ++part)
            outcome.outputs.emplace(fmt::format("{}_{}", kParts[part], input),
                                    one_array(taken(arrays.at(""), parts[part], context.threads())));
    return outcome;
}

std::vector<PortDescription> outputs() {
    std::vector<PortDescription> ports;
    for (const char* part : kParts)
        ports.push_back({.name = fmt::format("{}_data", part), .dtype_of = "data", .shape = "[_, ...S]"});
    for (const char* part : kParts)
        ports.push_back({.name = fmt::format("{}_labels", part), .dtype_of = "labels", .shape = "[_]", .optional = true,
                         .help = "of the same samples; if labels is connected"});
    return ports;
}

}  // namespace

StageEntry split_stage() {
    ParamDescription fold{.name = "fold", .type = ParamType::Integer, .fallback = "0", .min = 0, .max = 1e6,
                          .help = "which fold is the test part, from 0; a sweep over all of them is a cross-validation"};
    fold.needs = {{"folds", {}}};
    fold.below = "folds";
    ParamDescription folds{.name = "folds", .type = ParamType::Integer, .fallback = "null", .min = 2, .max = 1e6,
                           .help = "split into this many folds of equal size, of which one is the test part"};
    folds.excludes = {"test_fraction"};
    folds.at_most_rows_of = "data";
    const auto fraction = [](std::string name, std::string fallback, std::string help) {
        return ParamDescription{.name = std::move(name), .type = ParamType::Number, .fallback = std::move(fallback), .min = 0, .max = 0.99,
                                .help = std::move(help), .row_fraction = ParamDescription::RowFraction{.of = "data"}};
    };
    return {
        .description = {
            .kind = "split",
            .help = "Split samples at random into parts for training, validation and test, or into folds for cross-validation",
            .inputs = {{.name = "data", .shape = "[N, ...S]", .help = "samples of any type"},
                       {.name = "labels", .dtypes = {DType::UInt8, DType::Int32, DType::Int64}, .shape = "[N]", .optional = true,
                        .help = "class numbers: then every part has its share of every class"}},
            .outputs = outputs(),
            .params = {fraction("test_fraction", "0.2", "fraction of the samples that the test part gets"),
                       fraction("validation_fraction", "0", "fraction of the other samples that the validation part gets"),
                       std::move(folds), std::move(fold),
                       {.name = "seed", .type = ParamType::Integer, .fallback = "0", .help = "another seed, other parts"}},
            .memory_per_input_byte = 1.0,
            .large_outputs_in_files = true,
        },
        .run = run,
    };
}

}  // namespace satdl::stages
