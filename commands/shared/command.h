// What each command's file offers to main: it adds its command to the program.
#pragma once

namespace satdl {

class Command;

void add_init_command(Command& program);
void add_run_command(Command& program);
void add_exec_batch_command(Command& program);
void add_attach_command(Command& program);
void add_cancel_command(Command& program);
void add_trace_command(Command& program);
void add_status_command(Command& program);
void add_graph_command(Command& program);
void add_explain_command(Command& program);
void add_ls_command(Command& program);
void add_show_command(Command& program);
void add_diff_command(Command& program);
void add_export_command(Command& program);
void add_log_command(Command& program);
void add_sweep_command(Command& program);
void add_compare_command(Command& program);
void add_report_command(Command& program);
void add_stages_command(Command& program);
void add_data_command(Command& program);
void add_import_command(Command& program);
void add_check_determinism_command(Command& program);
void add_reproduce_command(Command& program);
void add_note_command(Command& program);
void add_tag_command(Command& program);
void add_rm_command(Command& program);
void add_cache_command(Command& program);
void add_selftest_command(Command& program);

}  // namespace satdl
