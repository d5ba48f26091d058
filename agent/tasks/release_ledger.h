// Which blocks this process put into a cache for which prewarm, and which blocks each prewarm
// needs: so that what a new plan no longer names can be taken away, and nothing else. In memory
// only: what is not recorded here is never removed. Pure; lives on the control executor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/tasks/recording_cache.h"
#include "common/juicefs/block_plan.h"

namespace prewarm::agent {

using SharedPlan = std::shared_ptr<const juicefs::BlockPlan>;

// The blocks of some plans, to be asked one by one.
class BlockSet {
 public:
  explicit BlockSet(const std::vector<SharedPlan>& plans);
  [[nodiscard]] bool Has(juicefs::BlockId block) const;

 private:
  std::vector<std::vector<juicefs::BlockRun>> plans_;  // each ascending by slice and index
};

class ReleaseLedger {
 public:
  explicit ReleaseLedger(std::size_t memory_limit = 64U << 20) : memory_limit_(memory_limit) {}

  // What a held prewarm needs from now on, in place of what it needed before.
  void SetNeeds(const std::string& prewarm, const std::string& uuid, SharedPlan plan);
  void AddPublished(const std::string& prewarm, const std::vector<PublishedBlock>& blocks);
  // The controller let go of the task. Its record stays while there is room, for the next
  // generation of the prewarm.
  void LetGo(const std::string& prewarm);

  // Everything that was published for the prewarm, and every plan that needs blocks of its volume;
  // the caller gives back with AddPublished what stays. Empty where too little is known.
  struct Inquiry {
    std::vector<PublishedBlock> published;
    std::vector<SharedPlan> needed;
  };
  Inquiry Take(const std::string& prewarm);

 private:
  struct Record {
    std::string uuid;
    SharedPlan plan;
    std::size_t plan_bytes = 0;
    std::vector<PublishedBlock> published;
    bool held = true;
    std::uint64_t touched = 0;
    [[nodiscard]] std::size_t Bytes() const {
      return plan_bytes + published.size() * sizeof(PublishedBlock);
    }
  };
  void Shrink();

  const std::size_t memory_limit_;
  std::map<std::string, Record> records_;  // by prewarm
  std::set<std::string> incomplete_;       // volumes of which a held task's needs are not known
  std::uint64_t now_ = 0;
};

}  // namespace prewarm::agent
