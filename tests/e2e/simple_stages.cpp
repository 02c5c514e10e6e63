// The stages of the end-to-end tests: quick, without LibTorch, and some of them badly behaved.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "pipeline/core/error.h"
#include "pipeline/stage.h"

namespace {

using namespace satdl;

NamedArrays numbers_group(const std::vector<double>& numbers) {
    return {{"", Array::of<double>({static_cast<std::int64_t>(numbers.size())}, numbers)}};
}
std::span<const double> numbers_of(const StageInputs& inputs, const std::string& port) {
    return inputs.at(port).at("").values<double>();
}

// count numbers from `first` on.
StageOutput count_up(const StageInputs&, StageContext& context) {
    std::vector<double> numbers;
    for (std::int64_t i = 0; i < context.params().integer("count"); ++i)
        numbers.push_back(context.params().number("first") + static_cast<double>(i));
    return {{{"numbers", numbers_group(numbers)}}, {}};
}

// The bytes of a file, and then some time in which a test may change it.
StageOutput bytes_of(const StageInputs&, StageContext& context) {
    std::ifstream file(context.files().front().path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (text.empty()) throw Error(ExitCode::StageFailed, "the file has no bytes");
    std::vector<double> numbers;
    for (const char c : text) numbers.push_back(static_cast<unsigned char>(c));
    context.log(LogLevel::Info, "has read it");
    std::this_thread::sleep_for(std::chrono::milliseconds(context.params().integer("milliseconds")));
    return {{{"numbers", numbers_group(numbers)}}, {}};
}

// Two images, from dark to light, up to `most`.
StageOutput images(const StageInputs&, StageContext& context) {
    const std::int64_t channels = context.params().integer("channels");
    const Shape shape = channels == 0 ? Shape{2, 2, 3} : Shape{2, channels, 2, 3};
    std::vector<double> values;
    const std::int64_t count = element_count(shape);
    for (std::int64_t i = 0; i < count; ++i)
        values.push_back(context.params().number("most") * static_cast<double>(i) / static_cast<double>(count - 1));
    return {{{"images", {{"", Array::of<double>(shape, values)}}}, {"numbers", numbers_group(values)}}, {}};
}

StageOutput add(const StageInputs& inputs, StageContext& context) {
    std::vector<double> sums;
    const auto x = numbers_of(inputs, "x");
    for (std::size_t i = 0; i < x.size(); ++i) {
        sums.push_back(x[i] + context.params().number("amount") + (inputs.contains("y") ? numbers_of(inputs, "y")[i] : 0));
    }
    return {{{"numbers", numbers_group(sums)}}, {}};
}

// Keeps the sign alone: what is above may change and this stays the same.
StageOutput unforeseen(const StageInputs& inputs, StageContext&) { return {{{"data", inputs.at("x")}}, {}}; }

StageOutput sign(const StageInputs& inputs, StageContext&) {
    std::vector<double> signs;
    for (const double number : numbers_of(inputs, "x")) signs.push_back(number > 0 ? 1 : number < 0 ? -1 : 0);
    return {{{"numbers", numbers_group(signs)}}, {}};
}

// A training that learns nothing: epochs of `milliseconds` each, metrics, a history, and a name that no log may take
// literally.
StageOutput pretend(const StageInputs& inputs, StageContext& context) {
    const std::int64_t epochs = context.params().integer("epochs");
    const std::int64_t steps = 10;
    std::vector<double> losses;
    context.log(LogLevel::Info, "starting \x1b[31mred\x1b[0m\r\n");
    double loss = 1 + std::abs(numbers_of(inputs, "x").front());
    std::int64_t done = 0;  // steps
    if (const NamedArrays* state = context.checkpoint()) {
        const auto kept = state->at("losses").values<double>();
        losses.assign(kept.begin(), kept.end());
        loss = state->at("loss").values<double>()[0];
        done = state->at("done").values<std::int64_t>()[0];
    }
    const auto state_now = [&]() -> NamedArrays {
        return {{"losses", Array::of<double>({static_cast<std::int64_t>(losses.size())}, losses)},
                {"loss", Array::of<double>({1}, std::vector{loss})},
                {"done", Array::of<std::int64_t>({1}, std::vector{done})}};
    };
    const auto keep = [&] { context.keep_checkpoint(state_now(), {done / steps + 1, epochs, done % steps, steps, false, {}}); };
    while (done < epochs * steps) {
        if (context.stop_requested()) {
            keep();
            throw Stopped{};
        }
        const bool epoch_ended = done > 0 && done % steps == 0;
        if (context.checkpoint_due(epoch_ended) || (epoch_ended && context.params().boolean("keep_all"))) keep();
        std::this_thread::sleep_for(std::chrono::microseconds(context.params().integer("milliseconds") * 1000 / steps));
        loss *= 0.99;
        ++done;
        const std::int64_t step = (done - 1) % steps + 1;
        context.progress({(done - 1) / steps + 1, epochs, step, steps, step == steps, {{"train/loss", loss}}});
        if (step == steps) losses.push_back(loss);
    }
    context.keep_final_checkpoint(state_now(), {epochs, epochs, steps, steps, true, {}});
    const NamedArrays history{{"train/loss", Array::of<double>({epochs}, losses)}};
    const NamedArrays metrics{{"loss", Array::of<double>({1}, std::vector{loss})}};
    return {{{"history", history}, {"metrics", metrics}}, {}};
}

// One number beside another, as a table.
StageOutput against(const StageInputs& inputs, StageContext&) {
    const double a = inputs.at("a").at("loss").values<double>()[0];
    const double b = inputs.at("b").at("loss").values<double>()[0];
    Table table{.title = "A against B",
                .columns = {"which", "loss"},
                .rows = {{"A", std::to_string(a)}, {"B", std::to_string(b)}},
                .notes = {}};
    return {{{"metrics", {{"difference", Array::of<double>({1}, std::vector{a - b})}}}}, {table}};
}

StageOutput fail(const StageInputs&, StageContext& context) {
    throw Error(ExitCode::StageFailed, context.params().text("message"));
}

// Another number each time.
StageOutput dice(const StageInputs& inputs, StageContext&) {
    std::vector<double> thrown(numbers_of(inputs, "x").size());
    std::random_device device;
    for (double& one : thrown) one = device();
    return {{{"numbers", numbers_group(thrown)}}, {}};
}

// 1; dishonestly the number of threads, which by its description changes no result.
StageOutput threads_seen(const StageInputs&, StageContext& context) {
    const std::vector<double> threads{context.params().boolean("honest") ? 1.0 : context.threads()};
    return {{{"numbers", numbers_group(threads)}}, {}};
}

// Ten pictures of 3 x 3 pixels, each of one of three classes: a line across at the height of its class.
StageOutput lines(const StageInputs&, StageContext&) {
    std::vector<double> pixels;
    std::vector<std::int64_t> classes;
    for (std::int64_t i = 0; i < 10; ++i) {
        classes.push_back(i % 3);
        for (std::int64_t pixel = 0; pixel < 9; ++pixel) pixels.push_back(pixel / 3 == i % 3 ? 1 : 0);
    }
    return {{{"pictures", {{"", Array::of<double>({10, 3, 3}, pixels)}}}, {"classes", {{"", Array::of<std::int64_t>({10}, classes)}}}}, {}};
}

// Every pixel of some pictures, a little nearer to grey.
StageOutput fade(const StageInputs& inputs, StageContext& context) {
    const Array& pictures = inputs.begin()->second.at("");
    std::vector<double> pixels;
    for (const double pixel : pictures.values<double>()) pixels.push_back(pixel + context.params().number("by") * (0.5 - pixel));
    return {{{"faded", {{"", Array::of<double>(pictures.shape(), pixels)}}}}, {}};
}

// A classifier that looks away at every `every`th picture, begun at `seed`, and takes it for one of the next class.
StageOutput guess(const StageInputs& inputs, StageContext& context) {
    const auto truth = inputs.at("truth").at("").values<std::int64_t>();
    std::vector<float> beliefs;
    double right = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
        const bool looks_away = (static_cast<std::int64_t>(i) + context.params().integer("seed")) % context.params().integer("every") == 0;
        for (std::int64_t one = 0; one < 3; ++one) beliefs.push_back(one == (truth[i] + looks_away) % 3 ? 0.8F : 0.1F);
        right += looks_away ? 0 : 1;
    }
    const auto count = static_cast<std::int64_t>(truth.size());
    return {{{"beliefs", {{"", Array::of<float>({count, 3}, beliefs)}}},
             {"score", {{"hits", Array::of<double>({1}, std::vector{right / static_cast<double>(count)})}}}},
            {}};
}

// One classifier's hits beside another's.
StageOutput duel(const StageInputs& inputs, StageContext&) {
    return {{{"outcome", {{"before", inputs.at("old").at("hits")}, {"after", inputs.at("young").at("hits")}}}}, {}};
}

// Hears no request to stop: after its words it sleeps, and looks at nothing.
StageOutput deaf(const StageInputs&, StageContext& context) {
    context.log(LogLevel::Info, "deaf from here on");
    std::this_thread::sleep_for(std::chrono::hours(1));
    return {};
}

GpuAnswer find_gpu() {
    const char* const name = std::getenv("SIMPLE_GPU");
    if (name == nullptr) return NoGpu{"$SIMPLE_GPU names none"};
    return Gpu{name, "compute capability 9.0", true};
}

StageLibraryInfo simple() {
    const PortDescription x{.name = "x", .dtypes = {DType::Float64}, .shape = "[N]", .help = "numbers"};
    const PortDescription y{.name = "y", .dtypes = {DType::Float64}, .shape = "[N]", .optional = true, .help = "numbers"};
    const PortDescription numbers{.name = "numbers", .dtypes = {DType::Float64}, .shape = "[_]", .help = "numbers"};
    const PortDescription as_many{.name = "numbers", .dtypes = {DType::Float64}, .shape = "[N]", .help = "as many numbers"};
    const auto metrics = [](const char* name) {
        return PortDescription{.name = name, .kind = PortKind::Metrics, .help = "loss"};
    };
    const ParamDescription epochs{
        .name = "epochs", .type = ParamType::Integer, .fallback = "2", .min = 1, .help = "how many", .smoke_max = 1};
    const ParamDescription device{.name = "device", .type = ParamType::Device, .fallback = "cpu", .help = "where it pretends"};
    ParamDescription on_and_on = epochs;
    on_and_on.continues = true;
    on_and_on.continues_unless = {{"way", {"own"}}};
    const auto pretending = [&](const char* kind, const ParamDescription& how_long) {
        return StageDescription{
            .kind = kind,
            .help = "a training that learns nothing",
            .inputs = {x},
            .outputs = {{.name = "history", .kind = PortKind::History}, metrics("metrics")},
            .params = {how_long,
                       device,
                       {.name = "milliseconds",
                        .type = ParamType::Integer,
                        .fallback = "10",
                        .min = 0,
                        .unit = "ms",
                        .help = "of an epoch"},
                       {.name = "way",
                        .type = ParamType::Choice,
                        .fallback = "common",
                        .choices = {"common", "own"},
                        .help = "own: every epoch depends on how many there are"},
                       {.name = "keep_all",
                        .type = ParamType::Boolean,
                        .fallback = "false",
                        .help = "a checkpoint after each epoch, whatever it costs",
                        .changes_result = false}}};
    };
    const auto fading = [](const char* kind, PortRole role) {
        return StageDescription{
            .kind = kind,
            .help = "pictures that are paler, or less so",
            .inputs = {{.name = "pictures", .dtypes = {DType::Float64}, .shape = "[N, ...S]", .help = "any", .role = PortRole::Images}},
            .outputs = {{.name = "faded", .dtypes = {DType::Float64}, .shape = "[N, ...S]", .help = "as many", .role = role}},
            .params = {{.name = "by", .type = ParamType::Number, .fallback = "0.5", .help = "how much"}}};
    };
    return {"simple",
            {},
            {{{.kind = "count_up",
               .help = "numbers that follow each other",
               .outputs = {numbers},
               .params = {{.name = "first", .type = ParamType::Number, .fallback = "1", .help = "the first number"},
                          {.name = "count",
                           .type = ParamType::Integer,
                           .fallback = "4",
                           .min = 1,
                           .max = 1e6,
                           .help = "how many",
                           .smoke_max = 3}}},
              count_up},
             {{.kind = "bytes_of",
               .help = "the bytes of a file as numbers",
               .outputs = {numbers},
               .params = {{.name = "file", .type = ParamType::File, .help = "any file"},
                          {.name = "milliseconds",
                           .type = ParamType::Integer,
                           .fallback = "0",
                           .min = 0,
                           .unit = "ms",
                           .help = "before it ends",
                           .changes_result = false}}},
              bytes_of},
             {{.kind = "images",
               .help = "two images, from dark to light",
               .outputs = {{.name = "images", .dtypes = {DType::Float64}, .shape = "[2, ...]", .help = "2 x 3 pixels"}, numbers},
               .params = {{.name = "channels", .type = ParamType::Integer, .fallback = "1", .min = 0, .help = "0: no axis for them"},
                          {.name = "most", .type = ParamType::Number, .fallback = "1", .help = "the lightest pixel"}}},
              images},
             {{.kind = "add",
               .help = "x plus y plus an amount",
               .inputs = {x, y},
               .outputs = {as_many},
               .params = {{.name = "amount", .type = ParamType::Number, .fallback = "0", .help = "what is added"}}},
              add},
             {{.kind = "unforeseen",
               .help = "an array of whose type no plan knows anything",
               .inputs = {{.name = "x", .help = "any array"}},
               .outputs = {{.name = "data", .help = "the same"}}},
              unforeseen},
             {{.kind = "sign", .help = "the signs of numbers", .inputs = {x}, .outputs = {as_many}}, sign},
             {pretending("pretend", epochs), pretend},
             {pretending("pretend_on", on_and_on), pretend},
             {{.kind = "against",
               .help = "one loss beside another",
               .inputs = {metrics("a"), metrics("b")},
               .outputs = {{.name = "metrics",
                            .kind = PortKind::Metrics,
                            .help = "difference: a - b",
                            .metrics = PortDescription::MetricsRule{.names = {"difference"}}}}},
              against},
             {{.kind = "lines",
               .help = "pictures of three classes",
               .outputs = {{.name = "pictures", .dtypes = {DType::Float64}, .shape = "[10, 3, 3]", .help = "lines across"},
                           {.name = "classes", .dtypes = {DType::Int64}, .shape = "[10]", .help = "their heights"}}},
              lines},
             {fading("fade", PortRole::NoisyImages), fade},
             {fading("sharpen", PortRole::DenoisedImages), fade},
             {{.kind = "guess",
               .help = "a classifier that is wrong now and then",
               .inputs = {{.name = "seen", .dtypes = {DType::Float64}, .shape = "[N, 3, 3]", .help = "pictures", .role = PortRole::Images},
                          {.name = "truth", .dtypes = {DType::Int64}, .shape = "[N]", .help = "their classes", .role = PortRole::Labels}},
               .outputs = {{.name = "beliefs", .dtypes = {DType::Float32}, .shape = "[N, 3]", .help = "a class each",
                            .role = PortRole::Predictions},
                           {.name = "score", .kind = PortKind::Metrics, .help = "hits",
                            .metrics = PortDescription::MetricsRule{.names = {"hits"}}}},
               .params = {{.name = "every", .type = ParamType::Integer, .fallback = "2", .min = 1, .help = "how seldom it is wrong"},
                          {.name = "seed", .type = ParamType::Integer, .fallback = "0", .help = "where it begins to be"}}},
              guess},
             {{.kind = "duel",
               .help = "one classifier beside another",
               .inputs = {{.name = "old", .kind = PortKind::Metrics, .help = "hits", .role = PortRole::Baseline},
                          {.name = "young", .kind = PortKind::Metrics, .help = "hits", .role = PortRole::Candidate}},
               .outputs = {{.name = "outcome", .kind = PortKind::Metrics, .help = "the hits of both",
                            .metrics = PortDescription::MetricsRule{.names = {"before", "after"}, .pairs = {{"before", "after"}}}}},
               .params = {{.name = "old_name", .fallback = "the old one", .help = "in reports", .label_of = {"old"}},
                          {.name = "young_name", .fallback = "the young one", .help = "in reports", .label_of = {"young"}}}},
              duel},
             {{.kind = "fail",
               .help = "fails",
               .inputs = {y},
               .outputs = {numbers},
               .params = {{.name = "message", .type = ParamType::Text, .fallback = "no luck", .help = "what it says"}}},
              fail},
             {{.kind = "dice", .help = "another number each time", .inputs = {x}, .outputs = {as_many}}, dice},
             {{.kind = "threads_seen",
               .help = "1, or the number of threads",
               .outputs = {numbers},
               .params = {{.name = "threads", .type = ParamType::Threads, .fallback = "auto", .changes_result = false},
                          {.name = "honest", .type = ParamType::Boolean, .fallback = "true", .help = "1 in any case"}}},
              threads_seen},
             {{.kind = "deaf", .help = "does not listen for an hour", .inputs = {x}}, deaf}},
            find_gpu};
}

}  // namespace

SATDL_STAGE_LIBRARY(simple)
