#include "pipeline/plan/placement.h"
#include "pipeline/plan/stage_key.h"

#include <stdlib.h>

#include <catch2/catch.hpp>

#include "pipeline/network/network.h"
#include "pipeline/network/network_parser.h"
#include "pipeline/plan/recipe_diff.h"
#include "tests/support/tiny_stages.h"

using namespace satdl;
using test::as_group;

namespace {

// One stage with a parameter of every type.
CatalogEntry everything() {
    StageDescription stage{.kind = "everything", .version = 3};
    stage.inputs = {{.name = "x"}, {.name = "target"}};
    stage.params = {{.name = "rate", .type = ParamType::Number},
                    {.name = "epochs", .type = ParamType::Integer},
                    {.name = "loss", .type = ParamType::Choice, .choices = {"mse", "cross_entropy", "1"}},
                    {.name = "freeze", .type = ParamType::Boolean},
                    {.name = "label", .type = ParamType::Text},
                    {.name = "net", .type = ParamType::Network},
                    {.name = "dataset", .type = ParamType::Dataset},
                    {.name = "split", .type = ParamType::Text},
                    {.name = "limit", .type = ParamType::Integer, .fallback = "null"},
                    {.name = "extra", .type = ParamType::File},
                    {.name = "log_every", .type = ParamType::Integer, .changes_result = false},
                    {.name = "precision", .type = ParamType::Precision},
                    {.name = "device", .type = ParamType::Device},
                    {.name = "threads", .type = ParamType::Threads}};
    stage.numeric = true;
    return {stage, "libsome_stages.so", {{"libtorch", "2.13.0+cpu"}}};
}

std::map<std::string, ParamValue> params() {
    return {{"rate", 0.4},           {"epochs", 20},          {"loss", "mse"},       {"freeze", false},    {"label", "07"},
            {"net", ParamValue()},   {"dataset", "mnist"},    {"split", "train"},    {"limit", ParamValue()}, {"extra", "notes.txt"},
            {"log_every", 5},        {"threads", "auto"},     {"precision", "auto"}, {"device", "cpu"}};
}

struct Setting {
    CatalogEntry stage = everything();
    Dag dag;
    Machine machine{4, "AVX2", "GenuineIntel 6-63, caches 32K 256K 30720K"};
    int threads = 2;
    std::vector<Digest> inputs{sha256("x"), sha256("target")};
    std::vector<Digest> files{sha256("images"), sha256("extra")};

    Setting() {
        Node node;
        node.name = "m1";
        node.params = Params(params());
        node.inputs = {{"x", 0, "out", {}}, {"target", 0, "out", {}}};
        SourceFile images;
        images.role = "images";
        images.path = "data/images";
        images.dataset = "mnist";
        images.shape = {10, 1, 28, 28};
        SourceFile extra;
        extra.role = "extra";
        extra.path = "notes.txt";
        node.files = {images, extra};
        dag.nodes.push_back(node);
    }
    void set(const std::string& name, const std::string& text) {
        auto values = dag.nodes[0].params.values();
        values[name] = test::typed(*stage.description.param(name), ConfigValue::scalar(text));
        dag.nodes[0].params = Params(values);
    }
    [[nodiscard]] Recipe recipe() {
        dag.nodes[0].stage = &stage;
        return recipe_of(dag, dag.nodes[0], threads, machine, inputs, files);
    }
    [[nodiscard]] Digest key() { return key_of(recipe()); }
};

ConfigValue network(const std::string& last_layer = "relu", std::int64_t filters = 64) {
    const auto layer = [](const std::string& kind, const std::string& name, std::vector<ConfigValue::Entry> options) {
        return ConfigValue::map({{kind, {}, ConfigValue::map(std::move(options))}, {"name", {}, ConfigValue::of_text(name)}});
    };
    return ConfigValue::list({layer("conv", "conv_1", {{"filters", {}, ConfigValue::of(std::int64_t{32})}}),
                        layer("conv", "conv_2", {{"filters", {}, ConfigValue::of(filters)}, {"padding", {}, ConfigValue::scalar("same")}}),
                        layer(last_layer, last_layer + "_1", {})});
}

}  // namespace

