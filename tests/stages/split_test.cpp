#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <set>

#include "stage_test.h"
#include "stages/stages.h"

using namespace satdl;
using namespace satdl::stages;
using Catch::Matchers::Contains;

namespace {

using Whole = std::vector<std::int64_t>;

const std::array<std::string, 3> kParts{"train", "validation", "test"};

// The sample i is {i, -i}.
Array samples(std::int64_t count) {
    Whole numbers;
    for (std::int64_t i = 0; i < count; ++i) numbers.insert(numbers.end(), {i, -i});
    return array<std::int64_t>({count, 2}, numbers);
}

// So many of class 0, of class 1, ..., sorted.
Array labels(const Whole& counts) {
    std::vector<std::int32_t> classes;
    for (std::size_t one = 0; one < counts.size(); ++one)
        classes.insert(classes.end(), static_cast<std::size_t>(counts[one]), static_cast<std::int32_t>(one));
    return array<std::int32_t>({static_cast<std::int64_t>(classes.size())}, classes);
}

// By part: the numbers of its samples.
std::array<Whole, 3> parts_of(const StageOutput& outcome) {
    std::array<Whole, 3> parts;
    for (std::size_t part = 0; part < 3; ++part) {
        const Array& data = outcome.outputs.at(kParts[part] + "_data").at("");
        const Whole values = values_of<std::int64_t>(data);
        CHECK(data.shape() == Shape{static_cast<std::int64_t>(values.size()) / 2, 2});
        for (std::size_t i = 0; i < values.size(); i += 2) {
            CHECK(values[i + 1] == -values[i]);
            parts[part].push_back(values[i]);
        }
    }
    return parts;
}

std::array<Whole, 3> split(std::int64_t count, const Given& given) {
    return parts_of(run(split_stage(), {{"data", port(samples(count))}}, given));
}

std::array<std::size_t, 3> sizes(const std::array<Whole, 3>& parts) { return {parts[0].size(), parts[1].size(), parts[2].size()}; }

}  // namespace

TEST_CASE("the parts of a split hold every sample once, shuffled, as many as their fractions say") {
    const auto parts = split(1000, {{"test_fraction", "0.29"}, {"validation_fraction", "0.1"}});
    CHECK(sizes(parts) == std::array<std::size_t, 3>{639, 71, 290});
    Whole all;
    for (const Whole& part : parts) {
        CHECK_FALSE(std::ranges::is_sorted(part));
        all.insert(all.end(), part.begin(), part.end());
    }
    Whole expected(1000);
    std::iota(expected.begin(), expected.end(), 0);
    std::ranges::sort(all);
    CHECK(all == expected);
    // Any part of the samples: on average the middle one.
    double sum = 0;
    for (const std::int64_t sample : parts[2]) sum += static_cast<double>(sample);
    CHECK(sum / 290 == Approx(499.5).margin(60));  // standard error 14
    CHECK(sizes(split(10, {})) == std::array<std::size_t, 3>{8, 0, 2});
    CHECK(sizes(split(10, {{"test_fraction", "0"}, {"validation_fraction", "0.5"}})) == std::array<std::size_t, 3>{5, 5, 0});
}

TEST_CASE("the seed decides a split, the number of threads does not") {
    CHECK(split(100, {}) == split(100, {}));
    CHECK(split(100, {}) != split(100, {{"seed", "1"}}));
    const StageInputs inputs{{"data", port(samples(5000))}, {"labels", port(labels({2000, 3000}))}};
    CHECK(bytes_of(run(split_stage(), inputs, {}, 1)) == bytes_of(run(split_stage(), inputs, {}, 7)));
}

