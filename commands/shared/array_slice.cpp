#include "commands/shared/array_slice.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace satdl {

namespace {

constexpr std::int64_t kPieceElements = std::int64_t{1} << 20;  // elements
constexpr const char* kSource = "WHAT";                         // as --help calls the argument
constexpr const char* kHint = "as NumPy writes it: [3], [-1], [0:10:2], [:, 1], [..., 0]";

Place place_after(const Place& place, std::size_t characters) {
    return {place.source, place.line, place.column + static_cast<int>(characters)};
}

// One of the parts between commas.
struct SliceItem {
    std::string_view text;
    Place place;
};

std::vector<SliceItem> items_of(const SliceText& text) {
    std::vector<SliceItem> items;
    const std::string_view all = text.indices;
    for (std::size_t begin = 0; begin <= all.size();) {
        const std::size_t end = std::min(all.find(',', begin), all.size());
        const std::size_t first = std::min(all.find_first_not_of(' ', begin), end);
        std::string_view item = all.substr(first, end - first);
        item = item.substr(0, item.find_last_not_of(' ') + 1);
        const bool is_trailing_comma = item.empty() && end == all.size() && !items.empty();
        if (!is_trailing_comma) items.push_back({item, place_after(text.place, first)});
        begin = end + 1;
    }
    return items;
}

std::int64_t number_in(std::string_view text, const Place& place) {
    text = text.substr(std::min(text.find_first_not_of(' '), text.size()));
    text = text.substr(0, text.find_last_not_of(' ') + 1);
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc::result_out_of_range) refuse(place, fmt::format("{} is too large", text));
    if (error != std::errc() || end != text.data() + text.size())
        refuse(place, fmt::format("'{}' is no index", printable(text)), kHint);
    return number;
}

std::string axis_text(std::size_t axis, std::int64_t extent) {
    return fmt::format("axis {} has {} element{}", axis, extent, extent == 1 ? "" : "s");
}

struct Range {
    std::int64_t start = 0, step = 1, count = 0;
};

// start:stop:step of an axis, as Python's slice.indices().
Range range_of(const SliceItem& item, std::size_t axis, std::int64_t extent) {
    std::vector<std::optional<std::int64_t>> parts;
    for (std::size_t begin = 0; begin <= item.text.size();) {
        const std::size_t end = std::min(item.text.find(':', begin), item.text.size());
        const std::string_view part = item.text.substr(begin, end - begin);
        const bool is_absent = part.find_first_not_of(' ') == std::string_view::npos;
        parts.push_back(is_absent ? std::nullopt : std::optional(number_in(part, place_after(item.place, begin))));
        if (parts.size() > 3) refuse(place_after(item.place, begin), "a slice has at most start:stop:step", kHint);
        begin = end + 1;
    }
    parts.resize(3);
    // Beyond the extent, steps are all the same; the smallest integer has no opposite.
    const std::int64_t furthest = std::max<std::int64_t>(extent, 1),
                       step = std::clamp(parts[2].value_or(1), -furthest, furthest);
    if (step == 0) refuse(item.place, "a slice cannot have a step of 0");
    const std::int64_t low = step < 0 ? -1 : 0, high = step < 0 ? extent - 1 : extent;
    const auto bound = [&](std::optional<std::int64_t> given, std::int64_t fallback) {
        if (!given) return fallback;
        return std::clamp(*given < 0 ? *given + extent : *given, low, high);
    };
    const std::int64_t start = bound(parts[0], step < 0 ? high : low), stop = bound(parts[1], step < 0 ? low : high);
    Range range{start, step, 0};
    if (step > 0 && stop > start) range.count = (stop - start - 1) / step + 1;
    if (step < 0 && start > stop) range.count = (start - stop - 1) / -step + 1;
    if (range.count == 0 && extent > 0)
        refuse(item.place, fmt::format("{} selects nothing: {}", printable(item.text), axis_text(axis, extent)));
    return range;
}

}  // namespace

std::pair<std::string, std::optional<SliceText>> split_slice(const std::string& what) {
    const std::size_t last = what.rfind('[');
    if (last == std::string::npos || what.find('=', last) != std::string::npos) return {what, std::nullopt};
    const auto source = std::make_shared<SourceText>(SourceText{kSource, what});
    const auto place = [&](std::size_t at) { return Place{source, 1, static_cast<int>(at) + 1}; };
    const std::size_t close = what.find(']', last);
    if (close == std::string::npos) refuse(place(what.size()), "the slice has no ']' at its end", kHint);
    if (close + 1 != what.size()) refuse(place(close + 1), "nothing may follow the slice");
    return {what.substr(0, last), SliceText{what.substr(last + 1, close - last - 1), place(last + 1)}};
}

ArraySlice::ArraySlice(Array whole) : whole_(std::move(whole)), shape_(whole_.shape()) {
    strides_.assign(shape_.size(), 1);
    for (std::size_t axis = shape_.size(); axis-- > 1;) strides_[axis - 1] = strides_[axis] * shape_[axis];
}

