// Fetches the files of a dataset, from the first source that has them.
#pragma once

#include <cstdint>
#include <string>

#include "pipeline/dataset/dataset.h"

namespace satdl {

// Notices while fetching: what happens now ("trying the Debian package ..."), or the progress of a file.
class FetchObserver {
public:
    virtual ~FetchObserver() = default;
    virtual void say(const std::string& line) = 0;
    virtual void bytes(const std::string& file, std::uint64_t done, std::uint64_t total) = 0;
};

// Brings every file that is missing or wrong, from the first source that has it with the right digest ($SATDL_DATASETS, a
// folder of the user's, comes before all). Files appear under their name only when whole and verified. Throws Error{Store}
// that lists what was tried, and each file's expected and found digest.
void fetch_dataset(const Dataset& dataset, FetchObserver& observer);

}  // namespace satdl
