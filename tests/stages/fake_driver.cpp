// The functions of a GPU's driver that satdl asks, for device_test: GPUs that are not there. Two are alike, the third is another.
#include <cstddef>
#include <cstring>

extern "C" {
__attribute__((visibility("default"))) int cuInit(unsigned flags) { return flags == 0 ? 0 : 1; }
__attribute__((visibility("default"))) int cuDeviceGetCount(int* count) {
    *count = 4;
    return 0;
}
__attribute__((visibility("default"))) int cuDeviceGet(int* device, int ordinal) {
    *device = 7 + ordinal;
    return ordinal < 4 ? 0 : 101;
}
__attribute__((visibility("default"))) int cuDeviceTotalMem_v2(std::size_t* bytes, int device) {
    *bytes = std::size_t{80} << 30;
    return device >= 7 ? 0 : 101;
}
__attribute__((visibility("default"))) int cuDeviceGetName(char* name, int bytes, int device) {
    std::strncpy(name, device == 9 ? "Another GPU" : "Imaginary GPU", static_cast<unsigned>(bytes));
    return device >= 7 ? 0 : 101;
}
__attribute__((visibility("default"))) int cuDeviceGetAttribute(int* value, int attribute, int device) {
    *value = attribute == 16 ? 114 : attribute == 75 ? 9 : attribute == 76 ? 0 : -1;
    return device >= 7 && *value >= 0 ? 0 : 1;
}
}
