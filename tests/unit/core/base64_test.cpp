#include "pipeline/core/base64.h"

#include <catch2/catch.hpp>

using namespace satdl;

TEST_CASE("base64 as RFC 4648 has it") {
    CHECK(base64("").empty());
    CHECK(base64("f") == "Zg==");
    CHECK(base64("fo") == "Zm8=");
    CHECK(base64("foo") == "Zm9v");
    CHECK(base64("foobar") == "Zm9vYmFy");
    CHECK(base64("\xff\xfe\xfd") == "//79");
}

TEST_CASE("what base64 gives is read back") {
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        CHECK(from_base64(base64(bytes)) == bytes);
        bytes += static_cast<char>(i * 37);
    }
}

TEST_CASE("what base64 never gives is not read") {
    for (const char* text : {"Zg", "Zg=", "Zg===", "Zh==", "Z===", "====", "Zg==Zm9v", "Zm9v\n", " Zm9v", "Zm-v", "Zm9vZg=x"})
        CHECK(from_base64(text) == std::nullopt);
}
