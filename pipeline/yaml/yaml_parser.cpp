// Uses yaml-cpp's events, not its nodes: three times as fast, and aliases, duplicate keys and marks arrive as they are in the text.
#include "pipeline/yaml/yaml_parser.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <sstream>
#include <unordered_map>

#include "pipeline/os/special_file.h"
#include "pipeline/yaml/yaml_preflight.h"

namespace satdl {
namespace {

constexpr std::size_t kMaxMistakes = 100;  // then reading stops
constexpr std::size_t kSmallMap = 16;       // keys that are searched one by one

// Thrown to leave yaml-cpp's parser; the diagnostics hold the reason.
struct GiveUp {};

// The keys of one map, to find duplicates; a hash only once the map is large.
class Keys {
public:
    // The earlier entry with this key, or null.
    const ConfigValue::Entry* find(const std::vector<ConfigValue::Entry>& entries, const std::string& key) {
        if (entries.size() < kSmallMap) {
            const auto is_it = [&](const ConfigValue::Entry& entry) { return entry.key == key; };
            const auto found = std::find_if(entries.begin(), entries.end(), is_it);
            return found == entries.end() ? nullptr : &*found;
        }
        for (; known_ < entries.size(); ++known_) by_key_.emplace(entries[known_].key, known_);
        const auto found = by_key_.find(key);
        return found == by_key_.end() ? nullptr : &entries[found->second];
    }

private:
    std::unordered_map<std::string, std::size_t> by_key_;
    std::size_t known_ = 0;  // entries that are in by_key_
};

// A list or map that has not ended yet.
struct Open {
    bool is_map = false;
    bool is_key = false;  // of the map around it: refused once it is complete
    YAML::Mark mark;
    Place place;
    YAML::anchor_t anchor = YAML::NullAnchor;
    std::size_t nodes_before = 0;
    std::size_t height = 0;  // of its highest value
    std::vector<ConfigValue> items;
    std::vector<ConfigValue::Entry> entries;
    bool has_key = false;  // the last entry waits for its value
    bool skipped = false;  // ... which is dropped: its key is not allowed
    YAML::Mark key_mark;
    Keys keys;
};

// A value that an alias may refer to, and its cost.
struct Anchored {
    ConfigValue value;
    std::size_t nodes = 0;
    std::size_t height = 0;
};

class Builder : public YAML::EventHandler {
public:
    // `read`: what yaml-cpp reads, but for the braces of `${...}`; its first line is line `first_line` of `source`, column for column.
    Builder(const SourceText& read, std::shared_ptr<const SourceText> source, int first_line, const YamlLimits& limits)
        : read_(read), source_(std::move(source)), first_line_(first_line), limits_(limits), bom_(read_.text.starts_with("\xEF\xBB\xBF")) {}

    // The document; throws its mistakes.
    ConfigValue take() {
        if (diagnostics_.empty()) check_last_quote();
        if (diagnostics_.empty() && documents_ == 0)
            diagnostics_.add({source_}, "the file is empty", "a DAG file starts with 'stages:'; see docs/yaml.md");
        diagnostics_.throw_if_any();
        return std::move(root_);
    }

