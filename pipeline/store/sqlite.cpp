#include "pipeline/store/sqlite.h"

#include <new>

namespace satdl {
namespace {

constexpr int kBusyMilliseconds = 10'000;

void check(sqlite3* connection, int code) {
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return;
    if (code == SQLITE_NOMEM) throw std::bad_alloc();
    throw SqliteFailure{code, connection != nullptr ? sqlite3_errmsg(connection) : sqlite3_errstr(code)};
}

sqlite3_stmt* prepared(sqlite3* connection, SqliteStatement& statement, const char* sql) {
    if (statement == nullptr) {
        sqlite3_stmt* made = nullptr;
        check(connection, sqlite3_prepare_v3(connection, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr));
        statement.reset(made);
    }
    return statement.get();
}

}  // namespace

SqliteConnection open_sqlite(const std::string& path, int flags) {
    sqlite3* made = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &made, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | flags, nullptr);
    SqliteConnection connection(made);
    check(made, code);
    check(made, sqlite3_extended_result_codes(made, 1));
    check(made, sqlite3_busy_timeout(made, kBusyMilliseconds));
    check(made, sqlite3_db_config(made, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr));
    execute_sqlite(made, "PRAGMA cell_size_check=ON; PRAGMA synchronous=FULL; PRAGMA mmap_size=0");
    return connection;
}

void execute_sqlite(sqlite3* connection, const std::string& sql) {
    check(connection, sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr));
}

SqliteUse::SqliteUse(sqlite3* connection, SqliteStatement& statement, const char* sql)
    : connection_(connection), statement_(prepared(connection, statement, sql)) {}

SqliteUse::~SqliteUse() {
    sqlite3_reset(statement_);  // repeats the code of the last step, which was checked
    sqlite3_clear_bindings(statement_);
}

SqliteUse& SqliteUse::blob(std::string_view bytes) {
    return bound(sqlite3_bind_blob64(statement_, ++bound_, bytes.data(), bytes.size(), SQLITE_STATIC));
}

SqliteUse& SqliteUse::text(std::string_view text) {
    return bound(sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

SqliteUse& SqliteUse::number(double number) {
    return bound(sqlite3_bind_double(statement_, ++bound_, number));
}

bool SqliteUse::step() {
    const int code = sqlite3_step(statement_);
    check(connection_, code);
    return code == SQLITE_ROW;
}

std::string_view SqliteUse::text_column() const {
    const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, 0));
    return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, 0))};
}

SqliteUse& SqliteUse::bound(int code) {
    check(connection_, code);
    return *this;
}

}  // namespace satdl
