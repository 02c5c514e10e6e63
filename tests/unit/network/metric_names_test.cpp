#include <catch2/catch.hpp>

#include "pipeline/network/metric_names.h"

using namespace satdl;
using Names = std::vector<std::string>;

TEST_CASE("the metrics of a training follow from loss, last activation and targets") {
    CHECK(training_metrics({"mse", Activation::Sigmoid, {1, 28, 28}, false}) == Names{"loss"});
    CHECK(training_metrics({"cross_entropy", Activation::Softmax, {10}, true}) == Names{"loss", "accuracy"});
    CHECK(training_metrics({"cross_entropy", Activation::Sigmoid, {10}, true}) ==
          Names{"loss", "accuracy", "binary_accuracy"});
    CHECK(training_metrics({"binary_cross_entropy", Activation::Sigmoid, {10}, false}) == Names{"loss", "binary_accuracy"});
    CHECK(training_metrics({"binary_cross_entropy", Activation::Sigmoid, {1}, true}) ==
          Names{"loss", "accuracy", "binary_accuracy"});
}

TEST_CASE("evaluations of classes also report binary accuracy, precision and recall") {
    CHECK(evaluation_metrics({"cross_entropy", Activation::Softmax, {2}, true}) ==
          Names{"loss", "accuracy", "binary_accuracy", "precision/0", "precision/1", "precision/macro", "recall/0",
                "recall/1", "recall/macro"});
    CHECK(evaluation_metrics({"mse", Activation::None, {2}, false}) == Names{"loss"});
    CHECK(classes_of({"binary_cross_entropy", Activation::Sigmoid, {1}, true}) == 2);
}

TEST_CASE("a metric is found by its name or by Keras'") {
    const Names names{"train/loss", "train/accuracy", "val/loss", "val/accuracy"};
    CHECK(find_metric("val/loss", names) == "val/loss");
    CHECK(find_metric("val_loss", names) == "val/loss");
    CHECK(find_metric("loss", names) == "train/loss");
    CHECK(find_metric("accuracy", names) == "train/accuracy");
    CHECK(!find_metric("val_acc", names));
    CHECK(!find_metric("", names));
    CHECK(find_metric("precision/0", {"precision/0"}) == "precision/0");
}

TEST_CASE("of accuracies, precisions and recalls more is better, and of losses less") {
    for (const char* name : {"accuracy", "val/binary_accuracy", "precision/3", "recall/macro"}) CHECK(more_is_better(name));
    for (const char* name : {"loss", "val/loss"}) CHECK(!more_is_better(name));
}

TEST_CASE("details are the metrics that a table of many runs leaves out") {
    for (const char* name : {"best/val/loss", "epoch_of_best/val/loss", "last/train/loss", "precision/3"})
        CHECK(is_detail(name));
    for (const char* name : {"val/loss", "best_epoch", "accuracy", "precision/macro"}) CHECK(!is_detail(name));
}
