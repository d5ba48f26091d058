#include "controller/jobs/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <utility>

namespace prewarm::controller::sqlite {
namespace {

struct Verdict {
  ErrorCode code = ErrorCode::kInternal;
  Reason reason = Reason::kUnspecified;
  const char* remedy = "";
};

Verdict VerdictOf(int primary, int system_errno) {
  switch (primary) {
    case SQLITE_FULL:
      return {ErrorCode::kNoSpace, Reason::kNoSpace, "make room on its disk; nothing was written"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::kUnavailable, Reason::kTimeout, "another process is writing to it"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorCode::kCorrupt, Reason::kDiskError,
              "restore it from a backup, or move it away to begin with an empty one, which forgets "
              "what was accepted"};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {ErrorCode::kPermission, Reason::kAccessDenied,
              "the controller must be able to write the file and its folder"};
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      if (system_errno == ENOSPC || system_errno == EDQUOT) return VerdictOf(SQLITE_FULL, 0);
      if (system_errno == EACCES || system_errno == EPERM || system_errno == EROFS) {
        return VerdictOf(SQLITE_READONLY, 0);
      }
      return {ErrorCode::kInternal, Reason::kDiskError, "look at its disk and folder"};
    default: return {};
  }
}

Error ErrorOf(sqlite3* connection) {
  const int primary = sqlite3_extended_errcode(connection) & 0xff;
  const auto verdict = VerdictOf(primary, sqlite3_system_errno(connection));
  const char* file = sqlite3_db_filename(connection, "main");
  std::string message =
      "job store " + std::string(file != nullptr ? file : "") + ": " + sqlite3_errmsg(connection);
  if (*verdict.remedy != '\0') message += std::string(": ") + verdict.remedy;
  return Fail(verdict.code, std::move(message), verdict.reason);
}

// An empty file in place before SQLite sees it: its journals copy the mode. It is made durable with
// its folder, since SQLite only syncs folders for its journals.
Status MakeFile(const std::string& path) {
  const auto named = "job store " + path;
  auto folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  struct stat found{};
  if (::stat(folder.c_str(), &found) != 0) {
    return ErrnoError(errno, named + ": make its folder " + folder.string());
  }
  if (::stat(path.c_str(), &found) == 0) {
    if (!S_ISREG(found.st_mode)) {
      return Fail(ErrorCode::kInvalidConfig, named + " is not a file: give the path of one");
    }
    // By name: closing a descriptor of the file would let go of the locks that this process has on
    // it through another connection.
    if ((found.st_mode & 077) != 0 && ::chmod(path.c_str(), 0600) != 0) {
      return ErrnoError(errno, named + " is open to others and cannot be closed to them");
    }
    return {};
  }
  const int file = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0 && errno == EEXIST) return {};  // another process was faster
  if (file < 0) return ErrnoError(errno, named + " cannot be made");
  ::close(file);
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return ErrnoError(errno, named + ": its folder");
  const int synced = ::fsync(directory);
  const int why = errno;
  ::close(directory);
  if (synced != 0) return ErrnoError(why, named + ": syncing its folder");
  return {};
}

int Milliseconds(Duration duration) {
  const auto whole = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<int>(std::clamp<std::int64_t>(whole, 0, std::numeric_limits<int>::max()));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Status Statement::Rewind() {
  // The answer repeats the error of the last Step, which its caller has seen.
  sqlite3_reset(statement_.get());
  return {};
}

Result<bool> Statement::Step() {
  switch (sqlite3_step(statement_.get())) {
    case SQLITE_ROW: return true;
    case SQLITE_DONE: return false;
    default: {
      auto error = ErrorOf(sqlite3_db_handle(statement_.get()));
      sqlite3_reset(statement_.get());
      return error;
    }
  }
}

Status Statement::Run() {
  TRY_STATUS(Step());
  return Rewind();
}

std::int64_t Statement::Integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::uint64_t Statement::Unsigned(int column) const {
  return static_cast<std::uint64_t>(Integer(column));
}

std::string Statement::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

Status Statement::BindOne(int index, std::int64_t value) {
  if (sqlite3_bind_int64(statement_.get(), index, value) == SQLITE_OK) return {};
  return ErrorOf(sqlite3_db_handle(statement_.get()));
}

Status Statement::BindOne(int index, std::uint64_t value) {
  return BindOne(index, static_cast<std::int64_t>(value));
}

Status Statement::BindOne(int index, bool value) {
  return BindOne(index, std::int64_t{value ? 1 : 0});
}

Status Statement::BindOne(int index, std::string_view value) {
  const char* text = value.data() != nullptr ? value.data() : "";
  if (sqlite3_bind_text64(statement_.get(), index, text, value.size(), SQLITE_TRANSIENT,
                          SQLITE_UTF8) == SQLITE_OK) {
    return {};
  }
  return ErrorOf(sqlite3_db_handle(statement_.get()));
}

Status Statement::BindOne(int index, const std::string& value) {
  return BindOne(index, std::string_view(value));
}

Status Statement::BindOne(int index, const std::optional<std::int64_t>& value) {
  if (value) return BindOne(index, *value);
  if (sqlite3_bind_null(statement_.get(), index) == SQLITE_OK) return {};
  return ErrorOf(sqlite3_db_handle(statement_.get()));
}

void Database::Close::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }

Result<Database> Database::Open(const std::string& path, Duration busy_patience) {
  TRY_STATUS(MakeFile(path));
  sqlite3* connection = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int opened = sqlite3_open_v2(path.c_str(), &connection, flags, nullptr);
  if (connection == nullptr) {
    return Fail(ErrorCode::kInternal, "job store " + path + ": not enough memory to open it");
  }
  Database database(connection);
  if (opened != SQLITE_OK) {
    const auto verdict = VerdictOf(opened & 0xff, sqlite3_system_errno(connection));
    return Fail(verdict.code,
                "job store " + path + " cannot be opened: " + sqlite3_errmsg(connection) + ": " +
                    verdict.remedy,
                verdict.reason);
  }
  sqlite3_busy_timeout(connection, Milliseconds(busy_patience));
  return database;
}

Result<Statement> Database::Prepare(std::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(connection_.get(), sql.data(), static_cast<int>(sql.size()), &statement,
                         nullptr) != SQLITE_OK) {
    return ErrorOf(connection_.get());
  }
  return Statement(statement);
}

