// satdl-read-hdf5 FILE NAME LIMIT|all|type|every: one array of an untrusted HDF5 file, its type, or every array, on stdout, in the format
// of pipeline/hdf5/hdf5_import.h. Started by the stage `read` and by whoever plans it: their processes never parse such a file themselves.
#include <fmt/format.h>
#include <hdf5.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

#include "pipeline/core/error.h"
#include "pipeline/hdf5/hdf5_import.h"
#include "pipeline/hdf5/hdf5_import_parser.h"
#include "pipeline/os/sandbox.h"
#include "pipeline/os/write_all.h"

namespace {

using namespace satdl;

constexpr std::uint64_t kBytesPerSecond = 50'000'000;  // to be unpacked, on a slow machine
constexpr std::uint64_t kFirstSeconds = 3;             // until the array is found and weighed
constexpr std::uint64_t kSpareSeconds = 5;
constexpr std::uint64_t kAddressBytes = std::uint64_t{4} << 30;        // a chunk of 1 GiB, packed and unpacked

void write_out(std::span<const std::byte> bytes) {
    if (write_all(STDOUT_FILENO, bytes) < bytes.size()) throw Error(ExitCode::Store, "cannot write its array");
}

void read(const std::filesystem::path& path, const std::string& name, const std::string& limit_text) {
    std::optional<std::int64_t> limit;
    const bool only_type = limit_text == kImportType, is_every = limit_text == kImportEvery;
    if (limit_text != kImportAll && !only_type && !is_every) {
        std::int64_t number = 0;
        const auto [end, failed] = std::from_chars(limit_text.data(), limit_text.data() + limit_text.size(), number);
        if (failed != std::errc() || *end != '\0' || number < 0) throw Error(ExitCode::Usage, "LIMIT must be a number, all, type or every");
        limit = number;
    }
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0)
        throw Error(ExitCode::Store, fmt::format("cannot be read: {}", std::strerror(errno)), "check the path");
    if (!S_ISREG(status.st_mode)) throw Error(ExitCode::Store, "is not a regular file", "check the path");
    const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
    const auto max_unpacked = static_cast<double>(file_bytes) * static_cast<double>(kImportMaxExpansion);
    enter_sandbox(path, {.address_bytes = kAddressBytes,
                         .cpu_seconds = kFirstSeconds,
                         .cpu_max_seconds = kSpareSeconds + static_cast<std::uint64_t>(max_unpacked / kBytesPerSecond)});
    ::setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
    ImportSink sink;
    std::uint64_t all_unpacked = 0;
    sink.begin = [&all_unpacked](DType dtype, const Shape& shape, std::uint64_t unpacked) {
        all_unpacked += unpacked;
        limit_cpu(kSpareSeconds + all_unpacked / kBytesPerSecond);
        const std::string header = import_header(dtype, shape);
        write_out(std::as_bytes(std::span(header)));
    };
    if (!only_type) sink.bytes = write_out;
    if (!is_every) return read_hdf5(path, file_bytes, name, limit, sink);
    read_every_hdf5(path, file_bytes, [](const std::string& one) {
        const auto length = static_cast<std::uint32_t>(one.size());
        write_out(std::as_bytes(std::span(&length, 1)));
        write_out(std::as_bytes(std::span(one)));
    }, sink);
}

// Where only HDF5 knows what is wrong.
std::string advice_on(const std::string& message) {
    if (message.find("version number") == std::string::npos)
        return "is the file complete? `h5dump -H FILE` shows whether HDF5 can read it";
    return fmt::format("it is in a format newer than HDF5 {}.{}.{}, which reads it here: h5py.File(name, 'w', libver=('earliest', 'v110'))",
                       H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE);
}

int refuse(const std::string& message, const std::string& hint) {
    fmt::print(stderr, "{}{}{}\n", message, kImportHintMark, hint.empty() ? advice_on(message) : hint);
    return kImportRefused;
}

int work(int argc, char** argv) {
    if (argc != 4) return refuse("usage: satdl-read-hdf5 FILE NAME LIMIT|all|type|every (the stage `read` calls it)", "");
    try {
        read(argv[1], argv[2], argv[3]);
    } catch (const Error& error) {
        const Diagnostic& first = error.diagnostics().front();
        return refuse(first.message, first.hint);
    } catch (const std::bad_alloc&) {
        return refuse("reading it takes too much memory", "use smaller chunks: h5repack -l CHUNK=...");
    } catch (const std::exception& error) {
        return refuse(error.what(), "");
    }
    return 0;
}

}  // namespace

// Nothing runs at exit: the parser's leftovers would be traversed there, and a sanitizer would try to open files.
int main(int argc, char** argv) { ::_exit(work(argc, argv)); }
