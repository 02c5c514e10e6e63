#include "pipeline/executors/stage_environment.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>
#include <vector>

using namespace satdl;

namespace {

std::string value_of(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "(unset)" : value;
}

}  // namespace

using Names = std::vector<std::string>;

TEST_CASE("Environment variables that change results or take threads are removed and named once, and the others stay") {
    for (const char* name : {"OMP_WAIT_POLICY", "CUBLAS_WORKSPACE_CONFIG"}) ::unsetenv(name);
    prepare_stage_environment();  // whatever this test was started with
    CHECK(value_of("OMP_WAIT_POLICY") == "passive");
    CHECK(value_of("CUBLAS_WORKSPACE_CONFIG") == ":4096:8");
    prepare_stage_environment();
    CHECK(ignored_variables(true).empty());

    ::setenv("OMP_DYNAMIC", "true", 1);
    ::setenv("DNNL_MAX_CPU_ISA", "AVX2", 1);
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8", 1);
    ::setenv("OMP_WAIT_POLICY", "active", 1);
    ::setenv("OMP_NUM_THREADS", "3", 1);
    ::setenv("ATEN_CPU_CAPABILITY", "avx2", 1);
    prepare_stage_environment();
    CHECK(ignored_variables(true) == Names{"DNNL_MAX_CPU_ISA", "OMP_DYNAMIC", "CUBLAS_WORKSPACE_CONFIG"});
    CHECK(ignored_variables(false) == Names{"DNNL_MAX_CPU_ISA", "OMP_DYNAMIC"});
    for (const char* name : {"OMP_DYNAMIC", "DNNL_MAX_CPU_ISA"}) CHECK(value_of(name) == "(unset)");
    CHECK(value_of("CUBLAS_WORKSPACE_CONFIG") == ":4096:8");
    CHECK(value_of("OMP_WAIT_POLICY") == "active");
    CHECK(value_of("OMP_NUM_THREADS") == "3");
    CHECK(value_of("ATEN_CPU_CAPABILITY") == "avx2");
}

TEST_CASE("What does nothing is removed as well, and not named") {
    ::setenv("OMP_DYNAMIC", "FALSE", 1);
    ::setenv("MKL_CBWR", "", 1);
    ::setenv("ONEDNN_DEFAULT_FPMATH_MODE", "STRICT", 1);
    prepare_stage_environment();
    CHECK(ignored_variables(true).empty());
    for (const char* name : {"OMP_DYNAMIC", "MKL_CBWR", "ONEDNN_DEFAULT_FPMATH_MODE"}) CHECK(value_of(name) == "(unset)");
}
