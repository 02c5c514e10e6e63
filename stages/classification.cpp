#include "stages/classification.h"

#include <fmt/format.h>

namespace satdl::stages {
namespace {

struct OfClass {
    std::int64_t actual = 0, predicted = 0, right = 0;

    [[nodiscard]] double precision() const { return share(right, predicted); }
    [[nodiscard]] double recall() const { return share(right, actual); }

private:
    static double share(std::int64_t part, std::int64_t whole) {
        return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
    }
};

OfClass of_class(const Confusion& confusion, std::int64_t one) {
    OfClass found{.right = confusion.at(one, one)};
    for (std::int64_t other = 0; other < confusion.classes; ++other) {
        found.actual += confusion.at(one, other);
        found.predicted += confusion.at(other, one);
    }
    return found;
}

}  // namespace

std::int64_t Confusion::at(std::int64_t actual, std::int64_t predicted) const {
    return counts[static_cast<std::size_t>(actual * classes + predicted)];
}

Confusion confusion_of(std::span<const std::int64_t> actual, std::span<const std::int64_t> predicted,
                       std::int64_t classes) {
    SATDL_CHECK(actual.size() == predicted.size(), "one prediction a sample");
    Confusion confusion{classes, std::vector<std::int64_t>(static_cast<std::size_t>(classes * classes))};
    for (std::size_t i = 0; i < actual.size(); ++i)
        ++confusion.counts[static_cast<std::size_t>(actual[i] * classes + predicted[i])];
    return confusion;
}

std::string classes_text(const std::vector<std::int64_t>& classes) {
    return fmt::format("{} {}", classes.size() == 1 ? "class" : "classes", fmt::join(classes, ", "));
}

Numbers precision_and_recall(const Confusion& confusion) {
    Numbers precisions, recalls;
    double precision = 0, recall = 0;
    for (std::int64_t one = 0; one < confusion.classes; ++one) {
        const OfClass found = of_class(confusion, one);
        precisions.emplace_back(fmt::format("precision/{}", one), found.precision());
        recalls.emplace_back(fmt::format("recall/{}", one), found.recall());
        precision += found.precision();
        recall += found.recall();
    }
    const auto classes = static_cast<double>(confusion.classes);
    precisions.emplace_back("precision/macro", precision / classes);
    recalls.emplace_back("recall/macro", recall / classes);
    precisions.insert(precisions.end(), recalls.begin(), recalls.end());
    return precisions;
}

Table table_of(const Confusion& confusion) {
    Table table{"Classes", {"class", "samples", "predicted", "right", "precision", "recall"}, {}, {}};
    for (std::int64_t one = 0; one < confusion.classes; ++one) {
        const OfClass found = of_class(confusion, one);
        table.rows.push_back({fmt::format("{}", one), fmt::format("{}", found.actual), fmt::format("{}", found.predicted),
                              fmt::format("{}", found.right), fmt::format("{:.4f}", found.precision()),
                              fmt::format("{:.4f}", found.recall())});
    }
    return table;
}

}  // namespace satdl::stages