TEST_CASE("A recipe names kind and version first, then everything that the result depends on, by name") {
    Setting setting;
    const Recipe expected{
        {"kind", "everything"},
        {"version", "3"},
        {"cpu", "AVX2"},
        {"device", "cpu"},
        {"file extra", sha256("extra").hex()},
        {"file images", sha256("images").hex()},
        {"input target", sha256("target").hex()},
        {"input x", sha256("x").hex()},
        {"libtorch", "2.13.0+cpu"},
        {"param epochs", "20"},
        {"param freeze", "false"},
        {"param label", "\"07\""},
        {"param limit", "null"},
        {"param loss", "\"mse\""},
        {"param net", "null"},
        {"param rate", "0.4"},
        {"param split", "\"train\""},
        {"precision", "fp32"},
        {"processor", "GenuineIntel 6-63, caches 32K 256K 30720K"},
        {"threads", "2"},
        {"type of images", "uint8 [10, 1, 28, 28]"},
    };
    const Recipe found = setting.recipe();
    for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
        INFO(found[i].name << " = " << found[i].value);
        CHECK(found[i] == expected[i]);
    }
    CHECK(found.size() == expected.size());
}

TEST_CASE("A key is the SHA-256 of the recipe's parts with their lengths") {
    CHECK(key_of({{"kind", "add"}, {"version", "1"}}) == sha256("satdl-key-1\n4:kind=3:add\n7:version=1:1\n"));
    // Lengths keep parts apart that would otherwise read the same.
    CHECK(key_of({{"a", "b=1:c"}}) != key_of({{"a=5:b", "c"}}));
}

TEST_CASE("Two spellings of one value are one key") {
    Setting setting;
    const Digest key = setting.key();
    for (const char* text : {"4e-1", ".4", "0.4", "0.400"}) {
        const auto number = ConfigValue::scalar(text).as_number();
        if (!number) continue;
        setting.set("rate", text);
        CHECK(setting.key() == key);
    }
    setting.set("rate", "0.4000000001");
    CHECK(setting.key() != key);
}

TEST_CASE("What cannot change a result is not in the key") {
    Setting setting;
    const Digest key = setting.key();
    setting.set("log_every", "50");
    setting.dag.nodes[0].name = "other";
    setting.dag.nodes[0].about = "words";
    setting.dag.nodes[0].files[0].path = "elsewhere/images";
    setting.set("extra", "renamed.txt");
    CHECK(setting.key() == key);
}

TEST_CASE("Whatever can change a result changes the key") {
    Setting setting;
    const Digest key = setting.key();
    SECTION("a parameter") { setting.set("epochs", "21"); }
    SECTION("a text that looks like a number") { setting.set("label", "7"); }
    SECTION("an optional parameter that is given") { setting.set("limit", "6000"); }
    SECTION("the kind's version") { ++setting.stage.description.version; }
    SECTION("an input's content") { setting.inputs[1] = sha256("others"); }
    SECTION("inputs exchanged") { std::swap(setting.inputs[0], setting.inputs[1]); }
    SECTION("a file's content") { setting.files[0] = sha256("others"); }
    SECTION("what the manifest says of a file's shape") { setting.dag.nodes[0].files[0].shape = {10, 28, 28}; }
    SECTION("threads") { setting.threads = 3; }
    SECTION("the processor's instructions") { setting.machine.cpu = "AVX512"; }
    SECTION("the processor's make, model and caches") { setting.machine.processor = "AuthenticAMD 25-1, caches 32K 512K 32768K"; }
    SECTION("LibTorch") { setting.stage.numerics[0].second = "2.14.0"; }
    CHECK(setting.key() != key);
}

TEST_CASE("A parameter that was added later leaves the keys of earlier results as they are, at its default") {
    Setting setting;
    const Digest key = setting.key();
    setting.stage.description.params.push_back({.name = "later", .fallback = "null", .in_key_at_default = false});
    setting.set("later", "null");
    CHECK(setting.key() == key);
    setting.set("later", "given");
    CHECK(setting.key() != key);
    setting.stage.description.params.back() = {
        .name = "later", .type = ParamType::Boolean, .fallback = "false", .in_key_at_default = false};
    setting.set("later", "false");
    CHECK(setting.key() == key);
    setting.set("later", "true");
    CHECK(setting.key() != key);
}

