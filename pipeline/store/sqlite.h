// SQLite's C interface with owners: a connection, a prepared statement, one use of it. All its failures are one exception.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>

namespace satdl {

struct SqliteFailure {
    int code;  // SQLite's extended result code
    std::string what;
};

struct CloseSqlite {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
};
using SqliteConnection = std::unique_ptr<sqlite3, CloseSqlite>;

struct FinalizeSqlite {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using SqliteStatement = std::unique_ptr<sqlite3_stmt, FinalizeSqlite>;

// For one thread at a time. Waits ten seconds for other processes' locks. `flags`: SQLITE_OPEN_CREATE, or 0.
[[nodiscard]] SqliteConnection open_sqlite(const std::string& path, int flags);

// Several statements without results.
void execute_sqlite(sqlite3* connection, const std::string& sql);

// One use of a statement, which is prepared at its first. The destructor resets it, so that it holds no lock.
class SqliteUse {
public:
    SqliteUse(sqlite3* connection, SqliteStatement& statement, const char* sql);
    ~SqliteUse();
    SqliteUse(const SqliteUse&) = delete;
    SqliteUse& operator=(const SqliteUse&) = delete;

    // For the statement's next `?`. What is bound must outlive the use.
    SqliteUse& blob(std::string_view bytes);
    SqliteUse& text(std::string_view text);
    SqliteUse& number(double number);

    [[nodiscard]] bool step();  // whether there is a row
    // Of the row's only column.
    [[nodiscard]] std::string_view text_column() const;
    [[nodiscard]] double number_column() const { return sqlite3_column_double(statement_, 0); }

private:
    SqliteUse& bound(int code);

    sqlite3* connection_;
    sqlite3_stmt* statement_;
    int bound_ = 0;
};

}  // namespace satdl
