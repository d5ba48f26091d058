#include "controller/jobs/sqlite_lease.h"

#include <utility>

namespace prewarm::controller {

using sqlite::Database;
using sqlite::Transaction;

Result<SqliteLease::Row> SqliteLease::Read(const Database& database) {
  TRY(auto select, database.Prepare("SELECT epoch, holder, counter FROM lease"));
  TRY(const bool there, select.Step());
  if (!there) return Fail(ErrorCode::kCorrupt, "job store: the row of its lease is gone");
  return Row{select.Unsigned(0), select.Text(1), select.Unsigned(2)};
}

bool SqliteLease::MayTake(const Row& row) {
  if (row.holder.empty() || row.epoch == held_epoch_) return true;
  const auto now = clock_.Now();
  if (!sighting_ || sighting_->row != row) sighting_ = Sighting{row, now};
  return now - sighting_->since >= patience_;
}

Result<std::optional<Lease>> SqliteLease::TryAcquire(const Database& database,
                                                     const std::string& holder) {
  if (holder.empty()) return Fail(ErrorCode::kInvalidArgument, "a lease needs a holder's name");
  TRY(auto transaction, Transaction::Begin(database));
  TRY(const auto row, Read(database));
  if (!MayTake(row)) return std::optional<Lease>();
  const auto epoch = row.epoch + 1;
  TRY(auto update,
      database.Prepare("UPDATE lease SET epoch = ?, holder = ?, counter = counter + 1"));
  TRY_STATUS(update.Bind(epoch, holder));
  TRY_STATUS(update.Run());
  TRY_STATUS(transaction.Commit());
  held_epoch_ = epoch;
  sighting_.reset();
  return std::optional(Lease{epoch});
}

Result<Transaction> SqliteLease::BeginAsHolder(const Database& database) {
  if (!held_epoch_) return Fail(ErrorCode::kConflict, "job store: this process does not lead");
  TRY(auto transaction, Transaction::Begin(database));
  TRY(const auto row, Read(database));
  if (row.epoch != *held_epoch_ || row.holder.empty()) {
    const auto lost = std::exchange(held_epoch_, std::nullopt);
    return Fail(ErrorCode::kConflict, "job store: the lease of epoch " + std::to_string(*lost) +
                                          " was taken over by " +
                                          (row.holder.empty() ? "nobody" : row.holder) +
                                          " in epoch " + std::to_string(row.epoch));
  }
  return transaction;
}

Status SqliteLease::Renew(const Database& database) {
  TRY(auto transaction, BeginAsHolder(database));
  TRY_STATUS(database.Execute("UPDATE lease SET counter = counter + 1"));
  return transaction.Commit();
}

Status SqliteLease::Release(const Database& database) {
  auto transaction = BeginAsHolder(database);
  if (!transaction) {
    // There is nothing to give up.
    if (transaction.error().code == ErrorCode::kConflict) return {};
    return Error(std::move(transaction).error());
  }
  TRY_STATUS(database.Execute("UPDATE lease SET holder = ''"));
  TRY_STATUS(transaction->Commit());
  held_epoch_.reset();
  return {};
}

}  // namespace prewarm::controller
