// What a store knows of a remote, in its index: records of artifacts that it does not have itself, so that it works without the remote as
// long as it needs none of their bytes; keys that the remote did not have, for an hour; keys whose upload is still to be made. All of it is
// disposable.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

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

    [[nodiscard]] std::vector<Digest> uploads();
    void put_uploads(const std::vector<Digest>& keys);

    [[nodiscard]] Index& index() { return index_; }  // for batches

private:
    [[nodiscard]] std::string name(const char* what, const Digest& key) const;

    Index& index_;
    const bool writes_;
    const std::string place_;  // in names of rows
    const std::function<double()> wall_time_;
};

}  // namespace satdl
