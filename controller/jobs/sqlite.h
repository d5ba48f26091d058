// SQLite with errors as values and ownership by destructors: what the job store needs of it, and
// nothing more. Not thread-safe; calls block.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace prewarm::controller::sqlite {

// A prepared statement. Columns count from 0 and are valid until the next Step or Reset.
class Statement {
 public:
  // Binds all parameters in order and makes it ready to run (again). Texts are copied.
  template <class... Values>
  Status Bind(const Values&... values) {
    TRY_STATUS(Rewind());
    int index = 0;
    Status status;
    ((status = status ? BindOne(++index, values) : status), ...);
    return status;
  }
  // True: a row is there.
  Result<bool> Step();
  // For statements that give no rows.
  Status Run();

  [[nodiscard]] std::int64_t Integer(int column) const;
  [[nodiscard]] std::uint64_t Unsigned(int column) const;
  [[nodiscard]] std::string Text(int column) const;
  [[nodiscard]] bool IsNull(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  Status Rewind();
  Status BindOne(int index, std::int64_t value);
  Status BindOne(int index, std::uint64_t value);  // kept bit by bit
  Status BindOne(int index, bool value);
  Status BindOne(int index, std::string_view value);
  Status BindOne(int index, const std::string& value);
  Status BindOne(int index, const char* value) = delete;
  Status BindOne(int index, const std::optional<std::int64_t>& value);

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// One connection. Every error names the file and what can be done: kNotFound (no such folder),
// kPermission, kNoSpace, kUnavailable (another process holds it for longer than the patience),
// kCorrupt (damaged, or not a database), kInternal.
class Database {
 public:
  // Makes the file (mode 0600) if there is none; its folder must be there.
  static Result<Database> Open(const std::string& path, Duration busy_patience);

  Result<Statement> Prepare(std::string_view sql) const;
  // Any number of statements whose rows do not matter.
  Status Execute(const std::string& sql) const;
  // The first column of the first row; empty text or 0 without rows.
  Result<std::string> TextOf(std::string_view sql) const;
  Result<std::int64_t> IntegerOf(std::string_view sql) const;
  // Rows changed by the last statement.
  [[nodiscard]] std::int64_t Changes() const;
  [[nodiscard]] std::int64_t LastRowId() const;
  [[nodiscard]] bool InTransaction() const;
  // As sqlite3_busy_timeout says no more than "later" for some calls.
  static void Pause(Duration duration);

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  explicit Database(sqlite3* connection) : connection_(connection) {}

  std::unique_ptr<sqlite3, Close> connection_;
};

// Holds the write lock from the start, so that what was read stays true until Commit. Without
// Commit everything is undone.
class Transaction {
 public:
  static Result<Transaction> Begin(const Database& database);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  // Durable on success.
  Status Commit();

 private:
  explicit Transaction(const Database& database) : database_(&database) {}

  const Database* database_;
};

}  // namespace prewarm::controller::sqlite