TEST_CASE("Portable numerics leave LibTorch and the processor out, but not the threads") {
    Setting setting;
    setting.dag.numerics = Numerics::Portable;
    const Digest key = setting.key();
    setting.machine.cpu = "AMX_BF16";
    setting.machine.processor = "GenuineIntel 6-143, caches 48K 2048K 107520K";
    setting.stage.numerics[0].second = "1.13.1";
    CHECK(setting.key() == key);
    setting.threads = 7;
    CHECK(setting.key() != key);
}

TEST_CASE("A numeric stage whose threads change no result shares results between numbers of threads, not between machines") {
    Setting setting;
    for (ParamDescription& param : setting.stage.description.params)
        if (param.type == ParamType::Threads) param.changes_result = false;
    const Digest key = setting.key();
    CHECK(find_part(setting.recipe(), "threads") == nullptr);
    setting.threads = 7;
    CHECK(setting.key() == key);
    setting.machine.cpu = "AMX_BF16";
    CHECK(setting.key() != key);
}

TEST_CASE("A stage that is not numeric has neither threads nor the machine in its key") {
    Setting setting;
    setting.stage.description.numeric = false;
    const Digest key = setting.key();
    setting.machine.cpu = "AMX_BF16";
    setting.machine.processor = "GenuineIntel 6-143, caches 48K 2048K 107520K";
    setting.threads = 7;
    CHECK(setting.key() == key);
}

TEST_CASE("The first difference between two recipes is described in the words of the DAG file") {
    Setting setting;
    const Recipe before = setting.recipe();
    CHECK(first_difference(before, before).empty());
    SECTION("a parameter") {
        setting.set("rate", "0.2");
        CHECK(first_difference(before, setting.recipe()) == "rate: 0.4 -> 0.2");
    }
    SECTION("a text") {
        setting.set("loss", "cross_entropy");
        CHECK(first_difference(before, setting.recipe()) == "loss: mse -> cross_entropy");
    }
    SECTION("one that was left out") {
        setting.set("limit", "6000");
        CHECK(first_difference(before, setting.recipe()) == "limit: not given -> 6000");
    }
    SECTION("an input") {
        setting.inputs[0] = sha256("others");
        CHECK(first_difference(before, setting.recipe()) == "input x changed");
    }
    SECTION("a file") {
        setting.files[0] = sha256("others");
        CHECK(first_difference(before, setting.recipe()) == "file images changed");
    }
    SECTION("the version") {
        setting.stage.description.version = 4;
        CHECK(first_difference(before, setting.recipe()) == "version: 3 -> 4");
    }
    SECTION("an optional input that is now connected") {
        setting.dag.nodes[0].inputs.push_back({"val_x", 0, "out", {}});
        setting.inputs.push_back(sha256("val"));
        CHECK(first_difference(before, setting.recipe()) == "input val_x is new");
        CHECK(first_difference(setting.recipe(), before) == "input val_x was removed");
    }
    SECTION("LibTorch") {
        setting.stage.numerics[0].second = "2.14.0";
        CHECK(first_difference(before, setting.recipe()) == "libtorch: 2.13.0+cpu -> 2.14.0");
    }
    SECTION("a long text that differs late") {
        Setting other;
        other.set("label", std::string(60, 'a') + "b");
        setting.set("label", std::string(60, 'a') + "c");
        CHECK(first_difference(other.recipe(), setting.recipe()) == "label changed");
    }
}

TEST_CASE("Networks are compared layer by layer") {
    const auto difference = [](const ConfigValue& before, const ConfigValue& now) {
        return first_difference({{"kind", "train"}, {"param net", before.canonical()}}, {{"kind", "train"}, {"param net", now.canonical()}});
    };
    CHECK(difference(network(), network("relu", 128)) == "net: layer conv_2 filters: 64 -> 128");
    CHECK(difference(network(), network("tanh")) == "net: layer tanh_1 is new");
    std::vector<ConfigValue> fewer = network().items();
    fewer.pop_back();
    CHECK(difference(network(), ConfigValue::list(fewer)) == "net: layer relu_1 was removed");
    CHECK(difference(ConfigValue::list(fewer), network()) == "net: layer relu_1 is new");
    std::vector<ConfigValue> turned = network().items();
    std::swap(turned[0], turned[1]);
    CHECK(difference(network(), ConfigValue::list(turned)) == "net: layer conv_2 moved");
}

