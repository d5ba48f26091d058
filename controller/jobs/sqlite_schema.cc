#include "controller/jobs/sqlite_schema.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <system_error>

namespace prewarm::controller {
namespace {

using sqlite::Database;
using sqlite::Transaction;

constexpr std::int64_t kApplicationId = 0x50726577;  // "Prew"
constexpr auto kBusyPatience = std::chrono::seconds(5);

// AUTOINCREMENT, so that the age of a pruned prewarm is never given again.
constexpr const char* kFirstTables = R"(
  CREATE TABLE lease (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    epoch    INTEGER NOT NULL,
    holder   TEXT    NOT NULL,  -- empty: given up
    counter  INTEGER NOT NULL   -- grows with every renewal
  );
  INSERT INTO lease VALUES (1, 0, '', 0);

  CREATE TABLE prewarms (
    age             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    namespace       TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    spec            TEXT    NOT NULL,  -- JSON
    state           TEXT    NOT NULL,
    final           INTEGER NOT NULL,
    reason          TEXT    NOT NULL,
    message         TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,  -- moments are nanoseconds since 1970
    ended_at        INTEGER,
    superseded_by   TEXT    NOT NULL,
    generation      INTEGER NOT NULL,
    plan_hash       INTEGER NOT NULL,
    files           INTEGER NOT NULL
  );
  CREATE INDEX unfinished_prewarms ON prewarms (age) WHERE NOT final;
  CREATE INDEX ended_prewarms ON prewarms (ended_at DESC, age DESC) WHERE final;
  CREATE INDEX keyed_prewarms ON prewarms (namespace, idempotency_key, age DESC)
    WHERE idempotency_key <> '';

  CREATE TABLE tasks (
    prewarm    INTEGER NOT NULL REFERENCES prewarms (age) ON DELETE CASCADE,
    node       TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    message    TEXT    NOT NULL,
    progress   TEXT    NOT NULL,  -- JSON
    visible_at INTEGER,
    PRIMARY KEY (prewarm, node)
  ) WITHOUT ROWID;
)";

// Step n leads from schema n to schema n + 1.
constexpr std::array<const char*, kJobStoreSchema> kMigrations{kFirstTables};

Error Refusal(const std::string& path, const std::string& why) {
  return Fail(ErrorCode::kInvalidConfig, "job store " + path + " " + why);
}

// 0 for a file without tables.
Result<std::int64_t> SchemaOf(const Database& database, const std::string& path) {
  TRY(const auto application, database.IntegerOf("PRAGMA application_id"));
  TRY(const auto schema, database.IntegerOf("PRAGMA user_version"));
  TRY(const auto tables, database.IntegerOf("SELECT count(*) FROM sqlite_schema"));
  if (application != kApplicationId && (application != 0 || schema != 0 || tables != 0)) {
    return Refusal(path, "is the database of another program: give another path");
  }
  if (schema > kJobStoreSchema) {
    return Refusal(path, "was written by a newer version (schema " + std::to_string(schema) +
                             ", this one knows " + std::to_string(kJobStoreSchema) +
                             "): run that version, or give another path");
  }
  return schema;
}

// Two processes may open a new file at once. This change of mode does not wait for the other one by
// itself.
Status UseWriteAheadLog(const Database& database) {
  constexpr auto kPause = std::chrono::milliseconds(10);
  for (auto waited = Duration::zero();; waited += kPause) {
    const auto mode = database.TextOf("PRAGMA journal_mode = WAL");
    if (mode && *mode == "wal") return {};
    if (mode) {
      return Fail(ErrorCode::kInvalidConfig,
                  "job store: its file system does not allow a write-ahead log (" + *mode +
                      "): give a path on a local disk");
    }
    if (mode.error().code != ErrorCode::kUnavailable || waited >= kBusyPatience) {
      return Error(mode.error());
    }
    Database::Pause(kPause);
  }
}

Status Migrate(const Database& database, const std::string& path) {
  TRY(auto transaction, Transaction::Begin(database));
  TRY(const auto schema, SchemaOf(database, path));  // again: another process may have been faster
  for (auto step = schema; step < kJobStoreSchema; ++step) {
    TRY_STATUS(database.Execute(kMigrations.at(static_cast<std::size_t>(step))));
  }
  TRY_STATUS(database.Execute("PRAGMA application_id = " + std::to_string(kApplicationId)));
  TRY_STATUS(database.Execute("PRAGMA user_version = " + std::to_string(kJobStoreSchema)));
  return transaction.Commit();
}

// A file that ends within a page was cut off, unless its log still has what belongs there. SQLite
// itself reads zeroes for what is missing.
Result<bool> EndsWithinAPage(const Database& database, const std::string& path) {
  TRY(const auto page_bytes, database.IntegerOf("PRAGMA page_size"));
  std::error_code ignored;
  const auto bytes = std::filesystem::file_size(path, ignored);
  const auto log_bytes = std::filesystem::file_size(path + "-wal", ignored);
  const bool log_is_empty = ignored || log_bytes == 0;
  return log_is_empty && bytes % static_cast<std::uint64_t>(page_bytes) != 0;
}

Status CheckWhole(const Database& database, const std::string& path) {
  TRY(auto verdict, database.TextOf("PRAGMA quick_check(1)"));
  TRY(const bool cut_off, EndsWithinAPage(database, path));
  if (cut_off) verdict = "it ends in the middle of a page";
  if (verdict == "ok") return {};
  return Fail(ErrorCode::kCorrupt,
              "job store " + path + " is damaged (" + verdict +
                  "): restore it from a backup, or move it away to begin with an empty one, which "
                  "forgets what was accepted",
              Reason::kDiskError);
}

}  // namespace

Result<Database> OpenJobDatabase(const std::string& path) {
  TRY(auto database, Database::Open(path, kBusyPatience));
  TRY(const auto schema, SchemaOf(database, path));
  TRY_STATUS(CheckWhole(database, path));
  TRY_STATUS(UseWriteAheadLog(database));
  // FULL: every commit is synced, and thereby durable when Save answers.
  TRY_STATUS(database.Execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON"));
  if (schema < kJobStoreSchema) TRY_STATUS(Migrate(database, path));
  return database;
}

}  // namespace prewarm::controller
