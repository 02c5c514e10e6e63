// Numbers below 1.2e-38 count as zero while it lives, on this thread: the moments of weights that are no longer trained,
// those of a ReLU that never fires for one, fade into them for ever, and each of them costs a hundred ordinary operations.
#pragma once

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace satdl::stages::kernels {

class DenormalsAreZero {
public:
#if defined(__x86_64__)
    DenormalsAreZero() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }  // as what is given, and as what is read
    ~DenormalsAreZero() { _mm_setcsr(before_); }
#else
    DenormalsAreZero() = default;
    ~DenormalsAreZero() {}
#endif
    DenormalsAreZero(const DenormalsAreZero&) = delete;
    DenormalsAreZero& operator=(const DenormalsAreZero&) = delete;

#if defined(__x86_64__)
private:
    unsigned before_;
#endif
};

}  // namespace satdl::stages::kernels
