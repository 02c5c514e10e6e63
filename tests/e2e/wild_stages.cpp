// Stages that do what no stage should: for isolate_test.py and cut_test.py.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "pipeline/core/error.h"
#include "pipeline/stage.h"

namespace {

using namespace satdl;

StageOutput numbers(const std::vector<double>& values) {
    const Array array = Array::of<double>({static_cast<std::int64_t>(values.size())}, values);
    return {{{"numbers", {{"", array}}}}, {}};
}

[[noreturn]] void sleep_for_ever() {
    for (;;) ::pause();
}

// A process that would outlive us, in a session of its own; `note` is where it leaves its number.
void start_grandchild(const std::string& note) {
    if (::fork() != 0) {
        while (!std::filesystem::exists(note)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        return;
    }
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    std::ofstream(note + ".part") << ::getpid();
    std::filesystem::rename(note + ".part", note);
    sleep_for_ever();
}

// The kernel's own objection: one that no sanitizer sees coming.
void write_where_nobody_may() {
    void* const page = ::mmap(nullptr, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<volatile int*>(page) = 1;
}

[[noreturn]] void allocate_for_ever() {
    std::vector<std::unique_ptr<char[]>> held;
    for (;;) {
        constexpr std::size_t kBytes = 8 << 20;
        held.push_back(std::make_unique<char[]>(kBytes));
        std::memset(held.back().get(), 1, kBytes);
    }
}

// How often it was called with this note, this time included.
int count_calls(const std::string& note) {
    std::ofstream(note, std::ios::app) << "x";
    return static_cast<int>(std::filesystem::file_size(note));
}

// To the file `path`, at the first call alone.
void harm(const std::filesystem::path& path, const std::string& how) {
    if (std::filesystem::exists("harmed")) return;
    std::ofstream("harmed").put('x');
    std::filesystem::permissions(path, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
    const auto bytes = std::filesystem::file_size(path);
    if (how == "cut") std::filesystem::resize_file(path, bytes / 2);
    if (how == "cut_tail") std::filesystem::resize_file(path, bytes - 8);
    if (how == "write_to") std::fstream(path, std::ios::in | std::ios::out | std::ios::binary).seekp(-1, std::ios::end).put('x');
}

StageOutput sum_of(const NamedArrays& x) {
    double sum = 0;
    for (const double value : x.at("").values<double>()) sum += value;
    return numbers({sum});
}

// The first call keeps x and fails; the second resumes from the checkpoint and truncates its file.
Array from_checkpoint(const Array& x, StageContext& context) {
    if (const NamedArrays* const state = context.checkpoint()) {
        for (const auto& file : std::filesystem::directory_iterator(".satdl/checkpoints")) harm(file.path(), "cut");
        return state->at("x");
    }
    if (std::filesystem::exists("harmed")) return x;
    context.keep_checkpoint({{"x", x}}, {});
    throw Error(ExitCode::StageFailed, "not yet");
}

StageOutput wild(const StageInputs& inputs, StageContext& context) {
    const std::string& how = context.params().text("how");
    const std::string& note = context.params().text("note");
    context.log(LogLevel::Info, "about to " + how);
    if (how == "segfault" || how == "abort" || how == "exit") {
        std::printf("on stdout: %s\n", how.c_str());
        std::fflush(stdout);
        std::fprintf(stderr, "on stderr: %s", how.c_str());
    }
    if (how == "segfault") write_where_nobody_may();
    if (how == "abort") std::abort();
    if (how == "bus") ::raise(SIGBUS);
    if (how == "exit") std::exit(3);
    if (how == "hang") sleep_for_ever();
    if (how == "flood") for (;;) context.log(LogLevel::Debug, "and on");
    if (how == "allocate") allocate_for_ever();
    if (how == "throw_int") throw 7;
    if (how == "throw_words") throw std::runtime_error("index 7\n\x1b[31mis red");
    if (how == "usage") throw Error(ExitCode::Usage, "the numbers do not fit");
    if (how == "stop_unasked") throw Stopped{};
    if (how == "undeclared") return {{{"letters", {}}}, {}};
    if (how == "wrong_type") return {{{"numbers", {{"", Array::of<std::int64_t>({1}, std::vector<std::int64_t>{1})}}}}, {}};
    if (how == "named") return {{{"numbers", {{"a", Array::of<double>({1}, std::vector{1.0})}}}}, {}};
    if (how == "close_all")
        for (int number = 3; number < 100; ++number) ::close(number);
    if (how == "grandchild") start_grandchild(note);
    if (how == "grandchild_then_segfault") {
        start_grandchild(note);
        ::raise(SIGSEGV);
    }
    if (how == "grandchild_then_hang") {
        start_grandchild(note);
        sleep_for_ever();
    }
    if (how == "third_time" && count_calls(note) < 3) throw std::runtime_error("not this time");
    if (how == "third_time_crash" && count_calls(note) < 3) std::abort();
    if (how == "cut" || how == "cut_tail" || how == "write_to") harm(note, how);
    if (how == "cut_then_keep") {
        harm(note, "cut");
        const StageOutput sum = sum_of(inputs.at("x"));
        context.keep_checkpoint({{"sum", sum.outputs.at("numbers").at("")}}, {});
        return sum;
    }
    if (how == "cut_checkpoint") return sum_of({{"", from_checkpoint(inputs.at("x").at(""), context)}});
    if (inputs.contains("x")) return sum_of(inputs.at("x"));
    return numbers({1, 2, 3});
}

StageLibraryInfo make_info() {
    return {"wild",
            {},
            {{{.kind = "wild",
               .help = "misbehaves",
               .inputs = {{.name = "after", .kind = PortKind::Metrics, .optional = true, .help = "what it waits for"},
                          {.name = "x", .dtypes = {DType::Float64}, .shape = "[N]", .optional = true, .help = "numbers"}},
               .outputs = {{.name = "numbers", .dtypes = {DType::Float64}, .shape = "[_]", .help = "1, 2, 3, or the sum of x"}},
               .params = {{.name = "how", .type = ParamType::Text, .help = "in which way"},
                          {.name = "note", .type = ParamType::Text, .fallback = "note", .help = "a file in which it leaves something"}}},
              wild}}};
}

// A constructor that runs when the library is loaded, whatever its ABI.
struct Loud {
    Loud() {
        if (const char* note = std::getenv("SATDL_TEST_LOADED")) std::ofstream(note) << "loaded";
    }
} loud;

}  // namespace

#ifdef WILD_OTHER_ABI
extern "C" __attribute__((visibility("default"))) const int satdl_stage_abi;
extern "C" const int satdl_stage_abi = -1;
extern "C" __attribute__((visibility("default"))) const StageLibraryInfo* satdl_stage_library() {
    static const StageLibraryInfo info = make_info();
    return &info;
}
#else
SATDL_STAGE_LIBRARY(make_info)
#endif
