#include "controller/cli/text_output.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "common/base/units.h"
#include "controller/cli/display_width.h"
#include "controller/cli/outcome.h"
#include "controller/cli/words.h"

namespace prewarm::ctl {
namespace {

using Align = Column::Align;
using Narrow = Column::Narrow;
using google::protobuf::Timestamp;

// "in 12m", as far as it is known.
std::string Until(bool known, const Timestamp& when, WallTime now) {
  return known ? ShortDuration(ToWallTime(when) - now) : "";
}

// "visible" of all tasks: "2/3".
std::string VisibleNodes(const v1::Prewarm& prewarm) {
  const auto visible = std::ranges::count(prewarm.tasks(), "visible", &v1::TaskStatus::state);
  return std::to_string(visible) + "/" + std::to_string(prewarm.tasks_size());
}

// Lines "name:     value"; values that are not known are left out.
class Description {
 public:
  void Add(std::string name, const std::string& value) {
    if (!value.empty()) lines_.emplace_back(std::move(name), Printable(value));
  }
  void Add(std::string name, bool known, const Timestamp& when) {
    if (known) Add(std::move(name), FullTime(when));
  }
  [[nodiscard]] std::string ToText() const {
    std::size_t widest = 0;
    for (const auto& line : lines_) widest = std::max(widest, line.first.size());
    std::string text;
    for (const auto& [name, value] : lines_) {
      text += name + ":" + std::string(widest - name.size() + 2, ' ') + value + "\n";
    }
    return text;
  }

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

std::string ProgressWords(const v1::Progress& progress) {
  if (progress.planned_bytes() == 0) return "";
  std::string text = FormatBytes(progress.stored_bytes()) + " of " +
                     FormatBytes(progress.planned_bytes()) + " stored, " +
                     FormatBytes(progress.visible_bytes()) + " visible";
  if (progress.failed_blocks() > 0) {
    text += ", " + FormatCount(progress.failed_blocks()) + " blocks failed";
  }
  if (progress.bytes_per_second() > 0) text += ", " + RateWord(progress.bytes_per_second());
  return text;
}

std::string TaskTable(const v1::Prewarm& prewarm, WallTime now) {
  Table table({{"NODE", Align::kLeft, Narrow::kCutEnd},
               {"STATE"},
               {"STORED", Align::kRight},
               {"OF", Align::kRight},
               {"RATE", Align::kRight},
               {"ETA", Align::kRight},
               {"MESSAGE", Align::kLeft, Narrow::kCutEnd}});
  for (const auto& task : prewarm.tasks()) {
    const auto& progress = task.progress();
    std::string message = task.reason();
    if (!task.message().empty()) message += (message.empty() ? "" : ": ") + task.message();
    table.Add({task.node(), task.state(), FormatBytes(progress.stored_bytes()),
               FormatBytes(progress.planned_bytes()), RateWord(progress.bytes_per_second()),
               Until(task.has_eta(), task.eta(), now), message});
  }
  return table.empty() ? "" : "\n" + table.ToText();
}

// Why each node was chosen.
std::string TargetTable(const v1::Prewarm& prewarm) {
  Table table({{"TARGET", Align::kLeft, Narrow::kCutEnd},
               {"PRIORITY", Align::kRight},
               {"SIGNAL"},
               {"WHY", Align::kLeft, Narrow::kCutEnd}});
  for (const auto& target : prewarm.targets()) {
    table.Add({target.node(), std::to_string(target.priority()), target.signal(), target.why()});
  }
  return table.empty() ? "" : "\n" + table.ToText();
}

std::string StateWithReason(const v1::Prewarm& prewarm) {
  std::string text = StateWord(prewarm.state());
  if (!prewarm.reason().empty()) text += " (" + prewarm.reason() + ")";
  return text;
}

}  // namespace

std::string PrewarmTable(const std::vector<v1::Prewarm>& prewarms, WallTime now) {
  Table table({{"ID"},
               {"STATE"},
               {"VOLUME", Align::kLeft, Narrow::kCutEnd},
               {"WHAT", Align::kLeft, Narrow::kCutBeginning},
               {"DONE", Align::kRight},
               {"NODES", Align::kRight},
               {"AGE", Align::kRight}});
  for (const auto& prewarm : prewarms) {
    const auto& progress = prewarm.progress();
    table.Add({prewarm.id(), StateWord(prewarm.state()), prewarm.spec().volume(),
               SubjectOf(prewarm.spec()),
               ShareWord(progress.stored_bytes(), progress.planned_bytes()), VisibleNodes(prewarm),
               ShortDuration(now - ToWallTime(prewarm.created_at()))});
  }
  return table.empty() ? "no prewarms\n" : table.ToText();
}

std::string NodeTable(const std::vector<v1::Node>& nodes, WallTime now) {
  Table table({{"NAME", Align::kLeft, Narrow::kCutEnd},
               {"STATE"},
               {"TASKS", Align::kRight},
               {"QUEUED", Align::kRight},
               {"RATE", Align::kRight},
               {"ETA", Align::kRight},
               {"FREE", Align::kRight},
               {"VERSION", Align::kLeft, Narrow::kCutEnd}});
  for (const auto& node : nodes) {
    table.Add({node.name(), StateWord(node), std::to_string(node.tasks()),
               FormatBytes(node.queued_bytes()), RateWord(node.bytes_per_second()),
               Until(node.has_eta(), node.eta(), now), FormatBytes(node.available_bytes()),
               node.version()});
  }
  return table.empty() ? "no nodes: no agent has connected\n" : table.ToText();
}

std::string VolumeTable(const std::vector<v1::VolumeStatus>& volumes, WallTime now) {
  Table table({{"NAME", Align::kLeft, Narrow::kCutEnd},
               {"STORAGE", Align::kLeft, Narrow::kCutEnd},
               {"METADATA"},
               {"PREWARMS", Align::kRight},
               {"RATE", Align::kRight},
               {"ETA", Align::kRight},
               {"MESSAGE", Align::kLeft, Narrow::kCutEnd}});
  for (const auto& volume : volumes) {
    table.Add({volume.name(), volume.storage(), volume.reachable() ? "reachable" : "away",
               std::to_string(volume.prewarms()), RateWord(volume.bytes_per_second()),
               Until(volume.has_eta(), volume.eta(), now), volume.message()});
  }
  return table.empty() ? "no volumes: the controller's configuration names none\n" : table.ToText();
}

std::string FileTable(const v1::ListFilesResponse& page, bool with_titles) {
  // The first columns are as wide as they ever get, so that pages line up.
  const auto row = [](std::string_view size, std::string_view slices, std::string_view path) {
    const auto right = [](std::string_view text, std::size_t width) {
      return std::string(width - std::min(width, text.size()), ' ') + std::string(text);
    };
    constexpr std::size_t kBefore = 10 + 2 + 7 + 2;
    return right(size, 10) + "  " + right(slices, 7) + "  " +
           CutBeginning(Printable(path), kTableColumns - kBefore) + "\n";
  };
  std::string text = with_titles ? row("SIZE", "SLICES", "PATH") : "";
  for (const auto& file : page.files()) {
    text += row(FormatBytes(file.bytes()), std::to_string(file.slices()), file.path());
  }
  return text;
}

std::string FilesTotal(const v1::ListFilesResponse& page) {
  return FormatCount(page.total_files()) + (page.total_files() == 1 ? " file, " : " files, ") +
         FormatBytes(page.total_bytes()) + "\n";
}

std::string Describe(const v1::Prewarm& prewarm, WallTime now) {
  const auto& spec = prewarm.spec();
  Description about;
  about.Add("ID", prewarm.id());
  about.Add("Namespace", prewarm.namespace_());
  about.Add("State", StateWithReason(prewarm));
  about.Add("Message", prewarm.message());
  if (prewarm.has_workload()) {
    about.Add("For", prewarm.workload().kind() + " " + prewarm.workload().name());
  }
  about.Add("Volume", spec.volume());
  about.Add("Model", spec.model());
  for (const auto& path : spec.paths()) about.Add("Path", path);
  if (!prewarm.has_workload()) about.Add("Nodes", NodesWord(spec.nodes()));
  about.Add("Priority", std::to_string(spec.priority()));
  about.Add("Deadline", spec.has_deadline(), spec.deadline());
  about.Add("Kept", spec.keep() ? "yes" : "");
  about.Add("Created", prewarm.has_created_at(), prewarm.created_at());
  about.Add("Ended", prewarm.has_ended_at(), prewarm.ended_at());
  about.Add("Superseded by", prewarm.superseded_by());
  about.Add("Files", prewarm.generation() > 0 ? FormatCount(prewarm.files()) : "");
  about.Add("Progress", ProgressWords(prewarm.progress()));
  about.Add("Forecast", prewarm.forecast().words());
  return about.ToText() + TaskTable(prewarm, now) + TargetTable(prewarm);
}

std::string Describe(const v1::Node& node, WallTime now) {
  Description about;
  about.Add("Name", node.name());
  about.Add("State", StateWord(node));
  about.Add("Seen", node.has_seen_at(), node.seen_at());
  about.Add("Version", node.version());
  const std::map<std::string, std::string> labels(node.labels().begin(), node.labels().end());
  for (const auto& [name, value] : labels) {
    about.Add("Label", std::string(name).append("=").append(value));
  }
  about.Add("Cache", FormatBytes(node.available_bytes()) + " available of " +
                         FormatBytes(node.capacity_bytes()));
  for (const auto& volume : node.volumes()) about.Add("Volume", volume);
  about.Add("Tasks", std::to_string(node.tasks()) + ", " + FormatBytes(node.queued_bytes()) +
                         " to be fetched");
  about.Add("Rate", RateWord(node.bytes_per_second()));
  about.Add("Limit", RateWord(node.download_limit()));
  about.Add("Idle in", Until(node.has_eta(), node.eta(), now));
  return about.ToText();
}

std::string Describe(const v1::VolumeStatus& volume, WallTime now) {
  Description about;
  about.Add("Name", volume.name());
  about.Add("UUID", volume.uuid());
  about.Add("Storage", volume.storage());
  about.Add("Metadata", volume.reachable() ? "reachable" : "away");
  about.Add("Message", volume.message());
  about.Add("Prewarms", std::to_string(volume.prewarms()) + " not ended");
  about.Add("Rate", RateWord(volume.bytes_per_second()));
  about.Add("Idle in", Until(volume.has_eta(), volume.eta(), now));
  return about.ToText();
}

std::string Describe(const v1::PrewarmPlan& plan) {
  Description about;
  about.Add("Volume", plan.spec().volume());
  for (const auto& path : plan.spec().paths()) about.Add("Path", path);
  about.Add("Files", FormatCount(plan.files()));
  about.Add("Per node",
            FormatBytes(plan.bytes()) + " in " + FormatCount(plan.blocks()) + " blocks");
  about.Add("Forecast", plan.forecast().words());
  for (const auto& id : plan.superseded()) about.Add("Supersedes", id);
  std::string text = about.ToText();
  Table actions({{"NODE", Align::kLeft, Narrow::kCutEnd}, {"ACTION"}, {"BYTES", Align::kRight}});
  for (const auto& action : plan.actions()) {
    actions.Add({action.node(), action.action(), FormatBytes(action.bytes())});
  }
  text += actions.empty() ? "\nnothing to do\n" : "\n" + actions.ToText();
  Table rejected(
      {{"NOT ON", Align::kLeft, Narrow::kCutEnd}, {"BECAUSE", Align::kLeft, Narrow::kCutEnd}});
  for (const auto& node : plan.rejected()) rejected.Add({node.node(), node.reason()});
  return rejected.empty() ? text : text + "\n" + rejected.ToText();
}

}  // namespace prewarm::ctl
