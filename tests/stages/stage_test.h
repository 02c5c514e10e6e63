// What the tests of stages share: a context that records, and short ways to networks, arrays and parameters.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/network/network_parser.h"
#include "pipeline/stage.h"
#include "pipeline/yaml/yaml_parser.h"
#include "stages/random.h"
#include "tests/support/typed_params.h"

namespace satdl::stages {

class TestContext : public StageContext {
public:
    // The stage's defaults, with `given` (YAML text by parameter) over them.
    TestContext(const StageDescription& description, const std::map<std::string, std::string>& given, int threads = 1)
        : threads_(threads) {
        std::map<std::string, ParamValue> values;
        for (const ParamDescription& param : description.params) {
            const auto found = given.find(param.name);
            if (found != given.end()) values[param.name] = test::typed(param, parse(found->second));
            else if (param.fallback) values[param.name] = test::typed(param, parse(*param.fallback));
        }
        params_ = Params(std::move(values));
    }
    explicit TestContext(int threads = 1) : threads_(threads) {}

    [[nodiscard]] const Params& params() const override { return params_; }
    [[nodiscard]] int threads() const override { return threads_; }
    [[nodiscard]] Precision precision() const override {
        return params_.values().contains("precision") && params_.text("precision") == "bf16" ? Precision::Bf16 : Precision::Fp32;
    }
    [[nodiscard]] const std::vector<SourceFile>& files() const override { return files_; }
    [[nodiscard]] bool stop_requested() const override { return stop && stop(reported); }
    void progress(const Progress& progress) override { reported.push_back(progress); }
    void log(LogLevel, std::string_view message) override { logged.emplace_back(message); }

    static ConfigValue parse(const std::string& yaml) {
        return parse_yaml(std::make_shared<SourceText>(SourceText{"test", yaml}));
    }

    std::vector<SourceFile> files_;
    std::vector<Progress> reported;
    std::vector<std::string> logged;
    std::function<bool(const std::vector<Progress>&)> stop;

private:
    Params params_;
    int threads_;
};

inline Network network_of(const std::string& yaml) {
    Diagnostics diagnostics;
    Network network = parse_network(TestContext::parse(yaml), diagnostics);
    diagnostics.throw_if_any();
    return network;
}

template <typename T>
Array array(Shape shape, std::initializer_list<T> values) {
    return Array::of<T>(std::move(shape), std::span<const T>(values.begin(), values.size()));
}

template <typename T>
Array array(Shape shape, const std::vector<T>& values) {
    return Array::of<T>(std::move(shape), std::span<const T>(values));
}

inline NamedArrays port(Array array) { return {{"", std::move(array)}}; }

template <typename T>
std::vector<T> values_of(const Array& array) {
    const auto values = array.values<T>();
    return {values.begin(), values.end()};
}

// Points of three classes around (1, 0), (0, 1), (-1, -1), as images [N, 1, 1, 2].
inline StageInputs blobs(std::int64_t samples, bool with_validation = true) {
    const auto make = [&](const std::string& x, const std::string& target, StageInputs& inputs, std::uint32_t index) {
        const float centres[3][2] = {{1, 0}, {0, 1}, {-1, -1}};
        std::vector<float> points;
        std::vector<std::uint8_t> classes;
        const Stream stream(5, Purpose::Noise, index);
        for (std::int64_t i = 0; i < samples; ++i) {
            const auto [a, b] = stream.normal_pair(static_cast<std::uint64_t>(i));
            points.push_back(centres[i % 3][0] + 0.3f * static_cast<float>(a));
            points.push_back(centres[i % 3][1] + 0.3f * static_cast<float>(b));
            classes.push_back(static_cast<std::uint8_t>(i % 3));
        }
        inputs[x] = port(array<float>({samples, 1, 1, 2}, points));
        inputs[target] = port(array<std::uint8_t>({samples}, classes));
    };
    StageInputs inputs;
    make("x", "target", inputs, 0);
    if (with_validation) make("val_x", "val_target", inputs, 1);
    return inputs;
}

// Parameters by name, as YAML.
using Given = std::map<std::string, std::string>;

inline StageOutput run(const StageEntry& stage, const StageInputs& inputs, const Given& given, int threads = 1) {
    TestContext context(stage.description, given, threads);
    return stage.run(inputs, context);
}

inline std::vector<double> column(const StageOutput& outcome, const std::string& name) {
    return values_of<double>(outcome.outputs.at("history").at(name));
}

inline double metric(const StageOutput& outcome, const std::string& name) {
    return outcome.outputs.at("metrics").at(name).values<double>()[0];
}

// Every byte of every output, so that two outcomes can be compared.
inline std::map<std::string, std::string> bytes_of(const StageOutput& outcome) {
    std::map<std::string, std::string> bytes;
    for (const auto& [port_name, group] : outcome.outputs) {
        for (const auto& [name, array] : group) {
            const auto view = array.bytes();
            bytes[port_name + "/" + name].assign(reinterpret_cast<const char*>(view.data()), view.size());
        }
    }
    return bytes;
}

}  // namespace satdl::stages
