// Which of the kernels' instructions this CPU has. Kernels are compiled for them by function, so that the program runs on
// any x86-64.
#pragma once

namespace satdl::stages::kernels {

enum class Instructions { None, Avx2, Avx512 };  // Avx2: with FMA; Avx512: its foundation

// Of this CPU. With None no kernel may be called. They give the same bytes with Avx2 and with Avx512.
[[nodiscard]] inline Instructions instructions() {
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Instructions::None;
    return __builtin_cpu_supports("avx512f") ? Instructions::Avx512 : Instructions::Avx2;
#else
    return Instructions::None;
#endif
}

}  // namespace satdl::stages::kernels
