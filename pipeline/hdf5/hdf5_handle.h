// HDF5's identifiers with an owner, and its errors as messages.
#pragma once

#include <fmt/format.h>
#include <hdf5.h>

#include <string>
#include <string_view>

#include "pipeline/core/error.h"

namespace satdl {

inline herr_t take_hdf5_error(unsigned, const H5E_error2_t* error, void* text) {
    *static_cast<std::string*>(text) = error->desc;
    return 1;  // no more
}

// With the innermost of HDF5's errors: it is the cause of all others.
[[noreturn]] inline void fail_in_hdf5(std::string_view what) {
    std::string cause;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_hdf5_error, &cause);
    throw Error(ExitCode::Store, fmt::format("HDF5 cannot {}: {}", what, printable(cause)));
}

template <typename Result>
Result checked(Result result, std::string_view what) {
    if (result < 0) fail_in_hdf5(what);
    return result;
}

// close() reports whether closing worked; the destructor is for unwinding after an error, and for what was only read.
class Hdf5Id {
public:
    using Close = herr_t (*)(hid_t);
    Hdf5Id(hid_t id, Close closer, std::string_view what) : id_(checked(id, what)), close_(closer) {}
    ~Hdf5Id() {
        if (id_ >= 0) close_(id_);
    }
    Hdf5Id(const Hdf5Id&) = delete;
    Hdf5Id& operator=(const Hdf5Id&) = delete;

    [[nodiscard]] hid_t get() const { return id_; }
    void close(std::string_view what) {
        const hid_t id = id_;
        id_ = -1;
        checked(close_(id), what);
    }

private:
    hid_t id_;
    Close close_;
};

}  // namespace satdl
