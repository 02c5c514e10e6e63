// `scale`: samples of uint8 are divided on their way into a batch. Everything has the bytes of what normalised samples give.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "stage_test.h"
#include "stages/ports.h"
#include "stages/stages.h"

using namespace satdl;
using namespace satdl::stages;

namespace {

constexpr std::int64_t kSamples = 37, kSide = 6;

Array images() {
    std::vector<std::uint8_t> pixels;
    for (std::int64_t i = 0; i < kSamples * kSide * kSide; ++i) pixels.push_back(static_cast<std::uint8_t>(i * 7919 % 256));
    return Array::of<std::uint8_t>({kSamples, 1, kSide, kSide}, pixels);
}

Array labels() {
    std::vector<std::uint8_t> classes;
    for (std::int64_t i = 0; i < kSamples; ++i) classes.push_back(static_cast<std::uint8_t>(i % 3));
    return Array::of<std::uint8_t>({kSamples}, classes);
}

Array normalised(const char* scale) {
    return run(normalise_stage(), {{"images", port(images())}}, {{"scale", scale}}).outputs.at("images").at("");
}

StageInputs both(Array x) {
    return {{"x", port(std::move(x))}, {"target", port(labels())}};
}

Given with(Given given, const char* name, const char* value) {
    given.insert_or_assign(name, value);
    return given;
}

void check_same(const StageOutput& one, const StageOutput& other) {
    REQUIRE(one.outputs.size() == other.outputs.size());
    for (const auto& [port, group] : one.outputs) {
        const NamedArrays& others = other.outputs.at(port);
        REQUIRE(group.size() == others.size());
        for (const auto& [name, array] : group) {
            INFO(port << " " << name);
            CHECK(array.digest() == others.at(name).digest());
        }
    }
}

Given training(const char* net) {
    return {{"net", net}, {"loss", "cross_entropy"}, {"epochs", "2"}, {"batch_size", "8"}, {"seed", "5"}, {"threads", "2"}};
}

const char* const kDense = "[flatten, {dense: 9, activation: relu}, {dense: 3, activation: softmax}]";
const char* const kConvolution = "[{conv: 4, kernel: 3, activation: relu}, flatten, {dense: 3, activation: softmax}]";

}  // namespace

TEST_CASE("train, evaluate and features of uint8 with scale: the bytes of normalise and then the same") {
    const char* const scale = GENERATE("255", "3", "0.1");
    const char* const net = GENERATE(kDense, kConvolution);
    INFO(scale << " " << net);
    const Given given = training(net);
    const StageOutput trained = run(train_stage(), both(images()), with(given, "scale", scale));
    check_same(trained, run(train_stage(), both(normalised(scale)), given));

    StageInputs inputs = both(images()), plain = both(normalised(scale));
    for (StageInputs* each : {&inputs, &plain}) each->insert_or_assign("model", trained.outputs.at("model"));
    const Given loss{{"loss", "cross_entropy"}, {"batch_size", "10"}};
    check_same(run(evaluate_stage(), inputs, with(loss, "scale", scale)), run(evaluate_stage(), plain, loss));
    for (StageInputs* each : {&inputs, &plain}) each->erase("target");
    check_same(run(features_stage(), inputs, {{"scale", scale}}), run(features_stage(), plain, {}));
}

TEST_CASE("validation samples are scaled, too, connected or held out, fine_tune likewise") {
    const Given given = training(kDense), scaled = with(given, "scale", "255");
    StageInputs inputs = both(images()), plain = both(normalised("255"));
    check_same(run(train_stage(), inputs, with(scaled, "validation_fraction", "0.2")),
               run(train_stage(), plain, with(given, "validation_fraction", "0.2")));
    inputs.insert({{"val_x", port(images())}, {"val_target", port(labels())}});
    plain.insert({{"val_x", port(normalised("255"))}, {"val_target", port(labels())}});
    const StageOutput base = run(train_stage(), inputs, scaled);
    check_same(base, run(train_stage(), plain, given));
    for (StageInputs* each : {&inputs, &plain}) each->insert_or_assign("base", base.outputs.at("model"));
    const char* const more = "[{dense: 3, activation: softmax}]";
    const Given on{{"net", more}, {"loss", "cross_entropy"}, {"epochs", "1"}};
    check_same(run(fine_tune_stage(), inputs, with(on, "scale", "255")), run(fine_tune_stage(), plain, on));
}
