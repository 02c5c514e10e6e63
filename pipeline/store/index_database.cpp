#include "pipeline/store/index_database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "pipeline/store/layout.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 1;       // user_version
constexpr int kMaxDamages = 3;  // then memory is used: a disk that damages what is written will do it again
constexpr std::size_t kCheckDigits = 16;

constexpr const char* kSchema =
    "CREATE TABLE objects(name BLOB PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE files(name BLOB PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE history(name BLOB PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE durations(key BLOB PRIMARY KEY, kind TEXT NOT NULL, seconds REAL NOT NULL, number INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE INDEX durations_by_kind ON durations(kind, number);";

constexpr const char* kGet[] = {"SELECT value FROM objects WHERE name=?", "SELECT value FROM files WHERE name=?",
                                "SELECT value FROM history WHERE name=?"};
constexpr const char* kPut[] = {"INSERT OR REPLACE INTO objects VALUES(?,?)", "INSERT OR REPLACE INTO files VALUES(?,?)",
                                "INSERT OR REPLACE INTO history VALUES(?,?)"};
constexpr const char* kRemove[] = {"DELETE FROM objects WHERE name=?", "DELETE FROM files WHERE name=?",
                                   "DELETE FROM history WHERE name=?"};
constexpr const char* kPutDuration =
    "INSERT OR REPLACE INTO durations VALUES(?1,?2,?3,(SELECT ifnull(max(number),0)+1 FROM durations WHERE kind=?2))";
constexpr const char* kDurationByKey = "SELECT seconds FROM durations WHERE key=?";
constexpr const char* kDurationByKind = "SELECT seconds FROM durations WHERE kind=? ORDER BY number DESC LIMIT 1";

int user_version(sqlite3* connection) {
    SqliteStatement statement;
    SqliteUse use(connection, statement, "PRAGMA user_version");
    return use.step() ? static_cast<int>(use.number_column()) : 0;
}

std::string check_digits(int table, std::string_view name, std::string_view text) {
    return Sha256().update(kGet[table]).update(name).update("\n").update(text).finish().hex().substr(0, kCheckDigits);
}

}  // namespace

SqliteFailure damaged_row(const std::string& what) {
    return SqliteFailure{SQLITE_CORRUPT, what};
}

std::optional<std::string> IndexDatabase::get(IndexTable table, std::string_view name) {
    if (connection_ == nullptr) return std::nullopt;
    begin_reading();
    const int number = static_cast<int>(table);
    SqliteUse use(connection_.get(), row_statements_[number][0], kGet[number]);
    if (!use.blob(name).step()) return std::nullopt;
    const std::string_view value = use.text_column();
    const std::string_view text = value.substr(std::min(kCheckDigits, value.size()));
    if (value.substr(0, kCheckDigits) != check_digits(number, name, text)) throw damaged_row("a row does not match its checksum");
    return std::string(text);
}

bool IndexDatabase::put(IndexTable table, std::string_view name, const std::string& text) {
    if (get(table, name) == text) return false;
    begin_writing();
    const int number = static_cast<int>(table);
    const std::string value = check_digits(number, name, text) + text;
    SqliteUse use(connection_.get(), row_statements_[number][1], kPut[number]);
    (void)use.blob(name).text(value).step();
    return true;
}

void IndexDatabase::remove(IndexTable table, std::string_view name) {
    if (!get(table, name)) return;
    begin_writing();
    const int number = static_cast<int>(table);
    SqliteUse use(connection_.get(), row_statements_[number][2], kRemove[number]);
    (void)use.blob(name).step();
}

void IndexDatabase::put_duration(const Digest& key, const std::string& kind, double seconds) {
    begin_writing();
    SqliteUse use(connection_.get(), put_duration_, kPutDuration);
    (void)use.blob(bytes_of(key)).text(kind).number(seconds).step();
}

std::optional<double> IndexDatabase::duration(const Digest& key, const std::string& kind) {
    if (connection_ == nullptr) return std::nullopt;
    begin_reading();
    SqliteUse by_key(connection_.get(), duration_by_key_, kDurationByKey);
    if (by_key.blob(bytes_of(key)).step()) return by_key.number_column();
    SqliteUse by_kind(connection_.get(), duration_by_kind_, kDurationByKind);
    if (by_kind.text(kind).step()) return by_kind.number_column();
    return std::nullopt;
}

