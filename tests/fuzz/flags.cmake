# Flags of everything that the fuzzers run: libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer, so clang.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "libFuzzer comes with clang: -DCMAKE_CXX_COMPILER=clang++-16 (tests/fuzz/run.sh does that)")
endif()
target_compile_options(satdl_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
    -fno-omit-frame-pointer -Wno-missing-braces)
target_link_options(satdl_options INTERFACE -fsanitize=address,undefined)
