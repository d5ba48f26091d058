// Where accepted prewarms are durable, and who may write there. One interface for one machine
// (SQLite) and for a cluster. Calls may block: use a store pool, one call at a time per store.
// Every write is fenced: it happens only while this process holds the lease of the store, in the
// same transaction that proves it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "controller/plan/model.h"

namespace prewarm::controller {

struct Lease {
  std::uint64_t epoch = 0;  // larger than any leader's before
};

class JobStore {
 public:
  virtual ~JobStore() = default;

  // Tries to lead. nullopt: another process holds the lease and renewed it since this one first
  // asked (call again; a lease not renewed for `patience` of the caller's own monotonic clock is
  // taken over). Takes it at once if it was given up or never held.
  virtual Result<std::optional<Lease>> TryAcquire(const std::string& holder) = 0;
  // Who holds the lease, as the last TryAcquire saw it; empty: nobody, or not known.
  [[nodiscard]] virtual std::string SeenHolder() const = 0;
  // kConflict: lost. The caller must stop acting at once.
  virtual Status Renew() = 0;
  // Gives the lease up, so that another takes over at once.
  virtual Status Release() = 0;

  // Everything that is not final, and what ended last (at most `ended`), by age.
  virtual Result<std::vector<Prewarm>> Load(std::size_t ended) = 0;
  // Writes whole prewarms with their tasks; durable on return. On one machine all or none; in a
  // cluster each for itself, so that after an error some may be written (saving again is safe). New
  // ones get an `age` in the answer, larger than any before. kConflict: the lease is lost and
  // nothing was written, or a prewarm is final already and would change its state.
  virtual Result<std::vector<Prewarm>> Save(std::vector<Prewarm> prewarms) = 0;
  // The prewarm that used this key in this namespace within the last day.
  virtual Result<std::optional<Prewarm>> FindByKey(const std::string& name_space,
                                                   const std::string& key, WallTime now) = 0;
  virtual Result<std::optional<Prewarm>> Find(const std::string& id) = 0;
  // Ended ones beyond the newest `keep` and older than `before`. Answers how many were removed.
  virtual Result<std::size_t> Prune(std::size_t keep, WallTime before) = 0;

  // The id of the prewarm that would have this name in this namespace. Thread-safe.
  [[nodiscard]] virtual std::string IdOf(const std::string& name_space,
                                         const std::string& name) const = 0;
};

}  // namespace prewarm::controller
