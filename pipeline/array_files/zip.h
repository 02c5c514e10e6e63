// Zip archives, as far as numpy.savez writes them: members stored or deflated, below 2 GiB, not encrypted.
// (PKWARE's APPNOTE.TXT; zlib inflates and computes the CRC)
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "pipeline/array_files/binary_file.h"

namespace satdl {

struct ZipMember {
    std::string name;
    std::uint64_t offset = 0;  // of its own header
    std::uint64_t packed = 0, size = 0;
    std::uint32_t crc = 0;
    bool deflated = false;
};

// In the archive's order. Throws Error{Store} naming the archive if it is damaged, or larger than this reader's zip.
[[nodiscard]] std::vector<ZipMember> zip_members(BinaryFile& archive);

// The bytes of a member, whole and as its CRC says, or the first `max` of them, unchecked. Throws Error{Store} naming both.
[[nodiscard]] std::string unpack(BinaryFile& archive, const ZipMember& member, std::size_t max = std::numeric_limits<std::size_t>::max());

}  // namespace satdl
