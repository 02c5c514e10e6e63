// Reads the stages of kind `command`: what they run, and the ports and parameters that this gives them.
//
// In two passes like every stage: declare() gives the ports, by which other stages connect; read() gives the rest, once the inputs are
// connected and so known by kind.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/dag/dag.h"
#include "pipeline/dag_file/stage_param_reader.h"

namespace satdl {

// Arguments that name a file of the project which the stage does not declare: a mistake, except while that is being found out.
enum class UndeclaredFiles { Refused, Accepted };

class CommandReader {
public:
    // References outlive this.
    CommandReader(const Folders& folders, UndeclaredFiles undeclared, Interpolation& interpolation, Diagnostics& diagnostics)
        : folders_(folders), undeclared_(undeclared), interpolation_(interpolation), diagnostics_(diagnostics) {}

    // The ports of a stage; its inputs are arrays until read() knows more.
    [[nodiscard]] std::shared_ptr<CommandStage> declare(const ConfigValue& body, const LocalNames& locals, const Place& place);

    // Fills the command, and the node's parameters and files. Precondition: the node's inputs are connected, and those of the description
    // have their kinds. False: a mistake was reported.
    [[nodiscard]] bool read(CommandStage& command, const ConfigValue& body, const LocalNames& locals, Node& node);

private:
    const Folders& folders_;
    const UndeclaredFiles undeclared_;
    Interpolation& interpolation_;
    Diagnostics& diagnostics_;
};

}  // namespace satdl
