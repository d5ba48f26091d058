// `prewarm-agent verify`: looks at every block that some files need, as the client would, and says
// exactly what is wrong with each one that is not whole.
#pragma once

#include <array>
#include <boost/json/object.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/cache/block_verifier.h"
#include "agent/commands/options.h"
#include "agent/commands/volume_session.h"
#include "common/async/task.h"
#include "common/juicefs/block_plan.h"
#include "common/process/progress_line.h"

namespace prewarm::agent {

struct VerifyReport {
  static constexpr std::size_t kFindings = static_cast<std::size_t>(BlockFinding::kReadError) + 1;
  static constexpr std::size_t kListed = 10000;  // findings kept; all are counted

  std::string volume_name;
  std::string volume_uuid;
  std::uint64_t files = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t planned_blocks = 0;
  std::uint64_t checked_blocks = 0;
  std::uint64_t checked_bytes = 0;
  std::array<std::uint64_t, kFindings> by_finding{};
  std::uint64_t store_errors = 0;  // blocks that could not be compared
  std::vector<BlockReport> findings;
  std::vector<std::string> keys;         // of `findings`
  std::vector<std::string> directories;  // of `findings`
  std::vector<std::string> errors;
  bool against_store = false;
  bool stopped = false;
  double seconds = 0;

  [[nodiscard]] std::uint64_t Good() const;
  [[nodiscard]] int ExitCode() const;
};

boost::json::object ToJson(const VerifyReport& report);
std::string ToText(const VerifyReport& report);

class VerifyCommand {
 public:
  VerifyCommand(const CommandContext& context, VerifyOptions options);

  Task<Result<VerifyReport>> Run();
  void Stop() { stopped_ = true; }

 private:
  struct Lane;

  Task<Status> CheckAll(const juicefs::BlockPlan& plan, VerifyReport& report);
  Task<void> CheckSome(const juicefs::BlockPlan& plan, Lane& lane, VerifyReport& report);
  Task<BlockReport> CheckOne(juicefs::BlockId block, Lane& lane, VerifyReport& report);
  // The block's plain bytes from the store into the lane's buffer; a few attempts.
  Task<Status> FetchPlain(juicefs::BlockId block, Lane& lane);
  void Record(BlockReport found, VerifyReport& report);

  const CommandContext& context_;
  VerifyOptions options_;
  ProgressLine progress_;
  RateMeter rate_;
  std::unique_ptr<VolumeSession> session_;
  std::vector<std::string> directory_names_;
  std::uint64_t next_ = 0;
  bool stopped_ = false;
};

}  // namespace prewarm::agent
