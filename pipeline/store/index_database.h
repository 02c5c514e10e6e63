// The index's SQLite file: rows of text by name, each with its own check, and what to do when the file cannot be used.
//
// SQLite has no checksums over data: a flipped bit in a digest here would not corrupt a result, but would rerun what need not
// run, and appear in a recipe as the cause.
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "pipeline/core/digest.h"
#include "pipeline/os/file_system.h"
#include "pipeline/store/sqlite.h"

namespace satdl {

// The digest as the name of a row.
[[nodiscard]] inline std::string_view bytes_of(const Digest& digest) {
    return {reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()};
}

class IndexDatabase {
public:
    enum class IndexTable { Objects, Files, History };

    explicit IndexDatabase(std::filesystem::path file) : file_(std::move(file)) {}

    // Runs `use`, one caller at a time. If SQLite or a row fails in it, the file is renamed or replaced by memory,
    // and `use` runs again, on what is then empty.
    template <typename Function>
    auto access(Function use) {
        const std::scoped_lock lock(mutex_);
        while (true) {
            try {
                return use(*this);
            } catch (const SqliteFailure& failure) {
                recover(failure);
            }
        }
    }

    // ---- only inside access() ----

    void open_existing();
    [[nodiscard]] bool was_empty() const { return was_empty_; }
    [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }

    [[nodiscard]] std::optional<std::string> get(IndexTable table, std::string_view name);
    // Writes nothing if that is there already; returns whether it wrote.
    bool put(IndexTable table, std::string_view name, const std::string& text);
    void remove(IndexTable table, std::string_view name);

    void put_duration(const Digest& key, const std::string& kind, double seconds);
    [[nodiscard]] std::optional<double> duration(const Digest& key, const std::string& kind);

    // One transaction from the first use in the outermost batch until that ends.
    void begin_batch() { ++batches_; }
    void end_batch();
    void end_transaction();

private:
    enum class Transaction { None, Reading, Writing };

    void connect(int flags);
    void adopt(SqliteConnection fresh);
    void remember_stamp();
    void disconnect();
    void begin_reading();
    void begin_writing();
    void recover(const SqliteFailure& failure);
    [[nodiscard]] bool move_aside();

    const std::filesystem::path file_;
    std::mutex mutex_;
    // Guarded by mutex_:
    bool was_empty_ = false;
    bool in_memory_ = false;
    std::optional<std::string> problem_;
    int damages_ = 0;
    int batches_ = 0;
    Transaction transaction_ = Transaction::None;
    std::optional<FileStamp> opened_;  // which file the connection is to
    SqliteConnection connection_;         // none before the first write of a new index
    SqliteStatement row_statements_[3][3];  // by table: get, put, remove
    SqliteStatement put_duration_, duration_by_key_, duration_by_kind_;
};

// Thrown by a reader that cannot parse a row's text.
[[nodiscard]] SqliteFailure damaged_row(const std::string& what);

}  // namespace satdl
