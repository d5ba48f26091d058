// One task's questions to the clients of its volume: who sees the blocks, who has to be asked when,
// and what they answered. Lives on the control executor.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "agent/mount/cache_verdict.h"
#include "agent/tasks/mount_watch.h"
#include "agent/tasks/task_visibility.h"
#include "common/async/task.h"
#include "common/base/clock.h"

namespace prewarm::agent {

class ClientInquiry {
 public:
  // Both references outlive this.
  ClientInquiry(const Clock& clock, MountWatch& mounts, StoredTask task, PlannedData planned);

  // Looks at the mounts as they are now, or were very lately.
  Task<void> Look();
  // Asks one client whose turn it is; false if there is none (yet), and after a stop.
  Task<bool> AskNext();
  // To be called before the task that is in one of these is stopped.
  void Stop() { stop_.request_stop(); }

  // From what is known.
  [[nodiscard]] TaskVisibility Judge() const;
  // How long to wait before it is worth looking again.
  [[nodiscard]] Duration Pause() const;

 private:
  struct Turn {
    std::string mount_point;
    WallTime at;
  };
  // Of all clients the one to be asked first.
  [[nodiscard]] std::optional<Turn> NextTurn() const;
  Task<void> Ask(std::string mount_point);

  const Clock& clock_;
  MountWatch& mounts_;
  const StoredTask task_;
  const PlannedData planned_;
  std::shared_ptr<const MountSurvey> survey_;
  ClientAnswers answers_;
  std::map<std::string, AskHistory> asked_;  // by mount point
  std::stop_source stop_;
};

}  // namespace prewarm::agent