TEST_CASE("Networks as they stand in recipes are compared by their options' names") {
    Diagnostics diagnostics;
    const auto parsed = [&](std::int64_t units) {
        return to_value(parse_network(ConfigValue::list({ConfigValue::map({{"dense", {}, ConfigValue::of(units)}}), ConfigValue::scalar("relu")}), diagnostics));
    };
    const Recipe before{{"kind", "train"}, {"param net", parsed(10).canonical()}};
    const Recipe now{{"kind", "train"}, {"param net", parsed(12).canonical()}};
    REQUIRE(diagnostics.empty());
    CHECK(first_difference(before, now) == "net: layer dense_1 units: 10 -> 12");
}

TEST_CASE("The digest of a port covers names, element types, shapes and bytes") {
    const NamedArrays group = as_group({1, 2, 3, 4});
    const Digest digest = port_digest(group);
    CHECK(port_digest(as_group({1, 2, 3, 4})) == digest);
    CHECK(port_digest(as_group({1, 2, 3, 5})) != digest);
    CHECK(port_digest({{"weight", group.at("")}}) != digest);
    CHECK(port_digest({{"", Array(DType::Int64, {2, 2}, group.at("").bytes(), group.at("").owner())}}) != digest);
    CHECK(port_digest({{"", Array(DType::Float64, {4}, group.at("").bytes(), group.at("").owner())}}) != digest);
    const PortDigests digests = port_digests({{{"low", as_group({1})}, {"high", as_group({2})}}, {}});
    CHECK(digests == PortDigests{{"low", port_digest(as_group({1}))}, {"high", port_digest(as_group({2}))}});
}

TEST_CASE("auto means every core for smaller networks, too, if they are of dense layers alone, trained from scratch in fp32") {
    Setting setting;
    Node& node = setting.dag.nodes[0];
    node.stage = &setting.stage;
    const auto with = [&](std::vector<LayerSpec> specs) {
        Network network;
        for (LayerSpec& spec : specs) network.layers.push_back({"layer", std::move(spec), {}});
        auto values = node.params.values();
        values["net"] = ParamValue(std::make_shared<const Network>(std::move(network)));
        node.params = Params(values);
    };
    const auto threads = [&](std::int64_t network_cost) {
        setting.dag.types = {{.outputs = {}, .network_cost = network_cost}};
        return resolve_threads(setting.dag, 0, {4, ""});
    };
    const std::int64_t cost = kParallelDenseCost / 128;
    with({Flatten{}, Dense{.units = 64, .activation = Activation::Relu}, Dense{.units = 10}});
    CHECK(threads(cost) == 4);
    CHECK(threads(cost - 1) == 1);
    setting.set("precision", "bf16");
    CHECK(threads(cost) == 1);
    setting.set("precision", "fp32");
    with({Flatten{}, Dense{.units = 64}, Dropout{}, Dense{.units = 10}});
    CHECK(threads(cost) == 1);
    with({Dense{.units = 10}});
    CHECK(threads(cost) == 4);
    setting.stage.description.inputs.push_back({.name = "base", .kind = PortKind::Model});
    CHECK(threads(cost) == 1);
}

