#include "pipeline/core/suggest.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace satdl;

TEST_CASE("the nearest name is at most a third of its length away") {
    const std::vector<std::string> known{"conv", "dense", "batch_norm", "relu"};
    CHECK(nearest("cnov", known) == "conv");
    CHECK(nearest("batchnorm", known) == "batch_norm");
    CHECK(nearest("batch-norm", known) == "batch_norm");
    CHECK(nearest("ReLU", known) == "relu");
    CHECK_FALSE(nearest("lstm", known));
    CHECK_FALSE(nearest("x", known));
    CHECK_FALSE(nearest(std::string(100'000, 'x'), known));
    CHECK(did_you_mean("dens", known) == "did you mean 'dense'?");
    CHECK(did_you_mean("lstm", known) == "known: conv, dense, batch_norm, relu");
    CHECK(did_you_mean("lstm", {}).empty());
    CHECK(did_you_mean("zzzzzz", std::vector<std::string>(15, "a")) == "known: a, a, a, a, a, a, a, a, a, a, a, a, a, a, a");
}

TEST_CASE("the words of Keras, PyTorch, Hydra and DVC lead to satdl's") {
    const std::vector<std::string> train{"net", "loss", "epochs", "batch_size", "seed", "optimiser", "learning_rate", "momentum",
                                         "schedule", "patience", "validation_fraction"};
    const std::vector<std::string> layers{"conv", "dense", "batch_norm", "max_pool", "average_pool", "flatten", "dropout"};
    const std::vector<std::string> activations{"none", "relu", "leaky_relu", "sigmoid", "tanh", "softmax"};
    const auto meant = [](const char* word, const std::vector<std::string>& known) { return nearest(word, known).value_or("-"); };
    for (const auto& [word, ours] : std::initializer_list<std::pair<const char*, const char*>>{
             {"lr", "learning_rate"}, {"LR", "learning_rate"}, {"early_stopping", "patience"}, {"EarlyStopping", "patience"},
             {"validation_split", "validation_fraction"}, {"optimizer", "optimiser"}, {"criterion", "loss"}, {"lr_scheduler", "schedule"},
             {"max_epochs", "epochs"}, {"random_state", "seed"}, {"model", "net"}})
        CHECK(meant(word, train) == ours);
    for (const auto& [word, ours] : std::initializer_list<std::pair<const char*, const char*>>{
             {"Conv2d", "conv"}, {"Conv2D", "conv"}, {"Linear", "dense"}, {"fully_connected", "dense"}, {"BatchNorm2d", "batch_norm"},
             {"BatchNormalization", "batch_norm"}, {"MaxPooling2D", "max_pool"}, {"AvgPool2d", "average_pool"}})
        CHECK(meant(word, layers) == ours);
    CHECK(meant("linear", activations) == "none");
    CHECK(meant("LeakyReLU", activations) == "leaky_relu");
    CHECK(meant("normalize", {"load", "normalise"}) == "normalise");
    CHECK(meant("repro", {"run", "report", "explain"}) == "run");
    CHECK(meant("lr", layers) == "-");  // only what is there is suggested
}
