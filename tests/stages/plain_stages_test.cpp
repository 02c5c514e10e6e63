// The stages that need no LibTorch.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <set>

#include "stage_test.h"
#include "stages/array_conversion.h"
#include "stages/finite.h"
#include "stages/model_arrays.h"
#include "stages/random.h"
#include "stages/stages.h"

using namespace satdl;
using namespace satdl::stages;
using Catch::Matchers::Contains;

namespace {

Array images_of(const StageOutput& outcome) { return outcome.outputs.at("images").at(""); }

SourceFile source(const std::string& role, const std::string& bytes, DType dtype, Shape shape) {
    const auto path = std::filesystem::temp_directory_path() / ("satdl_" + std::to_string(::getpid()) + "_" + role);
    std::ofstream(path, std::ios::binary) << bytes;
    return {.role = role,
            .path = path,
            .dtype = dtype,
            .shape = std::move(shape),
            .header = {},
            .expected = {},
            .dataset = "tiny",
            .place = {}};
}

}  // namespace

TEST_CASE("normalise divides bytes and floats, with any number of threads") {
    const StageInputs bytes{{"images", port(array<std::uint8_t>({2, 2}, {0, 51, 102, 255}))}};
    const Array result = images_of(run(normalise_stage(), bytes, {{"scale", "255"}}));
    CHECK(result.shape() == Shape{2, 2});
    CHECK(values_of<float>(result) == std::vector<float>{0, 51 / 255.0f, 102 / 255.0f, 1});
    const StageInputs floats{{"images", port(array<float>({3}, {1, 2, -3}))}};
    CHECK(values_of<float>(images_of(run(normalise_stage(), floats, {{"scale", "2"}}))) ==
          std::vector<float>{0.5f, 1, -1.5f});

    std::vector<std::uint8_t> many(1'100'003);  // of which the result lies in huge pages
    for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::uint8_t>(i * 7);
    const StageInputs large{{"images", port(array<std::uint8_t>({1'100'003}, many))}};
    CHECK(bytes_of(run(normalise_stage(), large, {}, 1)) == bytes_of(run(normalise_stage(), large, {}, 5)));
}

TEST_CASE("concat puts the second array's samples after the first's, whatever their type") {
    const auto joined = [](Array first, Array second) {
        const StageInputs inputs{{"first", port(std::move(first))}, {"second", port(std::move(second))}};
        return run(concat_stage(), inputs, {}).outputs.at("data").at("");
    };
    const Array bytes = joined(array<std::uint8_t>({1, 2}, {1, 2}), array<std::uint8_t>({2, 2}, {3, 4, 5, 6}));
    CHECK(bytes.shape() == Shape{3, 2});
    CHECK(values_of<std::uint8_t>(bytes) == std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6});
    CHECK(values_of<float>(joined(array<float>({0}, {}), array<float>({1}, {7}))) == std::vector<float>{7});

    std::vector<std::int32_t> counted(300'001);
    std::iota(counted.begin(), counted.end(), 0);
    const StageInputs large{{"first", port(array<std::int32_t>({100'001}, {counted.begin(), counted.begin() + 100'001}))},
                            {"second", port(array<std::int32_t>({200'000}, {counted.begin() + 100'001, counted.end()}))}};
    for (const int threads : {1, 3})
        CHECK(values_of<std::int32_t>(run(concat_stage(), large, {}, threads).outputs.at("data").at("")) == counted);
}

