#include <catch2/catch.hpp>

#include "pipeline/core/protobuf_reader.h"
#include "pipeline/core/protobuf_writer.h"

using namespace satdl;

TEST_CASE("what was written as protobuf is read") {
    ProtobufWriter inner, outer;
    inner.integer(1, 300);
    inner.number(2, 1.5F);
    outer.bytes(5, "text");
    outer.message(9, inner);
    outer.integer(1000, 0);
    ProtobufReader reader(outer.text());
    auto field = reader.next();
    REQUIRE(field);
    CHECK(field->number == 5);
    CHECK(field->bytes == "text");
    field = reader.next();
    REQUIRE(field);
    CHECK(field->number == 9);
    ProtobufReader of_inner(field->bytes);
    field = of_inner.next();
    REQUIRE(field);
    CHECK(field->integer == 300);
    field = of_inner.next();
    REQUIRE(field);
    CHECK(field->number == 2);
    CHECK_FALSE(of_inner.next());
    CHECK_FALSE(of_inner.damaged());
    field = reader.next();
    REQUIRE(field);
    CHECK(field->number == 1000);
    CHECK_FALSE(reader.next());
    CHECK_FALSE(reader.damaged());
}

TEST_CASE("no beginning of a message, and no byte that is changed, leads outside it") {
    ProtobufWriter message;
    message.bytes(5, "some text");
    message.integer(2, 1'000'000);
    message.number(3, 2.5F);
    const auto read = [](std::string_view text) {
        ProtobufReader reader(text);
        std::size_t fields = 0;
        while (const auto field = reader.next()) {
            ++fields;
            if (field->bytes.empty()) continue;
            CHECK(field->bytes.data() >= text.data());
            CHECK(field->bytes.data() + field->bytes.size() <= text.data() + text.size());
        }
        return fields;
    };
    for (std::size_t size = 0; size <= message.text().size(); ++size) CHECK(read(std::string_view(message.text()).substr(0, size)) <= 3);
    for (std::size_t at = 0; at < message.text().size(); ++at) {
        for (int value = 0; value < 256; ++value) {
            std::string changed = message.text();
            changed[at] = static_cast<char>(value);
            (void)read(changed);
        }
    }
}
