#include "pipeline/core/xml.h"

#include <catch2/catch.hpp>

using namespace satdl;

TEST_CASE("text means nothing to the XML or HTML that it is put into") {
    CHECK(xml_text("<script>\"a\" & 'b'") == "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;");
    CHECK(xml_text("two\nlines") == "two\nlines");
}