TEST_CASE("Threads are what the user says, and auto means every core, at most 16, where the network is worth it") {
    Setting setting;
    setting.dag.nodes[0].stage = &setting.stage;
    const auto threads = [&](std::int64_t network_cost, const Machine& machine) {
        setting.dag.types = {{.outputs = {}, .network_cost = network_cost}};
        return resolve_threads(setting.dag, 0, machine);
    };
    CHECK(threads(1'000'000'000, {4, ""}) == 4);
    CHECK(threads(1'000'000'000, {64, ""}) == 16);
    CHECK(threads(1000, {4, ""}) == 1);
    CHECK(threads(0, {4, ""}) == 1);
    CHECK(threads(kParallelCost / 128, {4, ""}) == 4);
    setting.set("threads", "3");
    CHECK(threads(0, {2, ""}) == 3);
    setting.stage.description.params.pop_back();
    CHECK(threads(1'000'000'000, {4, ""}) == 1);
}

TEST_CASE("Threads that cannot change a result are, with auto, every core where there is much to read") {
    Setting setting;
    setting.dag.nodes[0].stage = &setting.stage;
    setting.stage.description.numeric = false;
    const auto threads = [&](std::optional<Shape> shape) {  // of a node that reads this twice
        const PortType read{.dtype = DType::Float32, .shape = std::move(shape)};
        setting.dag.types = {{.outputs = {{"out", read}}, .network_cost = 1'000'000'000}};
        return resolve_threads(setting.dag, 0, {4, ""});
    };
    CHECK(threads(Shape{512, 1024}) == 4);  // kParallelBytes
    CHECK(threads(Shape{511, 1024}) == 1);
    CHECK(threads(Shape{kUnknown, 1'000'000}) == 1);
    CHECK(threads(std::nullopt) == 1);
}

TEST_CASE("Precision is what the user says, and auto means bf16 where the processor has instructions for it") {
    Setting setting;
    setting.dag.nodes[0].stage = &setting.stage;
    const Node& node = setting.dag.nodes[0];
    const Machine without{4, "AVX512"};
    const Machine with{.cores = 4, .cpu = "AVX512_BF16", .bf16 = "AVX512-BF16"};
    CHECK(resolve_precision(node, without) == Precision::Fp32);
    CHECK(resolve_precision(node, with) == Precision::Bf16);
    setting.set("precision", "fp32");
    CHECK(resolve_precision(node, with) == Precision::Fp32);
    setting.set("precision", "bf16");
    CHECK(resolve_precision(node, without) == Precision::Bf16);
    std::erase_if(setting.stage.description.params, [](const ParamDescription& param) { return param.name == "precision"; });
    CHECK(!resolve_precision(node, with));
}

TEST_CASE("A key holds the precision that is computed in, not how it came about") {
    Setting setting;
    const bool numeric = GENERATE(true, false);
    setting.stage.description.numeric = numeric;
    setting.dag.numerics = Numerics::Portable;
    const Recipe slow = setting.recipe();
    setting.set("precision", "fp32");
    CHECK(setting.recipe() == slow);
    setting.set("precision", "bf16");
    const Recipe fast = setting.recipe();
    CHECK(first_difference(slow, fast) == "precision: fp32 -> bf16");
    setting.machine.bf16 = "AMX-BF16";
    CHECK(setting.recipe() == fast);
    setting.set("precision", "auto");
    CHECK(setting.recipe() == fast);
}

TEST_CASE("A device is what the user says, and auto means the GPU that the stage's library finds") {
    Setting setting;
    setting.dag.nodes[0].stage = &setting.stage;
    const Node& node = setting.dag.nodes[0];
    const Gpu gpu{"H1", "compute capability 9.0", true};
    Machine with{4, "AVX2"}, without{4, "AVX2"};
    with.gpus = {{"libsome_stages.so", gpu}, {"libother_stages.so", NoGpu{"it is another one's"}}};
    without.gpus = {{"libsome_stages.so", NoGpu{"there is none"}}, {"libother_stages.so", gpu}};
    CHECK(gpu_of(node, with) == nullptr);
    CHECK(gpu_of(node, {4, "AVX2"}) == nullptr);  // no library was asked
    setting.set("device", "auto");
    REQUIRE(gpu_of(node, with) != nullptr);
    CHECK(*gpu_of(node, with) == gpu);
    CHECK(gpu_of(node, without) == nullptr);
    setting.set("device", "cuda");
    CHECK(*gpu_of(node, with) == gpu);

    setting.dag.types = {{.outputs = {}, .network_cost = kParallelCost / 128}};
    CHECK(resolve_threads(setting.dag, 0, with) == 1);  // the GPU computes
    CHECK(resolve_precision(node, with) == Precision::Bf16);
    with.gpus["libsome_stages.so"] = Gpu{"V1", "compute capability 7.0", false};
    with.bf16 = "AVX512-BF16";
    CHECK(resolve_precision(node, with) == Precision::Fp32);
    setting.set("precision", "tf32");
    CHECK(resolve_precision(node, with) == Precision::Fp32);
    with.gpus["libsome_stages.so"] = gpu;
    CHECK(resolve_precision(node, with) == Precision::Tf32);
    setting.set("device", "cpu");
    CHECK(resolve_precision(node, with) == Precision::Fp32);
    setting.set("device", "cuda");
    setting.set("threads", "3");
    CHECK(resolve_threads(setting.dag, 0, with) == 3);
    std::erase_if(setting.stage.description.params, [](const ParamDescription& param) { return param.name == "device"; });
    CHECK(gpu_of(node, with) == nullptr);
}

TEST_CASE("A key holds the device that is computed on, with the GPU where bits count, not how it came about") {
    Setting setting;
    setting.machine.gpus = {{"libsome_stages.so", Gpu{"H1", "compute capability 9.0, cuDNN 9", false}}};
    const auto part = [&](const std::string& name) {
        const Recipe recipe = setting.recipe();
        const auto found = std::ranges::find(recipe, name, &KeyPart::name);
        return found == recipe.end() ? "none" : found->value;
    };
    const Recipe on_cpu = setting.recipe();
    CHECK(part("device") == "cpu");
    CHECK(part("gpu") == "none");
    setting.set("device", "cuda");
    const Recipe on_gpu = setting.recipe();
    CHECK(first_difference(on_cpu, on_gpu) == "device: cpu -> cuda");
    CHECK(part("gpu") == "H1, compute capability 9.0, cuDNN 9");
    setting.set("device", "auto");
    CHECK(setting.recipe() == on_gpu);
    setting.machine.gpus = {{"libsome_stages.so", Gpu{"H1", "compute capability 9.0, cuDNN 8", false}}};
    CHECK(first_difference(on_gpu, setting.recipe()) ==
          "gpu: H1, compute capability 9.0, cuDNN 9 -> H1, compute capability 9.0, cuDNN 8");
    setting.dag.numerics = Numerics::Portable;
    CHECK(part("device") == "cuda");
    CHECK(part("gpu") == "none");
    setting.machine.gpus = {{"libsome_stages.so", NoGpu{"there is none"}}};
    setting.dag.numerics = Numerics::Exact;
    CHECK(setting.recipe() == on_cpu);
}

TEST_CASE("This machine has cores, and a processor whose name LibTorch's own variable can only lower") {
    ::unsetenv("ATEN_CPU_CAPABILITY");
    const Machine machine = this_machine();
    CHECK(machine.cores >= 1);
    CHECK(machine.processor == this_machine().processor);
#if defined(__x86_64__)
    CHECK_THAT(machine.processor, Catch::Matches("[ -~]{12} [0-9]+-[0-9]+(, caches [0-9]+K( [0-9]+K)*)?"));
#endif
    const std::vector<std::string> levels{"DEFAULT", "AVX2", "AVX512", "AVX512_BF16", "AMX_BF16"};
    const auto level = std::ranges::find(levels, machine.cpu) - levels.begin();
    REQUIRE(level < std::ssize(levels));
    CHECK(machine.bf16 == (level < 3 ? "" : level == 3 ? "AVX512-BF16" : "AMX-BF16"));
    ::setenv("ATEN_CPU_CAPABILITY", "default", 1);
    CHECK(this_machine().cpu == (level > 0 ? "DEFAULT of " + machine.cpu : "DEFAULT"));
    ::setenv("ATEN_CPU_CAPABILITY", "avx2", 1);
    CHECK(this_machine().cpu == (level > 1 ? "AVX2 of " + machine.cpu : machine.cpu));
    CHECK(this_machine().bf16 == machine.bf16);
    ::setenv("ATEN_CPU_CAPABILITY", "nonsense", 1);
    CHECK(this_machine().cpu == machine.cpu);
    ::unsetenv("ATEN_CPU_CAPABILITY");
}

TEST_CASE("Who executes a stage is not in its key, but the machine that its executor describes is") {
    Setting setting;
    const Digest here = setting.key();
    JobSettings job;
    job.resources = {8, 1 << 30, 3600, 0, "a100", "lab", "high", "ib", {"--exclusive"}};
    setting.dag.nodes[0].job = std::make_shared<JobSettings>(job);
    CHECK(setting.key() == here);
    job.cpu = "AVX512";
    setting.dag.nodes[0].job = std::make_shared<JobSettings>(job);
    CHECK(find_part(setting.recipe(), "cpu")->value == "AVX512");
    job.processor = "AuthenticAMD 25-1";
    setting.dag.nodes[0].job = std::make_shared<JobSettings>(job);
    CHECK(find_part(setting.recipe(), "processor")->value == "AuthenticAMD 25-1");
    CHECK(find_part(setting.recipe(), "precision")->value == "fp32");
    job.cpu = "AMX_BF16";  // which `precision: auto` uses
    setting.dag.nodes[0].job = std::make_shared<JobSettings>(job);
    CHECK(find_part(setting.recipe(), "precision")->value == "bf16");
    setting.dag.numerics = Numerics::Portable;
    CHECK(find_part(setting.recipe(), "cpu") == nullptr);
}