    // Reports what yaml-cpp does not accept.
    void refuse(const YAML::Exception& error) {
        const std::string& text = read_.text;
        const bool at_end = offset(error.mark) > text.find_last_not_of(" \t\r\n");
        const auto unclosed = std::find_if(open_.rbegin(), open_.rend(), [&](const Open& open) {
            const std::size_t at = offset(open.mark);
            return at < text.size() && (text[at] == '{' || text[at] == '[');
        });
        if (at_end && unclosed != open_.rend()) return refuse_unclosed(*unclosed);
        std::string message = error.msg;
        show_braces(message);
        const Place where = place(error.mark);
        drop_from(where);
        std::string hint = advice(message, read_.line(error.mark.line + 1));
        if (unclosed != open_.rend() && unclosed->place.line < where.line)
            hint += fmt::format("{}the '{}' on line {} is still open", hint.empty() ? "" : "\n",
                                unclosed->is_map ? '{' : '[', unclosed->place.line);
        diagnostics_.add(where, "this is not YAML: " + printable(message), std::move(hint));
    }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ == 1) return;
        const bool marked = read_.line(mark.line + 1).substr(static_cast<std::size_t>(mark.column)).starts_with("---");
        if (marked) give_up(mark, "a second document starts here", "one file holds one document: remove the '---'");
        give_up(mark, "unexpected text after the end of the document",
                "remove it, or look for a bracket that closes too early");
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        if (Open* map = waiting_for_key()) {
            mistake(mark, "a key must be text", "quote it to use 'null' as a key");
            begin_entry(*map, mark, {}, true);
            return;
        }
        if (!open_.empty() && open_.back().has_key && !open_.back().skipped && !colon_before(mark, open_.back().key_mark))
            mistake(open_.back().key_mark, fmt::format("'{}' has no value", printable(open_.back().entries.back().key)),
                    "write 'name: value'");
        count(mark, 1);
        finish(ConfigValue::null(place(mark)), anchor, 1, 0);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto found = anchored_.find(anchor);
        if (found == anchored_.end())
            give_up(mark, "this alias is inside the value of its own anchor", "an anchor cannot contain itself");
        const Anchored& target = found->second;
        if (Open* map = waiting_for_key()) return key(*map, mark, target.value);
        count(mark, target.nodes);
        check_depth(mark, open_.size() + target.height);
        add(target.value, target.height);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& raw) override {
        const bool quoted = tag == "!";
        if (tag != "?" && !quoted) refuse_tag(mark, tag);
        std::string text = raw;
        show_braces(text);
        if (quoted) {
            check_escapes(mark, text);
            last_quoted_ = mark;
        }
        ConfigValue value = ConfigValue::scalar(std::move(text), quoted, place(mark));
        if (Open* map = waiting_for_key()) {
            if (anchor != YAML::NullAnchor) anchored_[anchor] = {value, 1, 0};
            return key(*map, mark, value);
        }
        count(mark, 1);
        finish(std::move(value), anchor, 1, 0);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        start(mark, tag, anchor, false);
    }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        start(mark, tag, anchor, true);
    }
    void OnSequenceEnd() override { end(); }
    void OnMapEnd() override { end(); }

