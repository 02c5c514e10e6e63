// A small run on a file system on which each call fails in turn; then it is run again without faults.
#include <catch2/catch.hpp>
#include <cerrno>

#include "tests/support/faulty_file_system.h"
#include "tests/support/small_run.h"

using namespace satdl;
using namespace satdl::test;

namespace {

constexpr std::size_t kOnce = 1;
constexpr std::size_t kTogether = 3;  // stages that are stored at once

struct FaultAt {
    std::size_t call;  // from 1
    int error;
    std::size_t times;
    Fault fault;
};

// What the faulty runs say; and nothing that they say may be wrong.
struct Seen {
    std::size_t clean = 0, told = 0;

    void operator()(const std::optional<RunResult>& result) {
        const bool all_well = result && (result->exit_code() == ExitCode::Done || result->stopped) && result->observer_error.empty();
        ++(all_well ? clean : told);
        if (result) CHECK(small_truth().contradicted_by(*result) == "");
    }
};

std::size_t calls_of_clean_runs(std::size_t together) {
    const TempFolder folder(TempFolder::Where::Memory);
    const auto real = real_file_system();
    FaultyFileSystem counting(*real);
    small_runs(folder.path(), counting, together, [](const auto&) {});
    return counting.calls().size();
}

void begin(FaultyFileSystem& files, const FaultAt& at) { files.fail(at.call, at.error, at.times, at.fault); }

}  // namespace

TEST_CASE("after any system call has failed, once or permanently, before or after its work, the next run gives the results of a clean one") {
    const std::size_t together = GENERATE(1, kTogether);
    const std::size_t calls = calls_of_clean_runs(together);
    REQUIRE(calls > 100);
    const std::uint64_t stride = count_from("SATDL_SEAM_STRIDE", 3);
    Seen seen;
    std::uint64_t count = 0;
    for (const int error : {EIO, ENOSPC, EDQUOT, EMFILE, ESTALE}) {
        for (const std::size_t times : {kOnce, FaultyFileSystem::kForEver}) {
            for (const Fault fault : {Fault::Before, Fault::After}) {
                for (std::size_t call = 1 + count % stride; call <= calls; call += stride) {
                    ++count;
                    const TempFolder folder(TempFolder::Where::Memory);
                    const auto real = real_file_system();
                    FaultyFileSystem faulty(*real);
                    begin(faulty, {call, error, times, fault});
                    small_runs(folder.path(), faulty, together, [&](const auto& result) { seen(result); });
                    INFO("error " << error << ", call " << call << ": " << (faulty.calls().size() >= call ? faulty.calls()[call - 1] : "none"));
                    const auto again = small_run(folder.path(), *real);
                    CHECK(wrong_after(folder.path(), again) == "");
                    CHECK(texts_below(folder.path() / "store/quarantine").empty());
                }
            }
        }
    }
    CHECK(seen.told > 0);
    note_figure(fmt::format("each of {} calls at the seam fails, {} stored at once: 5 errors, once or for ever, before or after its work", calls,
                            together), count,
                "same bytes after the next run");
}

TEST_CASE("after a fault during the recovery from a fault the next run gives the results of a clean one") {
    const std::size_t calls = calls_of_clean_runs(kTogether);
    const std::uint64_t stride = count_from("SATDL_SEAM_STRIDE", 3);
    const auto real = real_file_system();
    std::uint64_t count = 0;
    for (std::size_t first = 1; first <= calls; first += 4 * stride) {
        bool reached = true;  // the recovery has so many calls
        for (std::size_t second = 1; reached; second += stride) {
            const Fault fault = (first + second) % 2 == 0 ? Fault::Before : Fault::After;
            const std::size_t times = second % 4 < 2 ? kOnce : FaultyFileSystem::kForEver;
            const TempFolder folder(TempFolder::Where::Memory);
            FaultyFileSystem faulty(*real);
            begin(faulty, {first, ENOSPC, FaultyFileSystem::kForEver, Fault::Before});
            small_runs(folder.path(), faulty, kTogether, [](const auto&) {});
            begin(faulty, {second, EIO, times, fault});
            const auto recovering = small_run(folder.path(), faulty, 0, kTogether);
            reached = faulty.calls().size() >= second;
            if (recovering) CHECK(small_truth().contradicted_by(*recovering) == "");
            INFO("first fault at call " << first << ", second at " << second);
            CHECK(wrong_after(folder.path(), small_run(folder.path(), *real)) == "");
            ++count;
        }
    }
    note_figure(fmt::format("one call in {} fails for ever; while the next run recovers, one in {}", 4 * stride, stride), count,
                "same bytes after the run after that");
}
