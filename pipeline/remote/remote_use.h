// What a run had of its remote, and what it lost because of it.
#pragma once

#include <cstdint>
#include <string>

namespace satdl {

struct RemoteUse {
    std::string place;
    std::uint64_t found = 0;  // keys
    std::uint64_t downloads = 0, downloaded_bytes = 0;
    std::uint64_t uploads = 0, uploaded_bytes = 0;
    std::uint64_t lost_lookups = 0, lost_downloads = 0, lost_uploads = 0;
    bool is_read_only = false;  // there is no private key, and so nothing is uploaded
    std::string problem;        // why the first of them was lost; "": none was

    [[nodiscard]] bool lost() const { return lost_lookups + lost_downloads + lost_uploads > 0; }
};

}  // namespace satdl