void IndexDatabase::end_batch() {
    if (--batches_ == 0) end_transaction();
}

void IndexDatabase::open_existing() {
    if (in_memory_ || connection_ != nullptr) return;
    std::error_code ignored;
    if (fs::exists(file_, ignored)) connect(0);
    else was_empty_ = true;
}

void IndexDatabase::connect(int flags) {
    adopt(open_sqlite(file_.string(), flags));
    remember_stamp();
    if (sqlite3_db_readonly(connection_.get(), "main") == 1) throw SqliteFailure{SQLITE_READONLY, "it is read-only"};
    const int found = user_version(connection_.get());
    if (found == kFormat) return;
    if (found != 0) throw damaged_row(fmt::format("it has format {}, but this satdl needs format {}", found, kFormat));
    was_empty_ = true;
    execute_sqlite(connection_.get(), "BEGIN IMMEDIATE");
    if (user_version(connection_.get()) == 0) {  // else another process was quicker
        execute_sqlite(connection_.get(), kSchema);
        execute_sqlite(connection_.get(), fmt::format("PRAGMA user_version={}", kFormat));
    }
    execute_sqlite(connection_.get(), "COMMIT");
}

void IndexDatabase::adopt(SqliteConnection fresh) {
    disconnect();
    connection_ = std::move(fresh);
}

void IndexDatabase::remember_stamp() {
    try {
        opened_ = real_file_system()->stamp(file_);
    } catch (const FileError& error) {
        throw SqliteFailure{SQLITE_IOERR, error.diagnostics().front().message};
    }
}

void IndexDatabase::disconnect() {
    for (auto& table : row_statements_) {
        for (SqliteStatement& statement : table) statement.reset();
    }
    for (SqliteStatement* const statement : {&put_duration_, &duration_by_key_, &duration_by_kind_}) statement->reset();
    transaction_ = Transaction::None;
    connection_.reset();
}

void IndexDatabase::begin_reading() {
    if (batches_ == 0 || transaction_ != Transaction::None) return;
    execute_sqlite(connection_.get(), "BEGIN");
    transaction_ = Transaction::Reading;
}

// A transaction that has read is never upgraded to a writing one: two processes that try would deadlock.
void IndexDatabase::begin_writing() {
    if (connection_ == nullptr) {
        std::error_code ignored;  // without the folder, opening fails
        fs::create_directories(file_.parent_path(), ignored);
        connect(SQLITE_OPEN_CREATE);
    }
    if (batches_ == 0 || transaction_ == Transaction::Writing) return;
    end_transaction();
    execute_sqlite(connection_.get(), "BEGIN IMMEDIATE");
    transaction_ = Transaction::Writing;
}

void IndexDatabase::end_transaction() {
    if (std::exchange(transaction_, Transaction::None) != Transaction::None) execute_sqlite(connection_.get(), "COMMIT");
}

void IndexDatabase::recover(const SqliteFailure& failure) {
    const int code = failure.code & 0xff;
    SATDL_CHECK(code != SQLITE_MISUSE && !in_memory_, "SQLite: " + failure.what);
    disconnect();
    problem_ = fmt::format("the index '{}' cannot be used: {}", printable(file_.string()), printable(failure.what));
    was_empty_ = true;
    const bool is_damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR;
    if (is_damaged && ++damages_ <= kMaxDamages && move_aside()) return;
    in_memory_ = true;
    adopt(open_sqlite(":memory:", SQLITE_OPEN_CREATE));
    execute_sqlite(connection_.get(), kSchema);
}

// A journal left behind would be rolled back into the new file, so it is moved, too. Nothing is moved if another process has
// already put a new file there.
bool IndexDatabase::move_aside() {
    try {
        const auto files = real_file_system();
        const auto now = files->stamp(file_);
        if (!now || (opened_ && (now->device != opened_->device || now->inode != opened_->inode))) return true;
        int n = 1;
        const auto aside = [&] { return fmt::format("{}{}{}", file_.string(), store_layout::kDamagedExtension, n); };
        while (files->stamp(aside())) ++n;
        const std::string journal = file_.string() + "-journal";
        if (files->stamp(journal)) files->rename(journal, aside() + "-journal");
        files->rename(file_, aside());
        opened_.reset();
        *problem_ += fmt::format("; it was moved to '{}' and is rebuilt", printable(aside()));
        return true;
    } catch (const FileError&) {
        return false;
    }
}

}  // namespace satdl
