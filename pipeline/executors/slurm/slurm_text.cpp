#include "pipeline/executors/slurm/slurm_text.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

constexpr std::size_t kMaxArray = 1'000'000;  // tasks in one row: whoever says more is not believed

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
    Number number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return number;
}

// The number that a text begins with: "300 sec".
template <typename Number>
std::optional<Number> first_number(std::string_view text) {
    return number_of<Number>(text.substr(0, std::min(text.find_first_not_of("0123456789"), text.size())));
}

// Takes off what stands before the separator; all if there is none.
std::string_view take(std::string_view& text, char separator) {
    const std::string_view first = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(first.size() + 1, text.size()));
    return first;
}

template <typename Use>
void each_line(std::string_view text, const Use& use) {
    while (!text.empty()) use(take(text, '\n'));
}

bool all_digits(std::string_view text) { return !text.empty() && std::ranges::all_of(text, is_digit); }

// "[3-9,12%2]" -> 3, 4 ... 9, 12; nullopt for another form.
std::optional<std::vector<std::size_t>> task_numbers(std::string_view text) {
    if (!text.starts_with('[') || !text.ends_with(']')) return std::nullopt;
    text = text.substr(1, text.size() - 2);
    text = text.substr(0, text.find('%'));
    std::vector<std::size_t> numbers;
    while (!text.empty()) {
        std::string_view part = take(text, ',');
        const auto first = number_of<std::size_t>(take(part, '-'));
        const auto last = part.empty() ? first : number_of<std::size_t>(part);
        if (!first || !last || *last < *first || *last - *first >= kMaxArray - numbers.size()) return std::nullopt;
        for (std::size_t number = *first; number <= *last; ++number) numbers.push_back(number);
    }
    return numbers;
}

// The jobs that a row is about.
std::vector<JobId> ids_of(std::string_view text) {
    if (is_slurm_id(text)) return {std::string(text)};
    const std::size_t bar = text.find('_');
    if (bar == std::string_view::npos || !all_digits(text.substr(0, bar))) return {};
    std::vector<JobId> ids;
    for (const std::size_t number : task_numbers(text.substr(bar + 1)).value_or(std::vector<std::size_t>{}))
        ids.push_back(std::string(text.substr(0, bar + 1)) + std::to_string(number));
    return ids;
}

// squeue shows what wait() gave; Slurm's own errors, from 1000 on, stand there if the program was never started.
void set_wait_status(unsigned status, SlurmJobState& job) {
    const unsigned signal = status & 0x7fU;
    if (job.reason == "JobLaunchFailure" && status > 0xff) job.never_started = true;
    else if (signal != 0) job.signal = static_cast<int>(signal);
    else job.exit_code = static_cast<int>(status >> 8 & 0xffU);
}

}  // namespace

SlurmConfig parse_slurm_config(std::string_view text) {
    SlurmConfig config;
    each_line(text, [&](std::string_view line) {
        const std::string_view name = trimmed(take(line, '='));
        const std::string_view value = trimmed(line);
        if (name == "MaxArraySize") config.max_array_size = first_number<std::size_t>(value).value_or(config.max_array_size);
        if (name == "MaxJobCount") config.max_job_count = first_number<std::size_t>(value).value_or(config.max_job_count);
        if (name == "MinJobAge") config.min_job_age_seconds = static_cast<double>(first_number<unsigned>(value).value_or(300));
        if (name == "AccountingStorageType") config.accounting = !value.empty() && value != "(null)" && !value.ends_with("none");
        if (name == "SLURM_VERSION") config.version = std::string(value);
    });
    return config;
}

std::vector<SlurmJobRow> parse_squeue(std::string_view text) {
    std::vector<SlurmJobRow> rows;
    each_line(text, [&](std::string_view line) {
        const std::vector<JobId> ids = ids_of(trimmed(take(line, '|')));
        SlurmJobRow row;
        row.job.word = take(line, '|');
        const std::string_view status = take(line, '|');
        row.comment = take(line, '|');
        row.job.nodes = take(line, '|');
        if (line.ends_with('|')) line.remove_suffix(1);
        row.job.reason = trimmed(line);  // to the end of the line, whatever it says
        set_wait_status(number_of<unsigned>(status).value_or(0), row.job);
        if (row.job.word.empty()) return;
        for (const JobId& id : ids) {
            row.id = id;
            rows.push_back(row);
        }
    });
    return rows;
}

std::vector<SlurmJobRow> parse_sacct(std::string_view text) {
    std::vector<SlurmJobRow> rows;
    each_line(text, [&](std::string_view line) {
        const std::vector<JobId> ids = ids_of(take(line, '|'));
        SlurmJobRow row;
        row.job.word = take(line, '|');
        std::string_view exit = take(line, '|');
        row.job.exit_code = number_of<int>(take(exit, ':')).value_or(0);
        row.job.signal = number_of<int>(exit).value_or(0);
        row.job.nodes = take(line, '|');
        row.ran_seconds = number_of<unsigned>(take(line, '|')).value_or(0);
        if (row.job.word.empty()) return;
        for (const JobId& id : ids) {
            row.id = id;
            rows.push_back(row);
        }
    });
    return rows;
}

bool is_slurm_id(std::string_view text) {
    const std::size_t bar = std::min(text.find('_'), text.size());
    return all_digits(text.substr(0, bar)) && (bar == text.size() || all_digits(text.substr(bar + 1)));
}

std::optional<JobId> parse_sbatch(std::string_view text) {
    std::optional<JobId> found;
    each_line(text, [&](std::string_view line) {
        const std::string_view id = trimmed(line.substr(0, line.find(';')));
        if (all_digits(id)) found = std::string(id);
    });
    return found;
}

}  // namespace satdl
