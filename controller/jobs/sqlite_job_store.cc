#include "controller/jobs/sqlite_job_store.h"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/jobs/job_json.h"
#include "controller/jobs/sqlite.h"
#include "controller/jobs/sqlite_lease.h"
#include "controller/jobs/sqlite_schema.h"

namespace prewarm::controller {
namespace {

using sqlite::Database;
using sqlite::Statement;

constexpr auto kKeyLifetime = std::chrono::hours(24);

// In the order in which ReadPrewarm takes them.
constexpr std::string_view kSelectPrewarms =
    "SELECT age, id, namespace, idempotency_key, spec, state, reason, message, created_at, "
    "ended_at, superseded_by, generation, plan_hash, files FROM prewarms ";

std::string Select(std::string_view rest) {
  return std::string(kSelectPrewarms) + std::string(rest);
}

std::optional<std::int64_t> Stored(const std::optional<WallTime>& moment) {
  if (!moment) return std::nullopt;
  return ToNanoseconds(*moment);
}

std::optional<WallTime> MomentIn(const Statement& row, int column) {
  if (row.IsNull(column)) return std::nullopt;
  return FromNanoseconds(row.Integer(column));
}

Error UnknownState(const std::string& name) {
  return Fail(ErrorCode::kCorrupt, "job store: \"" + name + "\" is not a state");
}

Result<NodeTask> ReadTask(const Statement& row) {
  NodeTask task;
  task.node = row.Text(0);
  task.generation = row.Unsigned(1);
  const auto state = TaskStateNamed(row.Text(2));
  if (!state) return UnknownState(row.Text(2));
  task.state = *state;
  task.reason = row.Text(3);
  task.message = row.Text(4);
  TRY(task.progress, ProgressFromJson(row.Text(5)));
  task.visible_at = MomentIn(row, 6);
  return task;
}

Result<std::map<std::string, NodeTask>> ReadTasks(Statement& select, std::uint64_t age) {
  TRY_STATUS(select.Bind(age));
  std::map<std::string, NodeTask> tasks;
  for (;;) {
    TRY(const bool more, select.Step());
    if (!more) return tasks;
    TRY(auto task, ReadTask(select));
    tasks.emplace(task.node, std::move(task));
  }
}

Result<Statement> SelectTasks(const Database& database) {
  return database.Prepare(
      "SELECT node, generation, state, reason, message, progress, visible_at FROM tasks "
      "WHERE prewarm = ?");
}

Result<Prewarm> ReadPrewarm(const Statement& row, Statement& select_tasks) {
  Prewarm prewarm;
  prewarm.age = row.Unsigned(0);
  prewarm.id = row.Text(1);
  prewarm.name_space = row.Text(2);
  prewarm.idempotency_key = row.Text(3);
  TRY(prewarm.spec, SpecFromJson(row.Text(4)));
  const auto state = PrewarmStateNamed(row.Text(5));
  if (!state) return UnknownState(row.Text(5));
  prewarm.state = *state;
  prewarm.reason = row.Text(6);
  prewarm.message = row.Text(7);
  prewarm.created_at = FromNanoseconds(row.Integer(8));
  prewarm.ended_at = MomentIn(row, 9);
  prewarm.superseded_by = row.Text(10);
  prewarm.generation = row.Unsigned(11);
  prewarm.plan_hash = row.Unsigned(12);
  prewarm.files = row.Unsigned(13);
  TRY(prewarm.tasks, ReadTasks(select_tasks, prewarm.age));
  return prewarm;
}

// Runs a bound `select`.
Result<std::vector<Prewarm>> ReadPrewarms(const Database& database, Statement& select) {
  TRY(auto select_tasks, SelectTasks(database));
  std::vector<Prewarm> prewarms;
  for (;;) {
    TRY(const bool more, select.Step());
    if (!more) return prewarms;
    auto prewarm = ReadPrewarm(select, select_tasks);
    if (!prewarm) {
      return Error(std::move(prewarm).error()).Within("reading prewarm " + select.Text(1));
    }
    prewarms.push_back(*std::move(prewarm));
  }
}

Result<std::optional<Prewarm>> ReadAtMostOne(const Database& database, Statement& select) {
  TRY(auto prewarms, ReadPrewarms(database, select));
  if (prewarms.empty()) return std::optional<Prewarm>();
  return std::optional(std::move(prewarms.front()));
}

// The statements of one Save, prepared once for all of its prewarms.
class Writer {
 public:
  static Result<Writer> For(const Database& database) {
    TRY(auto find, database.Prepare("SELECT age, final, state FROM prewarms WHERE id = ?"));
    TRY(auto insert, database.Prepare("INSERT INTO prewarms (id, namespace, idempotency_key, spec, "
                                      "created_at, state, final, reason, message, ended_at, "
                                      "superseded_by, generation, plan_hash, files) "
                                      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    TRY(auto update, database.Prepare("UPDATE prewarms SET spec = ?, state = ?, final = ?, "
                                      "reason = ?, message = ?, ended_at = ?, superseded_by = ?, "
                                      "generation = ?, plan_hash = ?, files = ? WHERE age = ?"));
    TRY(auto select_tasks, SelectTasks(database));
    TRY(auto put_task,
        database.Prepare("INSERT OR REPLACE INTO tasks (prewarm, node, generation, state, reason, "
                         "message, progress, visible_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"));
    TRY(auto drop_task, database.Prepare("DELETE FROM tasks WHERE prewarm = ? AND node = ?"));
    return Writer{database,
                  std::move(find),
                  std::move(insert),
                  std::move(update),
                  std::move(select_tasks),
                  std::move(put_task),
                  std::move(drop_task)};
  }

  // Sets the age of a new one.
  Status Write(Prewarm& prewarm) {
    TRY_STATUS(find_.Bind(prewarm.id));
    TRY(const bool known, find_.Step());
    if (!known) {
      TRY_STATUS(Insert(prewarm));
    } else {
      if (find_.Integer(1) != 0 && find_.Text(2) != StateName(prewarm.state)) {
        return Fail(ErrorCode::kConflict, "prewarm " + prewarm.id + " has ended as " +
                                              find_.Text(2) + " and cannot become " +
                                              std::string(StateName(prewarm.state)));
      }
      prewarm.age = find_.Unsigned(0);
      TRY_STATUS(Update(prewarm));
    }
    return WriteTasks(prewarm);
  }

 private:
  Writer(const Database& database, Statement find, Statement insert, Statement update,
         Statement select_tasks, Statement put_task, Statement drop_task)
      : database_(&database),
        find_(std::move(find)),
        insert_(std::move(insert)),
        update_(std::move(update)),
        select_tasks_(std::move(select_tasks)),
        put_task_(std::move(put_task)),
        drop_task_(std::move(drop_task)) {}

  Status Insert(Prewarm& prewarm) {
    TRY_STATUS(insert_.Bind(prewarm.id, prewarm.name_space, prewarm.idempotency_key,
                            SpecToJson(prewarm.spec), ToNanoseconds(prewarm.created_at),
                            StateName(prewarm.state), IsFinal(prewarm.state), prewarm.reason,
                            prewarm.message, Stored(prewarm.ended_at), prewarm.superseded_by,
                            prewarm.generation, prewarm.plan_hash, prewarm.files));
    TRY_STATUS(insert_.Run());
    prewarm.age = static_cast<std::uint64_t>(database_->LastRowId());
    return {};
  }

  Status Update(const Prewarm& prewarm) {
    TRY_STATUS(update_.Bind(SpecToJson(prewarm.spec), StateName(prewarm.state),
                            IsFinal(prewarm.state), prewarm.reason, prewarm.message,
                            Stored(prewarm.ended_at), prewarm.superseded_by, prewarm.generation,
                            prewarm.plan_hash, prewarm.files, prewarm.age));
    return update_.Run();
  }

  // Only those that differ: a prewarm of a thousand nodes is saved about as often.
  Status WriteTasks(const Prewarm& prewarm) {
    TRY(const auto stored, ReadTasks(select_tasks_, prewarm.age));
    for (const auto& [node, task] : prewarm.tasks) {
      const auto at = stored.find(node);
      if (at != stored.end() && at->second == task) continue;
      TRY_STATUS(put_task_.Bind(prewarm.age, node, task.generation, StateName(task.state),
                                task.reason, task.message, ProgressToJson(task.progress),
                                Stored(task.visible_at)));
      TRY_STATUS(put_task_.Run());
    }
    for (const auto& [node, task] : stored) {
      if (prewarm.tasks.contains(node)) continue;
      TRY_STATUS(drop_task_.Bind(prewarm.age, node));
      TRY_STATUS(drop_task_.Run());
    }
    return {};
  }

  const Database* database_;
  Statement find_;
  Statement insert_;
  Statement update_;
  Statement select_tasks_;
  Statement put_task_;
  Statement drop_task_;
};

class SqliteJobStore final : public JobStore {
 public:
  SqliteJobStore(Database database, const Clock& clock, Duration patience)
      : database_(std::move(database)), lease_(clock, patience) {}

  Result<std::optional<Lease>> TryAcquire(const std::string& holder) override {
    return lease_.TryAcquire(database_, holder);
  }
  [[nodiscard]] std::string SeenHolder() const override { return lease_.seen_holder(); }
  Status Renew() override { return lease_.Renew(database_); }
  Status Release() override { return lease_.Release(database_); }

  Result<std::vector<Prewarm>> Load(std::size_t ended) override {
    TRY(auto select,
        database_.Prepare(Select("WHERE NOT final OR age IN (SELECT age FROM prewarms WHERE final "
                                 "ORDER BY ended_at DESC, age DESC LIMIT ?) ORDER BY age")));
    TRY_STATUS(select.Bind(std::uint64_t{ended}));
    return ReadPrewarms(database_, select);
  }

  Result<std::vector<Prewarm>> Save(std::vector<Prewarm> prewarms) override {
    TRY(auto transaction, lease_.BeginAsHolder(database_));
    {
      TRY(auto writer, Writer::For(database_));
      for (auto& prewarm : prewarms) TRY_STATUS(writer.Write(prewarm));
    }  // its statements must have ended before the commit
    TRY_STATUS(transaction.Commit());
    return prewarms;
  }

  Result<std::optional<Prewarm>> FindByKey(const std::string& name_space, const std::string& key,
                                           WallTime now) override {
    TRY(auto select, database_.Prepare(Select(
                         "WHERE namespace = ? AND idempotency_key = ? AND idempotency_key <> '' "
                         "AND created_at > ? ORDER BY age DESC LIMIT 1")));
    TRY_STATUS(select.Bind(name_space, key, ToNanoseconds(now - kKeyLifetime)));
    return ReadAtMostOne(database_, select);
  }

  Result<std::optional<Prewarm>> Find(const std::string& id) override {
    TRY(auto select, database_.Prepare(Select("WHERE id = ?")));
    TRY_STATUS(select.Bind(id));
    return ReadAtMostOne(database_, select);
  }

  Result<std::size_t> Prune(std::size_t keep, WallTime before) override {
    TRY(auto transaction, lease_.BeginAsHolder(database_));
    TRY(auto remove, database_.Prepare("DELETE FROM prewarms WHERE final AND ended_at < ? AND age "
                                       "NOT IN (SELECT age FROM prewarms WHERE final "
                                       "ORDER BY ended_at DESC, age DESC LIMIT ?)"));
    TRY_STATUS(remove.Bind(ToNanoseconds(before), std::uint64_t{keep}));
    TRY_STATUS(remove.Run());
    const auto removed = static_cast<std::size_t>(database_.Changes());
    TRY_STATUS(transaction.Commit());
    return removed;
  }

  // Names are unique over all namespaces here.
  [[nodiscard]] std::string IdOf(const std::string& /*name_space*/,
                                 const std::string& name) const override {
    return name;
  }

 private:
  Database database_;
  SqliteLease lease_;
};

}  // namespace

Result<std::unique_ptr<JobStore>> OpenSqliteJobStore(const std::string& path, const Clock& clock,
                                                     Duration patience) {
  TRY(auto database, OpenJobDatabase(path));
  return std::make_unique<SqliteJobStore>(std::move(database), clock, patience);
}

}  // namespace prewarm::controller
