#include "report/escape.h"

#include <openssl/evp.h>

#include <limits>

#include "pipeline/core/check.h"

namespace satdl {

std::string json_for_script(std::string_view json) {
    std::string out;
    for (const char c : json) {
        if (c == '<') {
            out += "\\u003c";
        } else {
            out += c;
        }
    }
    return out;
}

std::string base64(std::string_view bytes) {
    SATDL_CHECK(bytes.size() <= std::numeric_limits<int>::max() / 2, "OpenSSL counts bytes in an int");
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL ends it with a NUL
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                       reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(length));
    return out;
}

}  // namespace satdl
