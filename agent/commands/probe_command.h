// `prewarm-agent probe`: how good this node's cache disks and its link to a store are, and when its
// live mounts see new blocks; with advice in words.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/cache/disk_probe.h"
#include "agent/commands/link_probe.h"
#include "agent/commands/options.h"
#include "agent/commands/volume_session.h"
#include "agent/mount/mounts.h"
#include "agent/mount/visibility.h"
#include "common/async/task.h"

namespace prewarm::agent {

struct ProbeReport {
  struct Directory {
    std::string path;
    Result<DiskReport> disk;
  };
  struct Mount {
    MountSettings settings;
    MountVisibility visibility;
  };
  std::vector<Directory> directories;
  std::vector<Mount> mounts;
  std::optional<LinkReport> link;
  std::vector<std::string> problems;  // mounts that could not be looked at, a store that fails

  // 0: everything was looked at; 3: some of it; 1: nothing.
  [[nodiscard]] int ExitCode() const;
};

boost::json::object ToJson(const ProbeReport& report);
std::string ToText(const ProbeReport& report);

class ProbeCommand {
 public:
  ProbeCommand(const CommandContext& context, ProbeOptions options);

  // Measures the directories given, or those of the mounts found.
  Task<Result<ProbeReport>> Run();
  void Stop() { stopped_ = true; }

 private:
  [[nodiscard]] Result<MountSurvey> Survey() const;
  Task<Result<LinkReport>> MeasureLink();

  const CommandContext& context_;
  ProbeOptions options_;
  bool stopped_ = false;
};

}  // namespace prewarm::agent
