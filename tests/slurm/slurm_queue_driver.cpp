// A SlurmQueue on a line of JSON: what the tests with a real Slurm say to it on stdin, and what it answers on stdout.
//
//   slurm_queue_driver RUN FOLDER
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "pipeline/executors/slurm/slurm_queue.h"

using namespace satdl;
using nlohmann::json;

namespace {

JobRequest request_of(const json& given) {
    JobRequest request;
    request.name = given.at("name");
    request.command = given.at("command");
    request.folder = given.at("folder").get<std::string>();
    request.log = given.at("log").get<std::string>();
    request.resources.cpus = given.value("cpus", 1);
    request.resources.memory_bytes = given.value("memory_mb", std::uint64_t{0}) << 20;
    if (given.contains("seconds")) request.resources.seconds = given["seconds"].get<double>();
    request.resources.partition = given.value("partition", "");
    request.resources.extra = given.value("extra", std::vector<std::string>{});
    return request;
}

json to_json(const JobStatus& status) {
    const auto state = std::array{"pending", "running", "ended", "unknown"}.at(static_cast<std::size_t>(status.state));
    const auto end = std::array{"exited",    "memory",         "time limit",
                                "preempted", "infrastructure", "cancelled"}.at(static_cast<std::size_t>(status.end));
    json shown{{"state", state}, {"reason", status.reason}, {"stuck", status.stuck}, {"machine", status.machine}};
    if (status.state == JobStatus::State::Ended) shown.update({{"end", end}, {"exit_code", status.exit_code}});
    return shown;
}

json answer(SlurmQueue& queue, const json& asked) {
    const std::string what = asked.at("do");
    if (what == "limits") return {{"jobs_at_once", queue.limits().jobs_at_once}, {"array", queue.limits().array}};
    if (what == "submit") {
        std::vector<JobRequest> requests;
        for (const json& one : asked.at("jobs")) requests.push_back(request_of(one));
        json shown = json::array();
        for (const SubmitResult& result : queue.submit(requests)) {
            if (const auto* id = std::get_if<JobId>(&result)) shown.push_back({{"id", *id}});
            else {
                const auto& failure = std::get<SubmitFailure>(result);
                const char* const kind = failure.failure == SubmitFailure::Class::Config ? "config" : "throttled";
                shown.push_back({{"failure", kind}, {"text", failure.text}});
            }
        }
        return shown;
    }
    if (what == "poll") {
        const auto jobs = queue.poll();
        if (!jobs) return nullptr;
        json shown = json::object();
        for (const auto& [name, job] : *jobs) {
            shown[name] = to_json(job.second);
            shown[name]["id"] = job.first;
        }
        return shown;
    }
    const std::vector<JobId> ids = asked.value("ids", std::vector<JobId>{});
    if (what == "look_up") {
        json shown = json::object();
        for (const auto& [id, status] : queue.look_up(ids)) shown[id] = to_json(status);
        return shown;
    }
    if (what == "cancel") queue.cancel(ids);
    else if (what == "cancel_all") queue.cancel_all();
    else if (what == "ask_to_stop") queue.ask_to_stop(ids);
    else throw std::runtime_error("unknown: " + what);
    return true;
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 3) throw std::runtime_error("usage: slurm_queue_driver RUN FOLDER");
    const auto clock = steady_clock();
    const auto files = real_file_system();
    SlurmQueue queue(argv[1], argv[2], slurm_commands(*clock, {.per_second = 1000, .at_once = 1000}), *files, *clock);
    for (std::string line; std::getline(std::cin, line);) std::cout << answer(queue, json::parse(line)).dump() << std::endl;
    return 0;
} catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
}
