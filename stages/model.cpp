// model: a network with weights of the user's own.
#include <map>
#include <string>
#include <utility>

#include "pipeline/array_files/named_arrays_file.h"
#include "pipeline/network/weight_match.h"
#include "stages/model_arrays.h"
#include "stages/ports.h"
#include "stages/stages.h"

namespace satdl::stages {
namespace {

StageOutput run(const StageInputs&, StageContext& context) {
    SATDL_CHECK(context.files().size() == 1, "the stage reads one file");
    const Params& params = context.params();
    Model model{.network = params.network("net"), .input = {}, .weights = {}};
    for (const double extent : params.numbers("sample")) model.input.push_back(static_cast<std::int64_t>(extent));
    const NamedArrays arrays = read_named_arrays(context.files().front().path);
    std::map<std::string, ArrayType> types;
    for (const auto& [name, array] : arrays) types.emplace(name, ArrayType{array.dtype(), array.shape()});
    const WeightMatch match =
        match_weights(model.network, model.input, types, params.given("names") ? params.text("names") : "");
    if (!match.misfits.empty()) throw stage_error(match.misfits.front().text, match.misfits.front().hint);
    for (const auto& [tensor, array] : match.arrays) model.weights.emplace(tensor, arrays.at(array));
    return {.outputs = {{"model", to_group(model)}}, .tables = {}};
}

}  // namespace

StageEntry model_stage() {
    return {
        .description =
            {
                .kind = "model",
                .version = 1,
                .help = "A network with weights from a file: .safetensors or .npz, under PyTorch's names (docs/sharing.md)",
                .outputs = {{.name = "model",
                             .kind = PortKind::Model,
                             .model =
                                 PortDescription::ModelRule{
                                     .net = "net", .file = "file", .sample = "sample", .names = "names"},
                             .help = "for evaluate, features and fine_tune"}},
                .params = {{.name = "file",
                            .type = ParamType::File,
                            .help = "the weights, float32; the file's content is part of the key"},
                           {.name = "net",
                            .type = ParamType::Network,
                            .help = "list of layers, or the name of a network under `networks:`; the file has all of its "
                                    "tensors, and no others"},
                           {.name = "sample",
                            .type = ParamType::Numbers,
                            .min = 1,
                            .help = "the shape of one sample that the network reads: [1, 28, 28]"},
                           {.name = "names",
                            .fallback = "null",
                            .help = "what the file calls layers: conv_1=features.0, dense_1=classifier.1 (default: as the "
                                    "network does)"}},
                .memory_per_output_byte = 2.0,
            },
        .run = run,
    };
}

}  // namespace satdl::stages