TEST_CASE("each part has its share of each class, to within one sample, and the labels of its samples") {
    const Whole counts{1, 7, 50, 333, 2};
    const StageInputs inputs{{"data", port(samples(393))}, {"labels", port(labels(counts))}};
    const Whole of = [&] {
        const auto values = labels(counts);
        const auto classes = values.values<std::int32_t>();
        return Whole(classes.begin(), classes.end());
    }();
    for (const char* seed : {"0", "1", "2"}) {
        const StageOutput outcome = run(split_stage(), inputs, {{"test_fraction", "0.3"}, {"validation_fraction", "0.25"}, {"seed", seed}});
        const auto parts = parts_of(outcome);
        std::array<std::array<double, 5>, 3> found{};
        for (std::size_t part = 0; part < 3; ++part) {
            const auto part_labels = values_of<std::int32_t>(outcome.outputs.at(kParts[part] + "_labels").at(""));
            REQUIRE(part_labels.size() == parts[part].size());
            for (std::size_t i = 0; i < part_labels.size(); ++i) {
                CHECK(part_labels[i] == of[static_cast<std::size_t>(parts[part][i])]);
                ++found[part][static_cast<std::size_t>(part_labels[i])];
            }
        }
        for (std::size_t one = 0; one < counts.size(); ++one) {
            const auto samples = static_cast<double>(counts[one]);
            CHECK(found[0][one] + found[1][one] + found[2][one] == samples);
            CHECK(std::abs(found[2][one] - 0.3 * samples) <= 1);
            CHECK(std::abs(found[1][one] - 0.25 * (samples - found[2][one])) <= 1);
        }
        CHECK(parts[2].size() == 118);
    }
}

TEST_CASE("every sample is in the test part of one fold, and folds of one size have the classes in one proportion") {
    const Whole counts{12, 30, 9};
    const StageInputs inputs{{"data", port(samples(51))}, {"labels", port(labels(counts))}};
    Whole all;
    for (int fold = 0; fold < 5; ++fold) {
        const StageOutput outcome = run(split_stage(), inputs, {{"folds", "5"}, {"fold", std::to_string(fold)}});
        const auto parts = parts_of(outcome);
        CHECK(sizes(parts) == std::array<std::size_t, 3>{fold == 0 ? 40u : 41u, 0, fold == 0 ? 11u : 10u});
        CHECK(std::ranges::none_of(parts[0], [&](std::int64_t one) { return std::ranges::find(parts[2], one) != parts[2].end(); }));
        all.insert(all.end(), parts[2].begin(), parts[2].end());
        const auto classes = values_of<std::int32_t>(outcome.outputs.at("test_labels").at(""));
        for (std::size_t one = 0; one < counts.size(); ++one)
            CHECK(std::abs(static_cast<double>(std::ranges::count(classes, static_cast<std::int32_t>(one))) -
                           static_cast<double>(counts[one]) / 5) < 1);
    }
    CHECK(std::set(all.begin(), all.end()).size() == 51);
    CHECK(all.size() == 51);
}

TEST_CASE("a split without labels has no outputs for them") {
    CHECK(run(split_stage(), {{"data", port(samples(10))}}, {}).outputs.size() == 3);
}

TEST_CASE("a split warns of a part that lacks a class") {
    const StageEntry stage = split_stage();
    TestContext context(stage.description, {{"test_fraction", "0.5"}});
    (void)stage.run({{"data", port(samples(11))}, {"labels", port(labels({1, 9, 1}))}}, context);
    CHECK(context.logged == std::vector<std::string>{"no sample of classes 0, 2 is in the train part: there are too few"});
    TestContext fine(stage.description, {{"test_fraction", "0.5"}});
    (void)stage.run({{"data", port(samples(8))}, {"labels", port(labels({4, 4}))}}, fine);
    CHECK(fine.logged.empty());
}

TEST_CASE("a split of too few samples is refused") {
    CHECK_THROWS_WITH(split(0, {}), Contains("0 samples are too few"));
    CHECK_THROWS_WITH(split(2, {}), Contains("2 samples are too few: 2 would be for training, 0 for validation and 0 for the test"));
    CHECK_THROWS_WITH(split(4, {{"folds", "5"}, {"fold", "4"}}), Contains("4 samples are too few") && Contains("choose fewer folds"));
}
