// The rows of the index, as text: "<bytes>:<field>," repeated.
#include "pipeline/store/index.h"

#include <fmt/format.h>

#include <charconv>
#include <iterator>
#include <new>
#include <system_error>
#include <utility>

#include "pipeline/store/index_database.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

void add_field(std::string& text, std::string_view field) {
    text += fmt::format("{}:{},", field.size(), field);
}

class Fields {
public:
    explicit Fields(std::string_view text) : rest_(text) {}
    [[nodiscard]] bool empty() const { return rest_.empty(); }
    std::string_view next() {
        std::size_t size = 0;
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
        const auto start = static_cast<std::size_t>(end - rest_.data()) + 1;
        if (error != std::errc() || start > rest_.size() || size >= rest_.size() - start) throw damaged_row("a row is truncated");
        const std::string_view field = rest_.substr(start, size);
        rest_.remove_prefix(start + size + 1);
        return field;
    }
    template <typename Number>
    Number number() {
        const std::string_view field = next();
        Number number{};
        const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number);
        if (error != std::errc() || end != field.data() + field.size()) throw damaged_row("a row's number is invalid");
        return number;
    }
    Digest digest() {
        const auto digest = Digest::from_hex(next());
        if (!digest) throw damaged_row("a row's digest is invalid");
        return *digest;
    }

private:
    std::string_view rest_;
};

std::string fields_of(const FileStamp& identity) {
    std::string text;
    const auto& [device, inode, bytes, modified, changed] = identity;
    for (const std::uint64_t number : {device, inode, bytes}) add_field(text, std::to_string(number));
    for (const std::int64_t nanoseconds : {modified, changed}) add_field(text, std::to_string(nanoseconds));
    return text;
}

// None of these is a path: those are absolute.
std::string array_type_name(const Digest& content, const std::string& array) {
    return fmt::format("array type {} {}", content.hex(), array);
}

// 1: the format of run_summary.h.
std::string run_name(const std::string& run) { return "run summary 1 " + run; }

std::string note_name(const std::string& name) { return "note " + name; }

std::string history_name(const std::string& dag, const std::string& stage) {
    std::string name;
    add_field(name, dag);
    add_field(name, stage);
    return name;
}

}  // namespace

Index::Index(const fs::path& file) : file_(std::make_unique<IndexDatabase>(fs::absolute(file))) {
    file_->access([](IndexDatabase& opened) { opened.open_existing(); });
}

Index::~Index() = default;

bool Index::rebuilt() const {
    return file_->access([](IndexDatabase& file) { return file.was_empty(); });
}

std::optional<std::string> Index::problem() const {
    return file_->access([](IndexDatabase& file) { return file.problem(); });
}

std::optional<IndexedArtifact> Index::artifact(const Digest& key) {
    return file_->access([&](IndexDatabase& file) -> std::optional<IndexedArtifact> {
        const auto row = file.get(IndexDatabase::IndexTable::Objects, bytes_of(key));
        if (!row) return std::nullopt;
        Fields fields(*row);
        IndexedArtifact object;
        object.file_bytes = fields.number<std::uint64_t>();
        while (!fields.empty()) {
            const std::string port(fields.next());
            if (port.empty()) object.warnings.emplace_back(fields.next());
            else object.ports.emplace(port, fields.digest());
        }
        return object;
    });
}

void Index::put_artifact(const Digest& key, const IndexedArtifact& object) {
    std::string fields;
    add_field(fields, std::to_string(object.file_bytes));
    for (const auto& [port, digest] : object.ports) {
        add_field(fields, port);
        add_field(fields, digest.hex());
    }
    for (const std::string& warning : object.warnings) {
        add_field(fields, "");  // no port: no port has this name
        add_field(fields, warning);
    }
    file_->access([&](IndexDatabase& file) { file.put(IndexDatabase::IndexTable::Objects, bytes_of(key), fields); });
}

void Index::remove_artifact(const Digest& key) {
    file_->access([&](IndexDatabase& file) { file.remove(IndexDatabase::IndexTable::Objects, bytes_of(key)); });
}

std::optional<Digest> Index::file_digest(const fs::path& path, const FileStamp& identity) {
    const std::string expected = fields_of(identity);
    return file_->access([&](IndexDatabase& file) -> std::optional<Digest> {
        const auto row = file.get(IndexDatabase::IndexTable::Files, fs::absolute(path).lexically_normal().string());
        if (!row || !row->starts_with(expected)) return std::nullopt;
        return Fields(std::string_view(*row).substr(expected.size())).digest();
    });
}

