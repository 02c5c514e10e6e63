// Confusion, precision and recall, against a case worked by hand.
#include <catch2/catch.hpp>
#include <map>

#include "stages/classification.h"

using namespace satdl::stages;

TEST_CASE("rows of the confusion matrix are what samples are, columns what they are taken for") {
    const std::vector<std::int64_t> actual{0, 0, 0, 1, 1, 2}, predicted{0, 0, 1, 1, 0, 1};
    const Confusion confusion = confusion_of(actual, predicted, 4);
    CHECK(confusion.counts == std::vector<std::int64_t>{2, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0});
    const Numbers numbers = precision_and_recall(confusion);
    const std::map<std::string, double> found(numbers.begin(), numbers.end());
    CHECK(found.size() == 10);
    CHECK(found.at("precision/0") == Approx(2.0 / 3));
    CHECK(found.at("recall/0") == Approx(2.0 / 3));
    CHECK(found.at("precision/1") == Approx(1.0 / 3));
    CHECK(found.at("recall/1") == Approx(0.5));
    CHECK(found.at("precision/2") == 0);  // nothing was taken for 2
    CHECK(found.at("recall/2") == 0);
    CHECK(found.at("recall/3") == 0);  // nothing is a 3
    CHECK(found.at("precision/macro") == Approx((2.0 / 3 + 1.0 / 3) / 4));
    CHECK(found.at("recall/macro") == Approx((2.0 / 3 + 0.5) / 4));
    const satdl::Table table = table_of(confusion);
    CHECK(table.rows[1] == std::vector<std::string>{"1", "2", "3", "1", "0.3333", "0.5000"});
}
