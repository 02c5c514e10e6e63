// What each command's file offers: it adds its options to the program's, and says what is to be done when it is chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "pipeline/core/error.h"
#include "pipeline/core/json.h"

namespace satdl {

// What the chosen command does; an Error that it throws becomes the program's message and exit code.
using Work = std::function<ExitCode()>;

// `work` is set when the user has chosen the command. All must outlive the parsing of the command line.
void add_run_command(CLI::App& program, Work& work);
void add_status_command(CLI::App& program, Work& work);
void add_graph_command(CLI::App& program, Work& work);
void add_explain_command(CLI::App& program, Work& work);
void add_ls_command(CLI::App& program, Work& work);
void add_show_command(CLI::App& program, Work& work);
void add_report_command(CLI::App& program, Work& work);
void add_stages_command(CLI::App& program, Work& work);
void add_data_command(CLI::App& program, Work& work);
void add_check_determinism_command(CLI::App& program, Work& work);
void add_cache_command(CLI::App& program, Work& work);
void add_selftest_command(CLI::App& program, Work& work);

}  // namespace satdl
