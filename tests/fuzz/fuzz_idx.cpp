// Files of arrays: IDX, .npy, .npz, CSV, PNG, JPEG, and what the reader of strangers' HDF5 files says. The first byte says whether it is
// the last, and the limit.
#include <optional>

#include "pipeline/array_files/array_file.h"
#include "pipeline/array_files/file_kind.h"
#include "pipeline/hdf5/hdf5_import.h"
#include "tests/fuzz/fuzz.h"

using namespace satdl;

SATDL_FUZZER(text) {
    if (text.empty()) return;
    const auto first = static_cast<unsigned char>(text.front());
    const std::string_view bytes = text.substr(1);
    const std::optional<std::int64_t> limit = first % 4 == 3 ? std::optional<std::int64_t>(first / 4) : std::nullopt;
    const auto check = [&](const Array& array) {
        if (array.bytes().size() != static_cast<std::size_t>(array.count()) * size_of(array.dtype())) std::abort();
        if (limit && !array.shape().empty() && array.shape().front() > *limit) std::abort();
    };
    if (first % 4 == 2) {
        ImportReceiver receiver(bytes.size());
        for (std::size_t at = 0; at < bytes.size(); at += 7)
            if (!receiver.take(std::as_bytes(std::span(bytes.substr(at, 7))))) return;
        if (const auto array = receiver.array()) check(*array);
        return;
    }
    const fuzz::MemoryFile file(bytes);
    fuzz::expect_result_or_error([&] {
        BinaryFile opened(file.path());
        if (file_kind(opened) != FileKind::Hdf5) check(read_array_file(file.path(), {.limit = limit}));
    });
}