ArraySlice::ArraySlice(Array whole, const SliceText& text) : ArraySlice(std::move(whole)) {
    const std::vector<SliceItem> items = items_of(text);
    const Shape extents = std::exchange(shape_, {});
    const std::vector<std::int64_t> strides = std::exchange(strides_, {});
    const auto is_rest = [](const SliceItem& item) { return item.text == "..."; };
    const auto rests = static_cast<std::size_t>(std::ranges::count_if(items, is_rest));
    std::size_t axis = 0;
    const auto keep_axis = [&] {
        shape_.push_back(extents[axis]);
        strides_.push_back(strides[axis++]);
    };
    for (std::size_t i = 0; i < items.size(); ++i) {
        const SliceItem& item = items[i];
        if (is_rest(item)) {
            if (std::ranges::find_if(items, is_rest) != items.begin() + static_cast<std::ptrdiff_t>(i))
                refuse(item.place, "there can be only one '...'");
            for (const std::size_t behind = items.size() - i - 1; extents.size() - std::min(axis, extents.size()) > behind;)
                keep_axis();
            continue;
        }
        if (axis == extents.size())
            refuse(item.place,
                   fmt::format("{} indices, but the tensor has {} ax{}: {} {}", items.size() - rests, extents.size(),
                               extents.size() == 1 ? "is" : "es", name_of(dtype()), shape_text(extents)));
        const std::int64_t extent = extents[axis];
        if (item.text.find(':') == std::string_view::npos) {
            const std::int64_t index = number_in(item.text, item.place);
            if (index < -extent || index >= extent)
                refuse(item.place, fmt::format("index {} is out of range: {}", index, axis_text(axis, extent)),
                       extent > 0 ? fmt::format("from 0 to {}, or from -{} to -1", extent - 1, extent) : "");
            offset_ += (index < 0 ? index + extent : index) * strides[axis++];
            continue;
        }
        const Range range = range_of(item, axis, extent);
        offset_ += range.start * strides[axis];
        shape_.push_back(range.count);
        strides_.push_back(range.step * strides[axis++]);
    }
    while (axis < extents.size()) keep_axis();
}

bool ArraySlice::is_dense() const {
    std::int64_t wanted = 1;
    for (std::size_t axis = shape_.size(); axis-- > 0;) {
        if (shape_[axis] != 1 && strides_[axis] != wanted) return false;
        wanted *= shape_[axis];
    }
    return true;
}

void ArraySlice::for_each_piece(const std::function<void(const Array& piece)>& take) const {
    const std::int64_t all = count();
    const std::size_t size = size_of(dtype());
    if (is_dense()) {
        for (std::int64_t from = 0; from < all; from += kPieceElements) {
            const std::int64_t some = std::min(kPieceElements, all - from);
            const auto bytes = whole_.bytes().subspan(static_cast<std::size_t>(offset_ + from) * size,
                                                      static_cast<std::size_t>(some) * size);
            take(Array(dtype(), {some}, bytes, whole_.owner()));
        }
        return;
    }
    std::vector<std::int64_t> index(shape_.size(), 0);
    std::int64_t at = offset_;
    for (std::int64_t from = 0; from < all; from += kPieceElements) {
        const std::int64_t some = std::min(kPieceElements, all - from);
        const auto gathered = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(some) * size);
        for (std::int64_t i = 0; i < some; ++i) {
            std::memcpy(gathered->data() + static_cast<std::size_t>(i) * size,
                        whole_.bytes().data() + static_cast<std::size_t>(at) * size, size);
            for (std::size_t axis = shape_.size(); axis-- > 0;) {
                at += strides_[axis];
                if (++index[axis] < shape_[axis]) break;
                at -= strides_[axis] * shape_[axis];
                index[axis] = 0;
            }
        }
        take(Array(dtype(), {some}, *gathered, gathered));
    }
}

Array ArraySlice::array() const {
    if (is_dense() && count() == whole_.count()) return Array(dtype(), shape_, whole_.bytes(), whole_.owner());
    std::vector<std::byte> bytes(static_cast<std::size_t>(count()) * size_of(dtype()));
    auto end = bytes.begin();
    for_each_piece([&](const Array& piece) { end = std::ranges::copy(piece.bytes(), end).out; });
    return Array::copy_of(dtype(), shape_, bytes);
}

ArraySlice ArraySlice::at(std::int64_t index) const {
    ArraySlice part = *this;
    part.offset_ += index * strides_.front();
    part.shape_.erase(part.shape_.begin());
    part.strides_.erase(part.strides_.begin());
    return part;
}

Array ArraySlice::element() const {
    const std::size_t size = size_of(dtype());
    return Array(dtype(), {1}, whole_.bytes().subspan(static_cast<std::size_t>(offset_) * size, size), whole_.owner());
}

}  // namespace satdl