TEST_CASE("add_noise adds the stream's normal numbers and clips") {
    const std::vector<float> x(100'001, 0.5f);
    const StageInputs inputs{{"images", port(array<float>({100'001}, x))}};
    const auto result =
        values_of<float>(images_of(run(add_noise_stage(), inputs, {{"noise_factor", "0.1"}, {"seed", "7"}})));
    const Stream stream(7, Purpose::Noise, 0, word_of(""));
    CHECK(result[0] == static_cast<float>(0.5 + 0.1 * stream.normal_pair(0)[0]));
    CHECK(result[99'999] == static_cast<float>(0.5 + 0.1 * stream.normal_pair(49'999)[1]));
    CHECK(result[100'000] == static_cast<float>(0.5 + 0.1 * stream.normal_pair(50'000)[0]));
    double sum = 0, squares = 0;
    for (const float value : result) sum += value, squares += (value - 0.5) * (value - 0.5);
    CHECK(sum / 100'001 == Approx(0.5).margin(0.0015));
    CHECK(std::sqrt(squares / 100'001) == Approx(0.1).margin(0.001));

    const auto clipped = values_of<float>(images_of(run(add_noise_stage(), inputs, {{"noise_factor", "100"}})));
    CHECK(*std::ranges::min_element(clipped) == 0);
    CHECK(*std::ranges::max_element(clipped) == 1);
}

TEST_CASE("add_noise warns once of images that are not in 0 to 1") {
    const auto warnings = [](const std::vector<float>& images) {
        const StageEntry stage = add_noise_stage();
        TestContext context(stage.description, {});
        (void)stage.run({{"images", port(array<float>({static_cast<std::int64_t>(images.size())}, images))}}, context);
        return context.logged;
    };
    CHECK(warnings({0, 0.5f, 1}).empty());
    CHECK(warnings({}).empty());
    CHECK_THAT(warnings({std::nanf(""), 30, 255})[0], Contains("images go from 30 to 255"));
    REQUIRE(warnings({0, 255, 256}).size() == 1);
    CHECK_THAT(warnings({0, 255, 254})[0], Contains("images go from 0 to 255") && Contains("`normalise`"));
    CHECK_THAT(warnings({-0.5f, 1})[0], Contains("images go from -0.5 to 1"));
}

TEST_CASE("samples with NaN or infinity are counted, with any number of threads") {
    std::vector<float> values(3'000, 0.5f);
    CHECK_FALSE(find_not_finite(array<float>({1'000, 3}, values), 2));
    CHECK_FALSE(find_not_finite(array<float>({0, 3}, {}), 2));
    CHECK_FALSE(find_not_finite(array<float>({4, 0}, {}), 2));
    values[3 * 700 + 1] = std::nanf("");
    values[3 * 700 + 2] = std::nanf("");
    values[3 * 999] = std::numeric_limits<float>::infinity();
    for (const int threads : {1, 2, 5}) {
        const auto found = find_not_finite(array<float>({1'000, 3}, values), threads);
        REQUIRE(found);
        CHECK(found->samples == 2);
        CHECK(found->first == 700);
    }
}

TEST_CASE("normalise and add_noise warn of samples whose result is no number") {
    const auto warnings = [](const StageEntry& stage, const Given& given, const std::vector<float>& images) {
        TestContext context(stage.description, given);
        (void)stage.run({{"images", port(array<float>({static_cast<std::int64_t>(images.size()), 1}, images))}}, context);
        return context.logged;
    };
    const float nan = std::nanf("");
    CHECK(warnings(normalise_stage(), {}, {0, 255}).empty());
    CHECK(warnings(normalise_stage(), {}, {0, nan, 255, nan}) ==
          std::vector<std::string>{
              "images has NaN or infinity in 2 of 4 samples; the first of them is sample 1: check what the stage reads"});
    CHECK_THAT(warnings(normalise_stage(), {{"scale", "1e-30"}}, {1e20f, 0})[0], Contains("in 1 of 2 samples"));  // it arises here
    CHECK(warnings(add_noise_stage(), {}, {0, 1}).empty());
    CHECK_THAT(warnings(add_noise_stage(), {}, {0, 1, nan})[0], Contains("in 1 of 3 samples; the first of them is sample 2"));
}

TEST_CASE("noise does not depend on threads, but on seed and stream") {
    const StageInputs inputs{{"images", port(array<float>({50'001}, std::vector<float>(50'001, 0.5f)))}};
    const auto noise = [&](const std::map<std::string, std::string>& params, int threads) {
        return bytes_of(run(add_noise_stage(), inputs, params, threads));
    };
    const auto one = noise({{"seed", "1"}}, 1);
    CHECK(one == noise({{"seed", "1"}}, 3));
    CHECK(one == noise({{"seed", "1"}}, 2));
    CHECK(one != noise({{"seed", "2"}}, 1));
    CHECK(one != noise({{"seed", "1"}, {"stream", "test"}}, 1));
}

TEST_CASE("load gives images the shape that the manifest promises, and at most `limit` of them") {
    const std::string images_header{0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2};
    const std::string labels_header{0, 0, 8, 1, 0, 0, 0, 3};
    const StageEntry stage = load_stage();
    TestContext context(stage.description, {{"dataset", "tiny"}, {"limit", "2"}});
    context.files_ = {source("images", images_header + "abcdef", DType::UInt8, {3, 1, 1, 2}),
                      source("labels", labels_header + "xyz", DType::UInt8, {3})};
    const StageOutput outcome = stage.run({}, context);
    CHECK(images_of(outcome).shape() == Shape{2, 1, 1, 2});
    CHECK(values_of<std::uint8_t>(images_of(outcome)) == std::vector<std::uint8_t>{'a', 'b', 'c', 'd'});
    CHECK(values_of<std::uint8_t>(outcome.outputs.at("labels").at("")) == std::vector<std::uint8_t>{'x', 'y'});

    context.files_[0].shape = {3, 1, 2, 2};
    CHECK_THROWS_WITH(stage.run({}, context), Contains("its manifest says uint8 [3, 1, 2, 2]"));
    context.files_[0].shape = {3, 1, 2, 1};
    CHECK(images_of(stage.run({}, context)).shape() == Shape{2, 1, 2, 1});
    context.files_[0].shape = {2, 3};
    CHECK_THROWS_WITH(stage.run({}, context), Contains("its manifest says uint8 [2, 3]") && Contains("data/tiny.yaml"));
    context.files_.pop_back();
    context.files_[0].shape = {3, 1, 1, 2};
    CHECK_THROWS_WITH(stage.run({}, context), Contains("no labels in this split"));
}

TEST_CASE("load gives arrays of the element type that the manifest has") {
    const StageEntry stage = load_stage();
    TestContext context(stage.description, {{"dataset", "tiny"}});
    context.files_ = {source("images", std::string{0, 0, 13, 2, 0, 0, 0, 1, 0, 0, 0, 1, 63, -128, 0, 0}, DType::Float32, {1, 1}),
                      source("labels", std::string{0, 0, 12, 1, 0, 0, 0, 1, 0, 0, 1, 0}, DType::Int32, {1})};
    const StageOutput outcome = stage.run({}, context);
    CHECK(values_of<float>(images_of(outcome)) == std::vector<float>{1});
    CHECK(values_of<std::int32_t>(outcome.outputs.at("labels").at("")) == std::vector<std::int32_t>{256});
    for (const PortDescription& port : stage.description.outputs) CHECK(port.dtypes.empty());  // whatever the manifest says
}

TEST_CASE("load refuses splits without samples, and images beside the labels of others") {
    const std::string three{0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2}, none{0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2};
    const std::string labels_header{0, 0, 8, 1, 0, 0, 0, 2};
    const StageEntry stage = load_stage();
    TestContext context(stage.description, {{"dataset", "tiny"}});
    context.files_ = {source("images", three + "abcdef", DType::UInt8, {3, 1, 1, 2}),
                      source("labels", labels_header + "xy", DType::UInt8, {2})};
    CHECK_THROWS_WITH(stage.run({}, context), Contains("images holds 3 images") && Contains("labels holds 2 labels") &&
                                                  Contains("check the split in the manifest"));
    context.files_[0] = source("images", none, DType::UInt8, {0, 1, 1, 2});
    CHECK_THROWS_WITH(stage.run({}, context), Contains("images has no samples") && Contains("fetch the file again"));
}

namespace {

std::string npy(const std::string& descr, const std::string& shape, const std::string& data) {
    const std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
    return "\x93NUMPY" + std::string{1, 0, static_cast<char>(header.size()), 0} + header + data;
}

template <typename T>
std::string npy_of(const std::string& descr, const std::vector<T>& values) {
    return npy(descr, "(" + std::to_string(values.size()) + ",)",
               std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)));
}

Array read_with(const std::map<std::string, std::string>& params, const std::string& bytes, std::vector<std::string>* logged = nullptr) {
    const StageEntry stage = read_stage();
    std::map<std::string, std::string> all = params;
    all["file"] = "x";
    TestContext context(stage.description, all);
    context.files_ = {source("mine", bytes, DType::UInt8, {})};
    Array array = stage.run({}, context).outputs.at("data").at("");
    if (logged != nullptr) *logged = context.logged;
    return array;
}

}  // namespace

TEST_CASE("read tells formats apart by content, whatever the file's name, and takes at most `limit` entries") {
    const std::string two = npy("|u1", "(2,)", "ab"), idx = std::string{0, 0, 8, 1, 0, 0, 0, 1} + "q";
    const StageEntry stage = read_stage();
    for (const char* name : {"mine.npy", "mine.h5", "mine.idx", "mine"}) {
        TestContext context(stage.description, {{"file", "x"}});
        context.files_ = {source(name, two, DType::UInt8, {})};
        CHECK(values_of<std::uint8_t>(stage.run({}, context).outputs.at("data").at("")) == std::vector<std::uint8_t>{'a', 'b'});
        context.files_ = {source(name, idx, DType::UInt8, {})};
        CHECK(values_of<std::uint8_t>(stage.run({}, context).outputs.at("data").at("")) == std::vector<std::uint8_t>{'q'});
        context.files_ = {source(name, "\x89HDF\r\n\x1a\n and no more", DType::UInt8, {})};
        CHECK_THROWS_WITH(stage.run({}, context), Contains("HDF5 cannot open it"));
    }
    CHECK(values_of<std::uint8_t>(read_with({{"limit", "1"}}, two)) == std::vector<std::uint8_t>{'a'});
    CHECK_THROWS_WITH(read_with({{"array", "group/data"}}, two), Contains("has one array without a name") && Contains("remove it"));
}

TEST_CASE("read converts to another type where no value changes but by float32's rounding") {
    const std::string doubles = npy_of<double>("<f8", {0.1, -2, 1e-300, INFINITY});
    CHECK(values_of<float>(read_with({{"dtype", "float32"}}, doubles)) == std::vector<float>{0.1f, -2, 0, INFINITY});
    CHECK(values_of<double>(read_with({{"dtype", "float64"}}, doubles))[0] == 0.1);
    CHECK(std::isnan(values_of<float>(read_with({{"dtype", "float32"}}, npy_of<double>("<f8", {NAN})))[0]));
    CHECK(values_of<std::uint8_t>(read_with({{"dtype", "uint8"}}, npy_of<std::int64_t>("<i8", {0, 255}))) ==
          std::vector<std::uint8_t>{0, 255});
    CHECK(values_of<std::int64_t>(read_with({{"dtype", "int64"}}, npy_of<double>("<f8", {-3, 9007199254740992}))) ==
          std::vector<std::int64_t>{-3, 9007199254740992});
    CHECK(values_of<float>(read_with({{"dtype", "float32"}}, npy_of<std::int32_t>("<i4", {16777216, -5}))) ==
          std::vector<float>{16777216, -5});
}

TEST_CASE("read refuses a value that the other type does not have, and with `lossy` takes the nearest") {
    constexpr std::int64_t kGreatest = std::numeric_limits<std::int64_t>::max();
    struct Case {
        const char* dtype;
        std::string bytes;
        const char* told;
        double nearest;
    };
    for (const Case& one : std::initializer_list<Case>{
             {"uint8", npy_of<std::int32_t>("<i4", {256}), "element [0] is 256, which uint8 does not have", 255},
             {"uint8", npy_of<std::int32_t>("<i4", {-1}), "element [0] is -1", 0},
             {"uint8", npy_of<float>("<f4", {0.75f}), "element [0] is 0.75", 1},
             {"int32", npy_of<double>("<f8", {2147483648.0}), "which int32 does not have", 2147483647.0},
             {"int32", npy_of<double>("<f8", {-INFINITY}), "element [0] is -inf", -2147483648.0},
             {"int64", npy_of<double>("<f8", {1e300}), "which int64 does not have", 9223372036854775807.0},
             {"float32", npy_of<std::int32_t>("<i4", {16777217}), "element [0] is 16777217", 16777216},
             {"float64", npy_of<std::int64_t>("<i8", {kGreatest}), "element [0] is 9223372036854775807", 9223372036854775808.0},
             {"float32", npy_of<double>("<f8", {1e39}), "element [0] is 1e+39", INFINITY},
         }) {
        INFO(one.told);
        CHECK_THROWS_WITH(read_with({{"dtype", one.dtype}}, one.bytes), Contains(one.told) && Contains("lossy: true"));
        const Array nearest = read_with({{"dtype", one.dtype}, {"lossy", "true"}}, one.bytes);
        CHECK(nearest.dtype() == dtype_from_name(one.dtype));
        CHECK(values_of<double>(converted(nearest, DType::Float64, true))[0] == one.nearest);
    }
    CHECK_THROWS_WITH(read_with({{"dtype", "int32"}, {"lossy", "true"}}, npy_of<float>("<f4", {1, NAN})),
                      Contains("_mine: element [1] is nan") && Contains("numpy.nan_to_num"));
}

TEST_CASE("read gives each entry another shape, before a layout") {
    const std::string rows = npy("|u1", "(2, 6)", "abcdefghijkl");
    CHECK(read_with({{"reshape", "[1, 2, 3]"}}, rows).shape() == Shape{2, 1, 2, 3});
    CHECK(read_with({{"reshape", "[1, 2, 3]"}, {"limit", "1"}}, rows).shape() == Shape{1, 1, 2, 3});
    const Array turned = read_with({{"reshape", "[1, 2, 3]"}, {"layout", "nhwc"}}, rows);
    CHECK(turned.shape() == Shape{2, 3, 1, 2});
    CHECK(values_of<std::uint8_t>(turned)[1] == 'd');
    CHECK(read_with({{"reshape", "[]"}}, npy("|u1", "(2, 1)", "ab")).shape() == Shape{2});
    CHECK_THROWS_WITH(read_with({{"reshape", "[4]"}}, rows), Contains("_mine cannot be reshaped: its entries have 6 elements") &&
                                                               Contains("without their number"));
}

TEST_CASE("read turns [N, H, W, C] into [N, C, H, W], and warns where the layout is not given") {
    std::string bytes;
    for (int i = 0; i < 2 * 5 * 6 * 3; ++i) bytes += static_cast<char>(i);
    const std::string images = npy("|u1", "(2, 5, 6, 3)", bytes);
    const Array turned = read_with({{"layout", "nhwc"}}, images);
    CHECK(turned.shape() == Shape{2, 3, 5, 6});
    for (std::size_t n = 0; n < 2; ++n)
        for (std::size_t c = 0; c < 3; ++c)
            for (std::size_t p = 0; p < 30; ++p) CHECK(turned.values<std::uint8_t>()[(n * 3 + c) * 30 + p] == n * 90 + p * 3 + c);
    std::vector<std::string> logged;
    CHECK(read_with({}, images, &logged).shape() == Shape{2, 5, 6, 3});
    REQUIRE(logged.size() == 1);
    CHECK(logged[0] ==
          "[2, 5, 6, 3] is read as 5 channels of 6 x 3; if these are images with 3 channels, write layout: nhwc, else layout: nchw");
    for (const char* layout : {"nhwc", "nchw"}) {
        (void)read_with({{"layout", layout}}, images, &logged);
        CHECK(logged.empty());
    }
    (void)read_with({}, npy("|u1", "(2, 3, 6, 5)", bytes), &logged);
    CHECK(logged.empty());
    CHECK_THROWS_WITH(read_with({{"layout", "nhwc"}}, npy("|u1", "(2,)", "ab")), Contains("this one is [2]"));
}

TEST_CASE("a model survives its way through a port") {
    const Model model{
        network_of("[{conv: 2, kernel: 3, name: first}, relu, {batch_norm: {momentum: 0.9}}, flatten, {dense: 4}]"),
        {1, 5, 5},
        {{"first.weight", array<float>({1}, {3})}}};
    const Model back = model_from(to_group(model));
    CHECK(back.network == model.network);
    CHECK(back.input == model.input);
    CHECK(values_of<float>(back.weights.at("first.weight")) == std::vector<float>{3});
    CHECK(back.weights.size() == 1);
    CHECK_THROWS_WITH(model_from({}), Contains("not a model"));
    CHECK_THROWS_WITH(model_from({{"architecture", array<std::uint8_t>({1}, {'x'})}}), Contains("not a model"));
}

TEST_CASE("every stage describes itself completely") {
    std::set<std::string> kinds;
    for (const StageEntry& stage : {load_stage(), read_stage(), normalise_stage(), add_noise_stage(), concat_stage(),
                                    split_stage(), model_stage(), train_stage(), fine_tune_stage(), features_stage(), evaluate_stage(),
                                    evaluate_predictions_stage(), compare_stage()}) {
        INFO(stage.description.kind);
        CHECK(kinds.insert(stage.description.kind).second);
        CHECK(stage.run != nullptr);
        CHECK(!stage.description.help.empty());
        CHECK(!stage.description.outputs.empty());
        std::set<std::string> names;
        for (const ParamDescription& param : stage.description.params) {
            INFO(param.name);
            CHECK(names.insert(param.name).second);
            CHECK(!param.help.empty());
            if (param.type == ParamType::Choice) CHECK(!param.choices.empty());
            else if (param.type != ParamType::Numbers) CHECK(param.choices.empty());  // a list of numbers, or a word for one
        }
        const ParamDescription* threads = stage.description.param("threads");
        CHECK((threads != nullptr || !stage.description.numeric));
        if (threads != nullptr) CHECK(!threads->changes_result);
    }
}
