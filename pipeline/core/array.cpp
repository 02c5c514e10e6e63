#include "pipeline/core/array.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "pipeline/core/error.h"

namespace satdl {
namespace {

struct DTypeTraits {
    DType dtype;
    std::string_view name;
    std::size_t bytes;
};

constexpr std::array<DTypeTraits, 5> kTraits{{
    {DType::UInt8, "uint8", 1},
    {DType::Int32, "int32", 4},
    {DType::Int64, "int64", 8},
    {DType::Float32, "float32", 4},
    {DType::Float64, "float64", 8},
}};

const DTypeTraits& traits_of(DType dtype) {
    return kTraits.at(static_cast<std::size_t>(dtype));
}

constexpr std::int64_t kMaxElements = std::int64_t{1} << 62;

}  // namespace

std::string_view name_of(DType dtype) {
    return traits_of(dtype).name;
}

std::optional<DType> dtype_from_name(std::string_view name) {
    const auto found = std::ranges::find(kTraits, name, &DTypeTraits::name);
    if (found == kTraits.end()) return std::nullopt;
    return found->dtype;
}

std::size_t size_of(DType dtype) {
    return traits_of(dtype).bytes;
}

std::string shape_text(const Shape& shape) {
    return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::int64_t element_count(const Shape& shape) {
    if (std::ranges::any_of(shape, [](std::int64_t extent) { return extent < 0; })) {
        throw Error(ExitCode::Usage, "the shape " + shape_text(shape) + " has a negative extent");
    }
    if (std::ranges::find(shape, 0) != shape.end()) return 0;
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) {
        if (extent > kMaxElements / count) {
            throw Error(ExitCode::Usage, "the shape " + shape_text(shape) + " has more than 2^62 elements");
        }
        count *= extent;
    }
    return count;
}

struct Array::DigestOnce {
    std::once_flag once;
    Digest digest;
};

Array::Array(DType dtype, Shape shape, std::span<const std::byte> bytes, std::shared_ptr<const void> owner)
    : dtype_(dtype), shape_(std::move(shape)), bytes_(bytes), owner_(std::move(owner)),
      digest_(std::make_shared<DigestOnce>()) {
    const std::size_t size = size_of(dtype_);
    SATDL_CHECK(bytes_.size() % size == 0 && bytes_.size() / size == static_cast<std::size_t>(element_count(shape_)),
                fmt::format("{} bytes for {} {}", bytes_.size(), name_of(dtype_), shape_text(shape_)));
}

Array Array::copy_of(DType dtype, Shape shape, std::span<const std::byte> bytes) {
    const auto copy = std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
    return Array(dtype, std::move(shape), *copy, copy);
}

// SHA-256("satdl-array-1\n" ++ "float32 [60000, 1, 28, 28]\n" ++ tree digest)
Digest Array::digest() const {
    std::call_once(digest_->once, [this] {
        const Digest tree = tree_digest(bytes_);
        const std::string type = fmt::format("satdl-array-1\n{} {}\n", name_of(dtype_), shape_text(shape_));
        digest_->digest = Sha256().update(type).update(tree.bytes).finish();
    });
    return digest_->digest;
}

void Array::check_dtype(DType wanted) const {
    if (dtype_ == wanted) return;
    throw Error(ExitCode::StageFailed, fmt::format("an array of {} cannot be read as {}", name_of(dtype_), name_of(wanted)),
                "the description of a stage lists the element types that it reads: PortDescription::dtypes");
}

}  // namespace satdl
