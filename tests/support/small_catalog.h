// A few stages, described like the built-in ones, for the tests of what is built from YAML.
#pragma once

#include "pipeline/catalog/catalog.h"

namespace satdl {

inline Catalog small_catalog() {
    const PortDescription kFloatImages{.name = "images", .dtypes = {DType::Float32}, .shape = "[N, ...]", .help = "images"};
    LibraryManifest manifest;
    manifest.library = "libsmall_stages.so";
    manifest.name = "small";

    StageDescription load{.kind = "load", .help = "a split of a dataset"};
    load.params = {{.name = "dataset", .type = ParamType::Dataset, .help = "which dataset"},
                   {.name = "split", .type = ParamType::Text, .fallback = "train", .help = "which of its splits"},
                   {.name = "limit", .type = ParamType::Integer, .fallback = "null", .min = 1, .help = "at most so many"}};
    load.outputs = {{.name = "images", .dtypes = {DType::UInt8}, .shape = "dataset(images)"},
                    {.name = "labels", .dtypes = {DType::UInt8}, .shape = "dataset(labels)"}};

    StageDescription read{.kind = "read", .help = "a file of the user's"};
    read.params = {{.name = "file", .type = ParamType::File, .help = "an .npy or IDX file"},
                   {.name = "limit", .type = ParamType::Integer, .fallback = "null", .min = 1, .help = "at most so many of its items"}};
    read.outputs = {{.name = "data"}};

    StageDescription normalise{.kind = "normalise", .help = "x / scale"};
    normalise.inputs = {
        {.name = "images", .dtypes = {DType::UInt8, DType::Float32}, .shape = "[N, ...]", .help = "raw images"}};
    normalise.params = {
        {.name = "scale", .type = ParamType::Number, .fallback = "255", .min = 1e-9, .help = "the divisor"}};
    normalise.outputs = {kFloatImages};

    StageDescription add_noise{.kind = "add_noise", .help = "clip(x + noise_factor * N(0,1), 0, 1)"};
    add_noise.inputs = {kFloatImages};
    add_noise.params = {{.name = "noise_factor",
                         .type = ParamType::Number,
                         .fallback = "0.4",
                         .min = 0,
                         .max = 10,
                         .help = "standard deviation of the noise"},
                        {.name = "seed", .type = ParamType::Integer, .fallback = "0"}};
    add_noise.outputs = {kFloatImages};

    StageDescription train{.kind = "train", .help = "trains a network"};
    train.inputs = {{.name = "x", .dtypes = {DType::Float32}, .uint8_scale = "scale", .shape = "[N, ...X]", .help = "what the network reads"},
                    {.name = "target", .shape = "[N, ...T]", .help = "what it should give"},
                    {.name = "val_x", .dtypes = {DType::Float32}, .uint8_scale = "scale", .shape = "[M, ...X]", .optional = true}};
    train.params = {
        {.name = "scale", .type = ParamType::Number, .fallback = "null", .help = "divides uint8"},
        {.name = "net", .type = ParamType::Network, .help = "the layers"},
        {.name = "loss", .type = ParamType::Choice, .choices = {"mse", "cross_entropy"}, .help = "what is minimised"},
        {.name = "epochs", .type = ParamType::Integer, .fallback = "20", .min = 1, .max = 100000, .unit = "epochs"},
        {.name = "shuffle", .type = ParamType::Boolean, .fallback = "true"},
        {.name = "threads", .type = ParamType::Threads, .fallback = "auto"},
        {.name = "precision", .type = ParamType::Precision, .fallback = "fp32"},
        {.name = "device", .type = ParamType::Device, .fallback = "cpu"},
        {.name = "optimiser", .type = ParamType::Choice, .fallback = "adam", .choices = {"adam", "sgd"}},
        {.name = "momentum", .type = ParamType::Number, .fallback = "0", .needs = {{"optimiser", {"sgd"}}}},
        {.name = "monitor", .fallback = "auto", .metric_of = {"history"}},
        {.name = "patience", .type = ParamType::Integer, .fallback = "null", .min = 1,
         .help = "end when monitor has not improved for so long"},
        {.name = "min_delta", .type = ParamType::Number, .fallback = "0", .needs = {{"patience", {}}}},
        {.name = "warmup_epochs", .type = ParamType::Number, .fallback = "0", .min = 0,
         .help = "the rate rises for so long", .below = "epochs"},
        {.name = "validation_fraction", .type = ParamType::Number, .fallback = "0", .help = "the last share validates",
         .excludes = {"val_x"}},
        {.name = "class_weights", .type = ParamType::Numbers, .fallback = "null", .min = 0, .choices = {"balanced"},
         .help = "how much each class counts"}};
    const PortDescription::MetricsRule reported{.of_loss = true, .training = true, .validation = "val_x",
                                                .fraction = "validation_fraction"};
    train.loss = LossRule{.loss = "loss", .model = "model", .target = "target", .class_weights = "class_weights"};
    train.outputs = {{.name = "model", .kind = PortKind::Model, .model = PortDescription::ModelRule{"net", "x", "", ""}},
                     {.name = "history", .kind = PortKind::History, .metrics = reported},
                     {.name = "metrics", .kind = PortKind::Metrics, .metrics = reported}};
    train.numeric = true;

    StageDescription judge{.kind = "judge", .help = "a metric of two trainings"};
    judge.inputs = {{.name = "one", .kind = PortKind::Metrics}, {.name = "other", .kind = PortKind::Metrics},
                    {.name = "third", .kind = PortKind::Metrics, .optional = true}};
    judge.params = {{.name = "metric", .fallback = "loss", .metric_of = {"one", "other"}}};
    const PortDescription::MetricsRule p_alone{.names = {"p"}, .if_connected = {{"third", "q"}}};
    judge.outputs = {{.name = "metrics", .kind = PortKind::Metrics, .metrics = p_alone}};

    manifest.stages = {load, read, normalise, add_noise, train, judge};
    Catalog catalog;
    catalog.add(std::move(manifest));
    return catalog;
}

}  // namespace satdl
