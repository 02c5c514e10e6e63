#include "pipeline/executors/worker_protocol.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

using namespace satdl;

namespace {

template <typename Thrown>
std::exception_ptr pointer_to(Thrown thrown) {
    return std::make_exception_ptr(std::move(thrown));
}

// As it comes out at the other end.
[[noreturn]] void over_there(const std::exception_ptr& thrown) { throw_again(unpacked(packed(to_cbor(thrown)))); }

}  // namespace

TEST_CASE("A job comes out as it went in") {
    const ConfigValue net = ConfigValue::list({ConfigValue::map({{"conv", {}, ConfigValue::scalar("16")}}), ConfigValue::null(), ConfigValue::of_text("16"), ConfigValue::of(0.1)});
    SourceFile file;
    file.role = "images";
    file.path = "data/\xff.idx";
    file.shape = {60000, 28};
    file.expected = sha256("x");
    NodeJob job;
    job.stage.description = {.kind = "train", .version = 3, .params = {{.name = "net", .type = ParamType::Network}}};
    job.stage.library = "lib.so";
    job.stage.numerics = {{"libtorch", "2"}};
    job.stage.identity = FileStamp{1, ~std::uint64_t{0}, 3, -4, 5};
    job.stage.library_digest = sha256("the file");
    job.params = Params({{"net", net}});
    job.threads = 7;
    job.precision = Precision::Bf16;
    job.files = {file};
    job.inputs = share({{"x", {{"", Array::of<double>({1}, std::vector{1.0})}}}});
    const Cbor sent = unpacked(packed(to_cbor(job)));
    const NodeJob came = job_from(sent, std::move(job.inputs.file));
    CHECK(came.stage.description == job.stage.description);
    CHECK(came.stage.library_digest == job.stage.library_digest);
    CHECK((came.stage.library == job.stage.library && came.stage.numerics == job.stage.numerics && came.stage.identity == job.stage.identity));
    CHECK(came.params.value("net").canonical() == net.canonical());
    CHECK(came.params.value("net").items()[2].quoted());
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