void Index::put_file_digest(const fs::path& path, const FileStamp& identity, const Digest& digest) {
    std::string fields = fields_of(identity);
    add_field(fields, digest.hex());
    file_->access([&](IndexDatabase& file) {
        file.put(IndexDatabase::IndexTable::Files, fs::absolute(path).lexically_normal().string(), fields);
    });
}

std::optional<ArrayType> Index::array_type(const Digest& content, const std::string& name) {
    return file_->access([&](IndexDatabase& file) -> std::optional<ArrayType> {
        const auto row = file.get(IndexDatabase::IndexTable::Files, array_type_name(content, name));
        if (!row) return std::nullopt;
        Fields fields(*row);
        const auto dtype = dtype_from_name(fields.next());
        if (!dtype) throw damaged_row("a row's element type is invalid");
        ArrayType type{*dtype, {}};
        while (!fields.empty()) type.shape.push_back(fields.number<std::int64_t>());
        return type;
    });
}

void Index::put_array_type(const Digest& content, const std::string& name, const ArrayType& type) {
    std::string fields;
    add_field(fields, name_of(type.dtype));
    for (const std::int64_t extent : type.shape) add_field(fields, std::to_string(extent));
    file_->access([&](IndexDatabase& file) { file.put(IndexDatabase::IndexTable::Files, array_type_name(content, name), fields); });
}

std::optional<std::string> Index::run_summary(const std::string& run, const FileStamp& record) {
    const std::string expected = fields_of(record);
    return file_->access([&](IndexDatabase& file) -> std::optional<std::string> {
        const auto row = file.get(IndexDatabase::IndexTable::Files, run_name(run));
        if (!row || !row->starts_with(expected)) return std::nullopt;
        return std::string(Fields(std::string_view(*row).substr(expected.size())).next());
    });
}

void Index::put_run_summary(const std::string& run, const FileStamp& record, const std::string& summary) {
    std::string fields = fields_of(record);
    add_field(fields, summary);
    file_->access([&](IndexDatabase& file) { file.put(IndexDatabase::IndexTable::Files, run_name(run), fields); });
}

std::optional<std::string> Index::note(const std::string& name) {
    return file_->access([&](IndexDatabase& file) { return file.get(IndexDatabase::IndexTable::Files, note_name(name)); });
}

void Index::put_note(const std::string& name, const std::string& text) {
    file_->access([&](IndexDatabase& file) { file.put(IndexDatabase::IndexTable::Files, note_name(name), text); });
}

void Index::remove_note(const std::string& name) {
    file_->access([&](IndexDatabase& file) { file.remove(IndexDatabase::IndexTable::Files, note_name(name)); });
}

std::optional<StageHistory> Index::history(const std::string& dag, const std::string& stage) {
    return file_->access([&](IndexDatabase& file) -> std::optional<StageHistory> {
        const auto row = file.get(IndexDatabase::IndexTable::History, history_name(dag, stage));
        if (!row) return std::nullopt;
        Fields fields(*row);
        StageHistory history;
        history.key = fields.digest();
        history.seconds = fields.number<double>();
        history.peak_bytes = fields.number<std::uint64_t>();
        while (!fields.empty()) {
            const std::string name(fields.next());
            history.recipe.push_back({name, std::string(fields.next())});
        }
        return history;
    });
}

void Index::put_history(const std::string& dag, const std::string& stage, const StageHistory& history) {
    std::string fields;
    add_field(fields, history.key.hex());
    add_field(fields, fmt::format("{}", history.seconds));
    add_field(fields, std::to_string(history.peak_bytes));
    std::string kind;
    for (const auto& [name, value] : history.recipe) {
        add_field(fields, name);
        add_field(fields, value);
        if (name == "kind") kind = value;
    }
    file_->access([&](IndexDatabase& file) {
        const bool wrote = file.put(IndexDatabase::IndexTable::History, history_name(dag, stage), fields);
        if (wrote && history.seconds > 0) file.put_duration(history.key, kind, history.seconds);
    });
}

std::optional<double> Index::seconds(const Digest& key, const std::string& kind) {
    return file_->access([&](IndexDatabase& file) { return file.duration(key, kind); });
}

void Index::commit_so_far() {
    file_->access([](IndexDatabase& file) { file.end_transaction(); });
}

Index::Batch::Batch(Index& index) : index_(index) {
    index_.file_->access([](IndexDatabase& file) { file.begin_batch(); });
}

Index::Batch::~Batch() {
    bool ended = false;
    try {
        index_.file_->access([&ended](IndexDatabase& file) {
            if (!std::exchange(ended, true)) file.end_batch();  // once, also if committing fails
        });
    } catch (const std::bad_alloc&) {  // its rows are lost, and rebuilt from the artifacts
    }
}

}  // namespace satdl
