// The flags are static because a signal handler cannot access anything else.
#include "commands/shared/signals.h"

#include <unistd.h>

#include <array>
#include <csignal>

namespace satdl {

namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXCPU};

std::atomic<bool> stop_requested{false};
std::atomic<bool> has_hung_up{false};
std::atomic<bool> ignores_second{false};
std::atomic<int> first_signal{0};
std::array<struct sigaction, kSignals.size()> before{};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

extern "C" void on_signal(int number) {
    int none = 0;
    const bool is_first = first_signal.compare_exchange_strong(none, number);
    if (!is_first && !ignores_second.load() && number != SIGXCPU) _exit(128 + number);  // the kernel repeats SIGXCPU every second
    if (is_first && number == SIGHUP) has_hung_up.store(true);
    stop_requested.store(true);
}

// Not SIG_IGN, which a program that is started from here would inherit.
extern "C" void on_closed_pipe(int) {}

}  // namespace

StopSignals::StopSignals(Second second) {
    stop_requested.store(false);
    has_hung_up.store(false);
    ignores_second.store(second == Second::IsIgnored);
    first_signal.store(0);
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
        sigaction(kSignals[i], &action, &before[i]);
        if (before[i].sa_handler == SIG_IGN) sigaction(kSignals[i], &before[i], nullptr);
    }
    action.sa_handler = on_closed_pipe;
    sigaction(SIGPIPE, &action, nullptr);
}

StopSignals::~StopSignals() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before[i], nullptr);
}

const std::atomic<bool>& StopSignals::stop() const {
    return stop_requested;
}

const std::atomic<bool>& StopSignals::hung_up() const {
    return has_hung_up;
}

std::optional<ExitCode> StopSignals::exit_code() const {
    switch (first_signal.load()) {
        case SIGINT:
            return ExitCode::Interrupted;
        case SIGTERM:
        case SIGUSR1:
        case SIGXCPU:
            return ExitCode::Terminated;
        case SIGHUP:
            return ExitCode::HungUp;
        default:
            return std::nullopt;
    }
}

}  // namespace satdl
