#include "controller/cli/follow_view.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>

#include "common/base/units.h"
#include "common/process/progress_line.h"
#include "controller/cli/display_width.h"
#include "controller/cli/outcome.h"

namespace prewarm::ctl {
namespace {

constexpr std::size_t kStateColumns = 9;  // "cancelled"
constexpr std::size_t kMostNodeColumns = 24;
constexpr std::size_t kPlainColumns = 100;
constexpr auto kTotalEvery = std::chrono::seconds(5);
constexpr auto kTotal = "total";

ProgressState StateOf(const v1::Progress& progress) {
  return {progress.stored_bytes(), progress.planned_bytes(), progress.failed_blocks(),
          static_cast<double>(progress.bytes_per_second())};
}

std::string Padded(const std::string& text, std::size_t columns) {
  auto fit = CutEnd(Printable(text), columns);
  return fit + std::string(columns - DisplayWidth(fit), ' ');
}

// Failed ones tell why in place of numbers.
std::string Line(const v1::TaskStatus& task, std::size_t node_columns, std::size_t columns) {
  const auto head = Padded(task.node(), node_columns) + "  " + Padded(task.state(), kStateColumns);
  const auto room = columns - std::min(columns, DisplayWidth(head) + 2);
  const bool tells_why = task.state() == "failed" || task.progress().planned_bytes() == 0;
  const auto& why = task.message().empty() ? task.reason() : task.message();
  const auto rest =
      tells_why ? CutEnd(Printable(why), room) : FormatProgress(StateOf(task.progress()), room);
  return CutEnd(rest.empty() ? head : head + "  " + rest, columns);
}

// Those at work before those that wait, and what has ended last.
int Interest(const v1::TaskStatus& task) {
  constexpr std::array<std::pair<std::string_view, int>, 4> kOrder{
      {{"running", 0}, {"stored", 1}, {"failed", 2}, {"queued", 3}}};
  for (const auto& [state, order] : kOrder) {
    if (task.state() == state) return order;
  }
  return task.state() == "visible" ? 5 : 4;
}

std::size_t NodeColumns(const v1::Prewarm& prewarm) {
  std::size_t widest = DisplayWidth(kTotal);
  for (const auto& task : prewarm.tasks()) {
    widest = std::max(widest, DisplayWidth(Printable(task.node())));
  }
  return std::min(widest, kMostNodeColumns);
}

std::string Total(const v1::Prewarm& prewarm, std::size_t node_columns, std::size_t columns) {
  const auto head =
      Padded(kTotal, node_columns) + "  " + Padded(StateWord(prewarm.state()), kStateColumns);
  const auto room = columns - std::min(columns, DisplayWidth(head) + 2);
  if (prewarm.progress().planned_bytes() == 0) {
    return CutEnd(head + "  " + Printable(prewarm.message()), columns);
  }
  return CutEnd(head + "  " + FormatProgress(StateOf(prewarm.progress()), room), columns);
}

}  // namespace

std::vector<std::string> LiveView(const v1::Prewarm& prewarm, std::size_t columns,
                                  std::size_t rows) {
  std::vector<const v1::TaskStatus*> tasks;
  for (const auto& task : prewarm.tasks()) tasks.push_back(&task);
  const auto node_columns = NodeColumns(prewarm);
  std::string left_out;
  const std::size_t room = rows > 3 ? rows - 2 : 1;  // the total and the cursor's line
  if (tasks.size() > room) {
    std::ranges::sort(tasks, {}, [](const auto* task) {
      return std::pair(Interest(*task), std::string_view(task->node()));
    });
    left_out = "… and " + FormatCount(tasks.size() - (room - 1)) + " more nodes";
    tasks.resize(room - 1);
  }
  std::vector<std::string> lines;
  lines.reserve(tasks.size() + 2);
  for (const auto* task : tasks) lines.push_back(Line(*task, node_columns, columns));
  if (!left_out.empty()) lines.push_back(CutEnd(left_out, columns));
  lines.push_back(Total(prewarm, node_columns, columns));
  return lines;
}

std::string TotalLine(const v1::Prewarm& prewarm, std::size_t columns) {
  return Total(prewarm, DisplayWidth(kTotal), columns);
}

std::string EndLine(const v1::Prewarm& prewarm) {
  const auto visible = std::ranges::count(prewarm.tasks(), "visible", &v1::TaskStatus::state);
  std::string text = "prewarm " + prewarm.id() + " " + StateWord(prewarm.state()) + ": " +
                     FormatCount(static_cast<std::uint64_t>(visible)) + " of " +
                     FormatCount(static_cast<std::uint64_t>(prewarm.tasks_size())) +
                     " nodes visible, " + FormatBytes(prewarm.progress().fetched_bytes()) +
                     " fetched";
  if (!prewarm.message().empty()) text += "; " + prewarm.message();
  if (!prewarm.superseded_by().empty()) text += "; superseded by " + prewarm.superseded_by();
  return Printable(text);
}

std::vector<std::string> PlainView::News(const v1::Prewarm& prewarm, SteadyTime now) {
  std::vector<std::string> lines;
  const auto node_columns = NodeColumns(prewarm);
  for (const auto& task : prewarm.tasks()) {
    auto& told = told_[task.node()];
    if (told == task.state()) continue;
    told = task.state();
    lines.push_back(Line(task, node_columns, kPlainColumns));
  }
  if (now >= next_total_ && prewarm.progress().planned_bytes() > 0) {
    next_total_ = now + kTotalEvery;
    lines.push_back(Total(prewarm, node_columns, kPlainColumns));
  }
  return lines;
}

}  // namespace prewarm::ctl
