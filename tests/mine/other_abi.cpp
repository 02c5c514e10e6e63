// A library that was built for another stage ABI: calling anything in it would be undefined.
#include <cstdlib>

extern "C" __attribute__((visibility("default"))) const int satdl_stage_abi;
extern "C" const int satdl_stage_abi = -1;
extern "C" __attribute__((visibility("default"))) const void* satdl_stage_library() { std::abort(); }
