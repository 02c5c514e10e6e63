#include "pipeline/array_files/array_layout.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "pipeline/core/check.h"
#include "pipeline/core/fresh_array.h"

namespace satdl {

Array with_axes(const Array& array, std::span<const std::size_t> order) {
    const std::size_t axes = array.shape().size();
    SATDL_CHECK(order.size() == axes, "one axis for each");
    const std::size_t element = size_of(array.dtype());
    std::vector<std::size_t> strides(axes);  // of the source, in bytes
    std::size_t stride = element;
    for (std::size_t axis = axes; axis-- > 0;) {
        strides[axis] = stride;
        stride *= static_cast<std::size_t>(array.shape()[axis]);
    }
    Shape shape;
    for (const std::size_t axis : order) shape.push_back(array.shape()[axis]);
    FreshArray result(array.dtype(), shape);
    std::vector<std::int64_t> at(axes);
    const std::byte* from = array.bytes().data();
    const std::span<std::byte> bytes = result.bytes();
    for (std::size_t to = 0; to < bytes.size(); to += element) {
        std::memcpy(bytes.data() + to, from, element);
        for (std::size_t axis = axes; axis-- > 0;) {  // on to the next element, as a counter with a digit for each axis
            from += strides[order[axis]];
            if (++at[axis] < shape[axis]) break;
            from -= strides[order[axis]] * static_cast<std::size_t>(shape[axis]);
            at[axis] = 0;
        }
    }
    return std::move(result).finish();
}

Array first_entries(const Array& array, std::int64_t limit) {
    Shape shape = array.shape();
    if (shape.empty() || shape.front() <= limit) return array;
    shape.front() = limit;
    const std::size_t bytes = static_cast<std::size_t>(element_count(shape)) * size_of(array.dtype());
    return Array(array.dtype(), std::move(shape), array.bytes().first(bytes), array.owner());
}

}  // namespace satdl
