// An array while it is being filled. Arrays never change once they are built; this is how they come to be.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "pipeline/core/array.h"

namespace satdl {

// Memory for arrays that are too large for memory: what the engine gives to itself and to each stage library. Safe from any thread.
class ArrayMemory {
public:
    virtual ~ArrayMemory() = default;
    // nullptr for what is small enough for memory. Throws Error{Store} where there is no room for it.
    [[nodiscard]] virtual std::shared_ptr<std::byte[]> allocate(std::size_t size) = 0;
    // Whether `bytes` are those of a mapped file, and so many that most are read from the disk whenever they are used.
    [[nodiscard]] virtual bool on_disk(std::span<const std::byte> bytes) const = 0;
};

// From now on, in this program or library. Null: all arrays are in memory, as at the start.
void use_array_memory(ArrayMemory* memory);
[[nodiscard]] ArrayMemory* array_memory();

// Memory for an array, which array_memory() may give; else large ones are in huge pages, if the system has them (what is made of datasets
// is written at the speed of memory).
[[nodiscard]] std::shared_ptr<std::byte[]> uninitialised_bytes(std::size_t size);

class FreshArray {
public:
    // The bytes are not initialised.
    FreshArray(DType dtype, Shape shape)
        : dtype_(dtype),
          shape_(std::move(shape)),
          size_(static_cast<std::size_t>(element_count(shape_)) * size_of(dtype)),
          storage_(uninitialised_bytes(size_)) {}

    [[nodiscard]] DType dtype() const { return dtype_; }
    [[nodiscard]] const Shape& shape() const { return shape_; }
    [[nodiscard]] std::span<std::byte> bytes() { return {storage_.get(), size_}; }
    // Precondition: T is the element type.
    template <typename T>
    [[nodiscard]] std::span<T> values() {
        return {reinterpret_cast<T*>(storage_.get()), size_ / sizeof(T)};
    }
    // Precondition: every byte has been written.
    [[nodiscard]] Array finish() && {
        const std::span<const std::byte> bytes{storage_.get(), size_};
        return Array(dtype_, std::move(shape_), bytes, std::move(storage_));
    }

private:
    DType dtype_;
    Shape shape_;
    std::size_t size_;
    std::shared_ptr<std::byte[]> storage_;
};

}  // namespace satdl
