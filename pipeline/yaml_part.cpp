#include "pipeline/yaml.h"

namespace satdl {
namespace {

// The same value, its places in `source` instead of in the padded text that was parsed.
Value placed_in(const Value& value, const std::shared_ptr<const SourceText>& source) {
    const Place place{source, value.place().line, value.place().column};
    if (value.is_list()) {
        std::vector<Value> items;
        for (const Value& item : value.items()) items.push_back(placed_in(item, source));
        return Value::list(std::move(items), place);
    }
    if (value.is_map()) {
        std::vector<Value::Entry> entries;
        for (const Value::Entry& entry : value.entries())
            entries.push_back(
                {entry.key, {source, entry.key_place.line, entry.key_place.column}, placed_in(entry.value, source)});
        return Value::map(std::move(entries), place);
    }
    return value.at(place);
}

}  // namespace

// What stands before the part becomes spaces, so that its columns are right in the whole text, too.
Value parse_yaml_part(const std::shared_ptr<const SourceText>& source, std::size_t from, std::size_t to) {
    const std::string part = source->text.substr(from, to == std::string::npos ? to : to - from);
    const auto padded = std::make_shared<const SourceText>(SourceText{source->name, std::string(from, ' ') + part});
    try {
        return placed_in(parse_yaml(padded), source);
    } catch (const Error& error) {
        std::vector<Diagnostic> told = error.diagnostics();
        for (Diagnostic& one : told) one.place.source = source;
        throw Error(error.code(), std::move(told));
    }
}

}  // namespace satdl
