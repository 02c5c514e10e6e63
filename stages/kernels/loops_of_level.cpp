// Which loops a level has.
#include "stages/kernels/channel_loops.h"
#include "stages/kernels/one_channel_loops.h"
#include "stages/kernels/winograd_loops.h"

namespace satdl::stages::kernels {

#if defined(__x86_64__)
const ChannelLoops& channel_loops(CpuLevel level) {
    if (level == CpuLevel::Baseline) return baseline::kChannelLoops;
    return level == CpuLevel::Avx2 ? avx2::kChannelLoops : avx512::kChannelLoops;
}
const OneChannelLoops* one_channel_loops(CpuLevel level) {
    if (level == CpuLevel::Baseline) return nullptr;
    return level == CpuLevel::Avx2 ? &avx2::kOneChannelLoops : &avx512::kOneChannelLoops;
}
const WinogradLoops* winograd_loops(CpuLevel level) {
    if (level == CpuLevel::Baseline) return nullptr;
    return level == CpuLevel::Avx2 ? &avx2::kWinogradLoops : &avx512::kWinogradLoops;
}
#else
const ChannelLoops& channel_loops(CpuLevel) { return baseline::kChannelLoops; }
const OneChannelLoops* one_channel_loops(CpuLevel) { return nullptr; }
const WinogradLoops* winograd_loops(CpuLevel) { return nullptr; }
#endif

}  // namespace satdl::stages::kernels
