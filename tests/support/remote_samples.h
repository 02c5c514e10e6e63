// A remote's record of the sample artifact (sample_outcome.h).
#pragma once

#include <string>

#include "pipeline/remote/record.h"
#include "pipeline/store/artifact.h"
#include "tests/support/hdf5_writer.h"
#include "tests/support/sample_outcome.h"

namespace satdl::test {

inline RemoteRecord sample_record(int number = 0) {
    const StageOutput outcome = sample_outcome();
    const ArtifactImage image = make_artifact(sample_recipe(number), sample_description(), outcome, hdf5_writer());
    return {.blob = sha256("the file"), .header = image.header, .header_text = image.header_bytes};
}

}  // namespace satdl::test
