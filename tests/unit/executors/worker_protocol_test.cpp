#include "pipeline/executors/worker_protocol.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "pipeline/network/network_parser.h"

using namespace satdl;

namespace {

template <typename Thrown>
std::exception_ptr pointer_to(Thrown thrown) {
    return std::make_exception_ptr(std::move(thrown));
}

// As it comes out at the other end.
[[noreturn]] void over_there(const std::exception_ptr& thrown) { rethrow(unpacked(packed(to_cbor(thrown)))); }

}  // namespace

TEST_CASE("A job comes out as it went in") {
    Diagnostics diagnostics;
    const std::vector<ConfigValue> layers{ConfigValue::map({{"conv", {}, ConfigValue::scalar("16")}, {"activation", {}, ConfigValue::scalar("tanh")}}),
                                          ConfigValue::map({{"average_pool", {}, ConfigValue::null()}}),
                                          ConfigValue::map({{"dropout", {}, ConfigValue::scalar("0.1")}, {"name", {}, ConfigValue::of_text("drop")}}),
                                          ConfigValue::scalar("sigmoid")};
    const Network net = parse_network(ConfigValue::list(layers), diagnostics);
    REQUIRE(diagnostics.empty());
    SourceFile file;
    file.role = "images";
    file.path = "data/\xff.idx";
    file.shape = {60000, 28};
    file.expected = sha256("x");
    NodeJob job;
    job.kind = "train";
    job.library = "lib.so";
    job.identity = FileStamp{1, ~std::uint64_t{0}, 3, -4, 5};
    job.params = Params({{"net", std::make_shared<const Network>(net)}, {"none", ParamValue()}, {"epochs", std::int64_t{-1} << 60}, {"rate", 0.1},
                         {"whole", 2.0}, {"tiny", 5e-324}, {"freeze", true}, {"text", "16"}, {"bytes", "\xff"},
                         {"weights", std::vector<double>{1, 2.5}}, {"empty", std::vector<double>()}});
    job.threads = 7;
    job.precision = Precision::Bf16;
    job.files = {file};
    job.inputs = share({{"x", {{"", Array::of<double>({1}, std::vector{1.0})}}}});
    const Cbor sent = unpacked(packed(to_cbor(job)));
    const NodeJob came = job_from(sent, std::move(job.inputs.file));
    CHECK((came.kind == job.kind && came.library == job.library && came.identity == job.identity && !came.manifest_identity));
    CHECK(came.params.network("net") == net);
    CHECK(came.params.values().size() == job.params.values().size());
    for (const auto& [name, value] : job.params.values()) {
        if (name == "net") continue;
        INFO(name);
        CHECK(came.params.value(name).data() == value.data());  // of the same type, too
    }
    CHECK((came.threads == 7 && came.precision == Precision::Bf16));
    CHECK((came.files[0].path == file.path && came.files[0].shape == file.shape && came.files[0].expected == file.expected));
    CHECK(mapped(came.inputs).at("x").at("").values<double>()[0] == 1);
}

TEST_CASE("Numbers that JSON lacks, and bytes that it refuses, come through") {
    const double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
    const Progress came = progress_from(unpacked(packed(to_cbor(Progress{1, 2, 3, 4, true, {{"loss", nan}, {"lr", -infinite}, {"x", 0.1}}}))));
    CHECK((came.epoch == 1 && came.epochs == 2 && came.step == 3 && came.steps == 4 && came.epoch_ended));
    CHECK((std::isnan(came.metrics[0].second) && came.metrics[1].second == -infinite && came.metrics[2].second == 0.1));
    const std::vector<Table> tables{{"a \xff b", {"c"}, {{"1"}, {"2", "3"}}, {"note"}}};
    const auto tables_came = tables_from(unpacked(packed(to_cbor(tables))));
    CHECK((tables_came[0].title == tables[0].title && tables_came[0].rows == tables[0].rows && tables_came[0].notes == tables[0].notes));
}

TEST_CASE("What a stage throws is thrown again as what it was") {
    CHECK_THROWS_AS(over_there(pointer_to(Stopped{})), Stopped);
    CHECK_THROWS_AS(over_there(pointer_to(std::bad_alloc())), std::bad_alloc);
    CHECK_THROWS_WITH(over_there(pointer_to(std::out_of_range("index 7"))), "index 7");
    const Place place{std::make_shared<const SourceText>(SourceText{"a.yaml", "one\ntwo\nthree"}), 2, 3};
    const Error error(ExitCode::Usage, std::vector<Diagnostic>{{place, "it does not fit", "mend it"}});
    try {
        over_there(pointer_to(error));
    } catch (const Error& came) {
        CHECK(came.code() == ExitCode::Usage);
        CHECK(std::string(came.what()) == error.what());
    }
    bool other = false;
    try {
        over_there(pointer_to(7));
    } catch (const std::exception&) {
    } catch (...) {
        other = true;
    }
    CHECK(other);
}
