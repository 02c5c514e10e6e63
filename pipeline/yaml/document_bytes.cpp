// Each value: its tag, line and column; then of a scalar its text, of a list the number of items and those, of a map the
// number of entries and of each the key's line, column and text, and the value. A number is 7 bits a byte, lowest first; a
// text is its length and its bytes.
#include "pipeline/yaml/document_bytes.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace satdl {
namespace {

enum class Tag : std::uint8_t { Null, Plain, Quoted, List, Map };
constexpr int kMaxNesting = 200;  // more than parse_yaml() takes

class Writer {
public:
    explicit Writer(std::size_t limit) : limit_(limit) {}

    // Returns whether it is within the limit.
    bool add(const ConfigValue& value) {
        switch (value.kind()) {
            case ConfigValue::Kind::Null:
                begin(Tag::Null, value);
                break;
            case ConfigValue::Kind::Scalar:
                begin(value.quoted() ? Tag::Quoted : Tag::Plain, value);
                add_text(value.text());
                break;
            case ConfigValue::Kind::List:
                begin(Tag::List, value);
                add_number(value.items().size());
                for (const ConfigValue& item : value.items())
                    if (!add(item)) return false;
                break;
            case ConfigValue::Kind::Map:
                begin(Tag::Map, value);
                add_number(value.entries().size());
                for (const ConfigValue::Entry& entry : value.entries()) {
                    add_place(entry.key_place);
                    add_text(entry.key);
                    if (!add(entry.value)) return false;
                }
                break;
        }
        return bytes_.size() <= limit_;
    }

    std::string take() { return std::move(bytes_); }

private:
    void begin(Tag tag, const ConfigValue& value) {
        bytes_ += static_cast<char>(tag);
        add_place(value.place());
    }
    void add_place(const Place& place) {
        add_number(static_cast<std::uint32_t>(place.line));
        add_number(static_cast<std::uint32_t>(place.column));
    }
    void add_text(std::string_view text) {
        add_number(text.size());
        bytes_ += text;
    }
    void add_number(std::uint64_t number) {
        for (; number >= 0x80; number >>= 7) bytes_ += static_cast<char>(number | 0x80);
        bytes_ += static_cast<char>(number);
    }

    const std::size_t limit_;
    std::string bytes_;
};

struct NoDocument {};

class Reader {
public:
    Reader(std::string_view bytes, const std::shared_ptr<const SourceText>& source) : rest_(bytes), source_(source) {}

    ConfigValue value(int depth = 0) {
        if (depth > kMaxNesting) throw NoDocument();
        const auto tag = static_cast<Tag>(byte());
        Place at = place();
        switch (tag) {
            case Tag::Null:
                return ConfigValue::null(std::move(at));
            case Tag::Plain:
                return ConfigValue::scalar(text(), false, std::move(at));
            case Tag::Quoted:
                return ConfigValue::scalar(text(), true, std::move(at));
            case Tag::List: {
                std::vector<ConfigValue> items;
                const std::size_t count = count_of();
                items.reserve(count);
                for (std::size_t i = 0; i < count; ++i) items.push_back(value(depth + 1));
                return ConfigValue::list(std::move(items), std::move(at));
            }
            case Tag::Map: {
                std::vector<ConfigValue::Entry> entries;
                const std::size_t count = count_of();
                entries.reserve(count);
                for (std::size_t i = 0; i < count; ++i) {
                    ConfigValue::Entry& entry = entries.emplace_back();
                    entry.key_place = place();
                    entry.key = text();
                    entry.value = value(depth + 1);
                }
                return ConfigValue::map(std::move(entries), std::move(at));
            }
        }
        throw NoDocument();
    }

    [[nodiscard]] bool at_end() const { return rest_.empty(); }

private:
    std::uint8_t byte() {
        if (rest_.empty()) throw NoDocument();
        const auto first = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return first;
    }
    std::uint64_t number() {
        std::uint64_t number = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            const std::uint64_t part = byte();
            number |= (part & 0x7F) << shift;
            if (part < 0x80) return number;
        }
        throw NoDocument();
    }
    // Of values or entries, each of which takes at least three bytes.
    std::size_t count_of() {
        const std::uint64_t count = number();
        if (count > rest_.size()) throw NoDocument();
        return count;
    }
    std::string text() {
        const std::uint64_t size = number();
        if (size > rest_.size()) throw NoDocument();
        std::string text(rest_.substr(0, size));
        rest_.remove_prefix(size);
        return text;
    }
    Place place() {
        Place place{source_};
        place.line = static_cast<int>(number());
        place.column = static_cast<int>(number());
        return place;
    }

    std::string_view rest_;
    const std::shared_ptr<const SourceText>& source_;
};

}  // namespace

std::optional<std::string> bytes_of_document(const ConfigValue& document, std::size_t limit) {
    Writer writer(limit);
    if (!writer.add(document)) return std::nullopt;
    return writer.take();
}

std::optional<ConfigValue> document_of_bytes(std::string_view bytes, const std::shared_ptr<const SourceText>& source) {
    try {
        Reader reader(bytes, source);
        ConfigValue document = reader.value();
        if (reader.at_end()) return document;
    } catch (const NoDocument&) {
    }
    return std::nullopt;
}

}  // namespace satdl
