// A part of a tensor, as NumPy writes it: [0:3, :, 1], negative indices, steps, `...`. It refers to the tensor's bytes: of a
// mapped file only what is read of the part is read from the disk, however large the tensor is.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "pipeline/core/array.h"
#include "pipeline/core/error.h"

namespace satdl {

struct SliceText {
    std::string indices;  // between the brackets
    Place place;          // of their first character
};

// "m1/model/conv_1.weight[0:3]" as the name and what is in the brackets; nullopt: the whole tensor. Brackets with a '='
// belong to the name: "m1[seed=1]". Throws Error{Usage} where a bracket is not closed, or something follows it.
[[nodiscard]] std::pair<std::string, std::optional<SliceText>> split_slice(const std::string& what);

class ArraySlice {
public:
    explicit ArraySlice(Array whole);
    // NumPy's basic slicing: a start or stop outside is cut. Throws Error{Usage} with the place of an index outside of its
    // axis, a slice without elements, a step of 0, more indices than axes, and whatever is no index.
    ArraySlice(Array whole, const SliceText& text);

    [[nodiscard]] DType dtype() const { return whole_.dtype(); }
    [[nodiscard]] const Shape& shape() const { return shape_; }
    [[nodiscard]] std::int64_t count() const { return element_count(shape_); }

    // Its elements in C order, in pieces of one axis; those that lie side by side are not copied.
    void for_each_piece(const std::function<void(const Array& piece)>& take) const;
    // As an array of its own: the tensor itself if it is all of it, else a copy.
    [[nodiscard]] Array array() const;
    // The part at this index of the first axis. Precondition: there is one.
    [[nodiscard]] ArraySlice at(std::int64_t index) const;
    // The only element of a part without axes.
    [[nodiscard]] Array element() const;

private:
    [[nodiscard]] bool is_dense() const;

    Array whole_;
    std::int64_t offset_ = 0;            // elements, of the first one
    std::vector<std::int64_t> strides_;  // elements, by axis of shape_
    Shape shape_;
};

}  // namespace satdl
