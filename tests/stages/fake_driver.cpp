// The functions of a GPU's driver that satdl asks, for device_test: a GPU that is not there.
#include <cstring>

extern "C" {
__attribute__((visibility("default"))) int cuInit(unsigned flags) { return flags == 0 ? 0 : 1; }
__attribute__((visibility("default"))) int cuDeviceGet(int* device, int ordinal) {
    *device = 7;
    return ordinal == 0 ? 0 : 101;
}
__attribute__((visibility("default"))) int cuDeviceGetName(char* name, int bytes, int device) {
    std::strncpy(name, "Imaginary GPU", static_cast<unsigned>(bytes));
    return device == 7 ? 0 : 101;
}
__attribute__((visibility("default"))) int cuDeviceGetAttribute(int* value, int attribute, int device) {
    *value = attribute == 16 ? 114 : attribute == 75 ? 9 : attribute == 76 ? 0 : -1;
    return device == 7 && *value >= 0 ? 0 : 1;
}
}
