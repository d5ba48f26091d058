// Several buckets as one: the object key's FNV-1a hash picks the bucket.
#pragma once

#include <memory>
#include <vector>

#include "agent/store/object_store.h"
#include "common/juicefs/hash.h"

namespace prewarm::agent {

class ShardedStore final : public ObjectStore {
 public:
  explicit ShardedStore(std::vector<std::unique_ptr<ObjectStore>> shards)
      : shards_(std::move(shards)) {}

  Task<Result<ObjectBytes>> Read(ReadRequest request, std::span<std::byte> into) override {
    return shards_[juicefs::Fnv1a_32(request.key) % shards_.size()]->Read(request, into);
  }
  [[nodiscard]] std::string Describe() const override {
    return std::to_string(shards_.size()) + " shards, the first being " +
           shards_.front()->Describe();
  }

 private:
  std::vector<std::unique_ptr<ObjectStore>> shards_;
};

}  // namespace prewarm::agent
