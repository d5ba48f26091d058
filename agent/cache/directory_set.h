// The cache directories of one volume as the client sees them: its rules for wildcards, order,
// .lock ids and the ring that gives every block one directory.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/cache/cache_directory.h"
#include "common/base/result.h"
#include "common/juicefs/hash_ring.h"

namespace prewarm::agent {

// <dir>/<UUID> for every entry, wildcards replaced by the directories that exist, in the client's
// order. kInvalidArgument if a wildcard matches nothing.
Result<std::vector<std::string>> ExpandDirectories(const std::vector<std::string>& entries,
                                                   const std::string& uuid);

class DirectorySet {
 public:
  static Result<DirectorySet> Open(const CacheOptions& options);

  [[nodiscard]] std::size_t size() const { return directories_.size(); }
  [[nodiscard]] CacheDirectory& at(std::size_t index) const { return *directories_[index]; }
  [[nodiscard]] std::size_t OwnerOf(std::string_view block_key) const {
    return ring_ ? ring_->Owner(block_key) : 0;
  }

 private:
  Status CheckDistinct() const;
  Status BuildRing(bool create);

  std::vector<std::unique_ptr<CacheDirectory>> directories_;
  std::optional<juicefs::HashRing> ring_;  // only for several directories
};

}  // namespace prewarm::agent
