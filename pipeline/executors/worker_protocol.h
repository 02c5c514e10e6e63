// The messages between satdl and the process of one stage: CBOR (RFC 8949), which unlike JSON carries any bytes and every number,
// NaN too, as they are.
//
//   satdl -> stage   the job; then answers: to "checkpoint" (has, the state), "due" (yes), "keep" (nothing)
//   stage -> satdl   {"what": "progress" | "log" | "checkpoint" | "due" | "keep" | "keep_final_checkpoint" |
//                    "outcome" | "threw", ...}
//
// Arrays go with a message, as in shared_arrays.h. What comes from a stage's process may be anything: reading it throws
// nlohmann's exceptions or Error, and does no harm.
#pragma once

#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/executors/message_channel.h"
#include "pipeline/executors/shared_arrays.h"
#include "pipeline/os/file_system.h"
#include "pipeline/stage.h"

namespace satdl {

using Cbor = nlohmann::json;

[[nodiscard]] std::string packed(const Cbor& message);
[[nodiscard]] Cbor unpacked(const std::string& bytes);

// The description of its kind is in the library's manifest, where the stage's process reads it.
struct NodeJob {
    std::string kind;
    std::filesystem::path library;
    std::optional<FileStamp> identity, manifest_identity;  // of the library and of its manifest, as they were planned with
    Params params;
    int threads = 1;
    Precision precision = Precision::Fp32;
    Device device = Device::Cpu;
    int gpu = 0;
    std::vector<SourceFile> files;
    SharedGroups inputs;
};
[[nodiscard]] Cbor to_cbor(const NodeJob& job);  // without the inputs' file, which is sent along
[[nodiscard]] NodeJob job_from(const Cbor& json, UniqueFd file);

[[nodiscard]] Cbor to_cbor(const SharedGroups& shared);
[[nodiscard]] SharedGroups groups_from(const Cbor& json, UniqueFd file);

[[nodiscard]] Cbor to_cbor(const std::vector<Table>& tables);
[[nodiscard]] std::vector<Table> tables_from(const Cbor& json);

[[nodiscard]] Cbor to_cbor(const Progress& progress);
[[nodiscard]] Progress progress_from(const Cbor& json);

// What a stage threw, whatever it was; and the same rethrown (what is neither Error, Stopped, bad_alloc nor an exception as
// something that is no exception).
[[nodiscard]] Cbor to_cbor(const std::exception_ptr& thrown);
[[noreturn]] void rethrow(const Cbor& json);

}  // namespace satdl