Status Database::Execute(const std::string& sql) const {
  if (sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) {
    return {};
  }
  return ErrorOf(connection_.get());
}

Result<std::string> Database::TextOf(std::string_view sql) const {
  TRY(auto statement, Prepare(sql));
  TRY(const bool row, statement.Step());
  return row ? statement.Text(0) : std::string();
}

Result<std::int64_t> Database::IntegerOf(std::string_view sql) const {
  TRY(auto statement, Prepare(sql));
  TRY(const bool row, statement.Step());
  return row ? statement.Integer(0) : 0;
}

std::int64_t Database::Changes() const { return sqlite3_changes64(connection_.get()); }

std::int64_t Database::LastRowId() const { return sqlite3_last_insert_rowid(connection_.get()); }

bool Database::InTransaction() const { return sqlite3_get_autocommit(connection_.get()) == 0; }

void Database::Pause(Duration duration) { sqlite3_sleep(Milliseconds(duration)); }

Result<Transaction> Transaction::Begin(const Database& database) {
  TRY_STATUS(database.Execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  // Some errors have rolled it back already. One that hits the rollback itself leaves a journal
  // that the next opening undoes.
  if (database_ != nullptr && database_->InTransaction()) {
    static_cast<void>(database_->Execute("ROLLBACK"));
  }
}

Status Transaction::Commit() { return database_->Execute("COMMIT"); }

}  // namespace prewarm::controller::sqlite
