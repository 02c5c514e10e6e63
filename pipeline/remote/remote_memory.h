// What a store knows of a remote, in its index: records of artifacts that it does not have itself, so that it works without the remote as
// long as it needs none of their bytes; and keys that the remote did not have, for an hour. All of it is disposable.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "pipeline/core/digest.h"
#include "pipeline/store/open_store.h"

namespace satdl {

// Safe from any thread.
class RemoteMemory {
public:
    static constexpr double kMissSeconds = 3600;

    // `place`: Transport::place(). `wall_time`: seconds since 1970. Of a store that is only read, nothing is written.
    RemoteMemory(Index& index, Access access, const std::string& place, std::function<double()> wall_time);

    [[nodiscard]] std::optional<std::string> record(const Digest& key);  // its text
    void put_record(const Digest& key, const std::string& text);
    [[nodiscard]] bool is_missing(const Digest& key);
    void put_missing(const Digest& key);
    void forget(const Digest& key);

    [[nodiscard]] Index& index() { return index_; }  // for batches

private:
    [[nodiscard]] std::string name(const char* what, const Digest& key) const;

    Index& index_;
    const bool writes_;
    const std::string place_;  // in names of rows
    const std::function<double()> wall_time_;
};

// The header of an artifact that a run took from a remote's record and has not downloaded, of whichever remote. For lists: what a run
// believes it asks RemoteCache.
[[nodiscard]] std::optional<ArtifactHeader> remembered_header(Index& index, const Digest& key);

}  // namespace satdl