private:
    Place place(const YAML::Mark& mark) const {
        return {source_, first_line_ + mark.line, mark.column + 1 + (bom_ && mark.line == 0 ? 3 : 0)};
    }

    std::size_t offset(const YAML::Mark& mark) const { return static_cast<std::size_t>(mark.pos) + (bom_ ? 3 : 0); }

    // yaml-cpp accepts a missing closing quote if the file ends in a line feed. It can only be that of the last text.
    void check_last_quote() {
        if (!last_quoted_) return;
        const std::string_view text = read_.text;
        std::size_t at = text.find_first_of("'\"|>", offset(*last_quoted_));
        if (at == std::string_view::npos || text[at] == '|' || text[at] == '>') return;
        const char quote = text[at++];
        for (; at < text.size(); ++at) {
            const bool doubled = text[at] == quote && text.substr(at + 1).starts_with(quote);
            const bool escaped = quote == '"' ? text[at] == '\\' : doubled;
            if (escaped)
                ++at;
            else if (text[at] == quote)
                return;
        }
        diagnostics_.add(place(*last_quoted_), "this quote is not closed", {});
    }

    void refuse_unclosed(const Open& open) {
        drop_from(open.place);
        diagnostics_.add(open.place, open.is_map ? "this '{' has no '}'" : "this '[' has no ']'",
                         "or a ',' is missing inside it");
    }

    // After a syntax error yaml-cpp reports keys and nulls that do not exist; diagnostics about those are not the user's mistakes.
    void drop_from(const Place& wrong) {
        Diagnostics before;
        for (const Diagnostic& one : diagnostics_.found())
            if (std::pair(one.place.line, one.place.column) < std::pair(wrong.line, wrong.column))
                before.add(one.place, one.message, one.hint);
        diagnostics_ = std::move(before);
    }

    void mistake(const YAML::Mark& mark, std::string message, std::string hint = {}) {
        diagnostics_.add(place(mark), std::move(message), std::move(hint));
        if (diagnostics_.found().size() >= kMaxMistakes) throw GiveUp();
    }

    [[noreturn]] void give_up(const YAML::Mark& mark, std::string message, std::string hint) {
        diagnostics_.add(place(mark), std::move(message), std::move(hint));
        throw GiveUp();
    }

    void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        mistake(mark, fmt::format("the tag '{}' is not supported", printable(tag)),
                "values need no tags: write text in quotes, numbers plain");
    }

    void check_escapes(const YAML::Mark& mark, const std::string& text) {
        const auto is_control = [](unsigned char c) { return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F; };
        if (std::any_of(text.begin(), text.end(), is_control)) mistake(mark, "this text contains an escaped control character");
    }

    // yaml-cpp reads `a` in `{a, b: 1}`, and a line without ':' in a map, as a key whose value is null.
    bool colon_before(const YAML::Mark& null, const YAML::Mark& key) const {
        if (null.pos <= key.pos) return false;
        std::size_t at = offset(null);
        const std::string& text = read_.text;
        if (null.line != key.line || at >= text.size() || (text[at] != ',' && text[at] != '}')) return true;
        do --at;
        while (at > 0 && (text[at] == ' ' || text[at] == '\t'));
        return text[at] == ':';
    }

    void count(const YAML::Mark& mark, std::size_t nodes) {
        nodes_ += nodes;
        if (nodes_ <= limits_.nodes) return;
        give_up(mark, fmt::format("too many values: more than {}, counting aliases as what they expand to", limits_.nodes),
                {});
    }

    void check_depth(const YAML::Mark& mark, std::size_t depth) {
        if (depth > limits_.depth) give_up(mark, fmt::format("nested deeper than {} levels", limits_.depth), {});
    }

    Open* waiting_for_key() {
        return !open_.empty() && open_.back().is_map && !open_.back().has_key ? &open_.back() : nullptr;
    }

    void key(Open& map, const YAML::Mark& mark, const ConfigValue& value) {
        if (!value.is_scalar()) {
            mistake(mark, "a key must be text, not " + value.describe(), "text that starts with '{' or '[' needs quotes");
            return begin_entry(map, mark, {}, true);
        }
        const bool is_merge = value.text() == "<<" && !value.quoted();
        if (is_merge)
            mistake(mark, "the merge key '<<' is not supported",
                    "write the entries out, or share them as ${...} from params");
        const ConfigValue::Entry* before = is_merge ? nullptr : map.keys.find(map.entries, value.text());
        if (before)
            mistake(mark, fmt::format("the key '{}' is duplicated", printable(value.text())),
                    "first defined at " + before->key_place.text());
        begin_entry(map, mark, value.text(), is_merge || before);
    }

    void begin_entry(Open& map, const YAML::Mark& mark, std::string text, bool skipped) {
        map.has_key = true;
        map.skipped = skipped;
        map.key_mark = mark;
        if (!skipped) map.entries.push_back({std::move(text), place(mark), {}});
        count(mark, 1);
    }

    void start(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, bool is_map) {
        if (tag != "?" && tag != "!") refuse_tag(mark, tag);
        check_depth(mark, open_.size() + 1);
        const bool is_key = waiting_for_key();
        Open& opened = open_.emplace_back();
        opened.is_key = is_key;
        opened.is_map = is_map;
        opened.mark = mark;
        opened.place = place(mark);
        opened.anchor = anchor;
        opened.nodes_before = nodes_;
        count(mark, 1);
    }

    void end() {
        Open closed = std::move(open_.back());
        open_.pop_back();
        const std::size_t nodes = nodes_ - closed.nodes_before;
        ConfigValue value = closed.is_map ? ConfigValue::map(std::move(closed.entries), std::move(closed.place))
                                    : ConfigValue::list(std::move(closed.items), std::move(closed.place));
        if (closed.is_key) return key(open_.back(), closed.mark, value);
        finish(std::move(value), closed.anchor, nodes, closed.height + 1);
    }

    // A value is complete: adds it to its parent, and registers its anchor.
    void finish(ConfigValue value, YAML::anchor_t anchor, std::size_t nodes, std::size_t height) {
        if (anchor != YAML::NullAnchor) anchored_[anchor] = {value, nodes, height};
        add(std::move(value), height);
    }

    void add(ConfigValue value, std::size_t height) {
        if (open_.empty()) {
            root_ = std::move(value);
            return;
        }
        Open& parent = open_.back();
        parent.height = std::max(parent.height, height);
        if (!parent.is_map) {
            parent.items.push_back(std::move(value));
            return;
        }
        if (!parent.skipped) parent.entries.back().value = std::move(value);
        parent.has_key = parent.skipped = false;
    }

    const SourceText& read_;
    const std::shared_ptr<const SourceText> source_;
    const int first_line_;
    const YamlLimits limits_;
    const bool bom_;
    Diagnostics diagnostics_;
    int documents_ = 0;
    std::size_t nodes_ = 0;
    std::optional<YAML::Mark> last_quoted_;
    std::vector<Open> open_;
    std::unordered_map<YAML::anchor_t, Anchored> anchored_;
    ConfigValue root_;
};

struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

[[noreturn]] void cannot_read(const std::string& path, const std::string& reason = std::strerror(errno)) {
    throw Error(ExitCode::Usage, fmt::format("cannot read {}: {}", printable(path), reason));
}

}  // namespace

ConfigValue parse_yaml(std::shared_ptr<const SourceText> source, const YamlLimits& limits) {
    return parse_yaml(source->text, Place{source, 1, 1}, limits);
}

ConfigValue parse_yaml(std::string_view part, const Place& start, const YamlLimits& limits) {
    if (part.size() > limits.bytes)
        refuse({start.source}, fmt::format("the file is larger than {} MiB", limits.bytes >> 20), "is this a YAML file?");
    if (auto found = unreadable(part, start)) throw Error(ExitCode::Usage, std::vector<Diagnostic>{std::move(*found)});

    // A part keeps its column: to yaml-cpp `---` and `%` mean something else at the beginning of a line than within one.
    const SourceText read{start.source->name, std::string(static_cast<std::size_t>(start.column - 1), ' ').append(part)};
    std::istringstream text(with_braces_hidden(read.text));
    Builder builder(read, start.source, start.line, limits);
    try {
        YAML::Parser parser(text);
        // The second call only reports that more follows.
        if (parser.HandleNextDocument(builder)) parser.HandleNextDocument(builder);
    } catch (const GiveUp&) {
    } catch (const YAML::Exception& error) {
        builder.refuse(error);
    }
    return builder.take();
}

std::shared_ptr<const SourceText> read_yaml_source(const std::string& path, const YamlLimits& limits) {
    if (const auto kind = special_kind_of(path); !kind.empty()) cannot_read(path, fmt::format("it is {}, not a file", kind));
    const std::unique_ptr<std::FILE, Closer> file(std::fopen(path.c_str(), "rb"));
    if (!file) cannot_read(path);
    auto source = std::make_shared<SourceText>();
    source->name = path;
    std::size_t got = 0;
    do {
        const std::size_t had = source->text.size();
        source->text.resize(had + (std::size_t{1} << 16));
        got = std::fread(source->text.data() + had, 1, source->text.size() - had, file.get());
        source->text.resize(had + got);
    } while (got > 0 && source->text.size() <= limits.bytes);
    if (std::ferror(file.get())) cannot_read(path);
    return source;
}

ConfigValue parse_yaml_file(const std::string& path, const YamlLimits& limits) { return parse_yaml(read_yaml_source(path, limits), limits); }

}  // namespace satdl
