#include "controller/cli/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "controller/cli/display_width.h"
#include "controller/cli/follow_view.h"
#include "controller/cli/text_output.h"

namespace prewarm::ctl {
namespace {

using testing::HasSubstr;

std::size_t WidestLine(const std::string& text) {
  std::istringstream lines(text);
  std::size_t widest = 0;
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, DisplayWidth(line));
  return widest;
}

TEST(DisplayWidth, CountsColumnsAndNotBytes) {
  EXPECT_EQ(DisplayWidth("abc"), 3U);
  EXPECT_EQ(DisplayWidth("größe"), 5U);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1U);
  EXPECT_EQ(DisplayWidth("模型"), 4U);
  EXPECT_EQ(DisplayWidth("🚀"), 2U);
}

TEST(DisplayWidth, CutsBetweenCharacters) {
  EXPECT_EQ(CutEnd("模型模型", 5), "模型…");
  EXPECT_EQ(CutEnd("模型模型", 4), "模…");
  EXPECT_EQ(CutEnd("short", 5), "short");
  EXPECT_EQ(CutBeginning("/models/llama", 6), "…llama");
  EXPECT_EQ(CutEnd("x", 0), "");
}

TEST(DisplayWidth, MakesVisibleWhatATerminalWouldObey) {
  EXPECT_EQ(Printable("a\033[2Jb"), "a?[2Jb");
  EXPECT_EQ(Printable("line\nbreak\r\t"), "line?break??");
  EXPECT_EQ(Printable("\xff\xc0\xaf"), "???");
  EXPECT_EQ(Printable("exe.\u202efdp"), "exe.?fdp");
  EXPECT_EQ(Printable("größe 模型"), "größe 模型");
}

TEST(Table, AlignsAndLeavesNoBlanksAtTheEnd) {
  Table table({{"NAME"}, {"N", Column::Align::kRight}, {"NOTE"}});
  table.Add({"模", "7", "x"});
  table.Add({"abcd", "10", ""});
  EXPECT_EQ(table.ToText(), "NAME   N  NOTE\n模     7  x\nabcd  10  -\n");
}

TEST(Table, GivesRoomWhereItMay) {
  Table table({{"ID"},
               {"PATH", Column::Align::kLeft, Column::Narrow::kCutBeginning},
               {"NOTE", Column::Align::kLeft, Column::Narrow::kCutEnd}});
  table.Add({std::string(26, 'i'), std::string(90, 'p') + "/end", std::string(300, 'n')});
  const auto text = table.ToText();
  EXPECT_EQ(WidestLine(text), 80U);
  EXPECT_THAT(text, HasSubstr(std::string(26, 'i')));
  EXPECT_THAT(text, HasSubstr("ppp/end"));
  EXPECT_THAT(text, HasSubstr("nnn…"));
}

v1::Prewarm LongPrewarm(int nodes) {
  v1::Prewarm prewarm;
  prewarm.set_id("01JDGWX3QK5Z8V9N2M4P6R7S8T");
  prewarm.set_state(v1::PREWARM_STATE_SUPERSEDED);
  prewarm.mutable_spec()->set_volume("a-volume-with-a-rather-long-name");
  prewarm.mutable_spec()->add_paths("organisation/team/模型/llama-3.1-405b-instruct/current");
  for (int i = 0; i < nodes; ++i) {
    auto& task = *prewarm.add_tasks();
    task.set_node("gke-cluster-1-gpu-pool-h100-8f2b-" + std::to_string(i) + ".internal");
    task.set_state(i % 3 == 0 ? "visible" : i % 3 == 1 ? "running" : "failed");
    task.set_message("the store refuses our credentials: AccessDenied");
    task.mutable_progress()->set_planned_bytes(1ULL << 60);
    task.mutable_progress()->set_stored_bytes((1ULL << 59) + 123);
    task.mutable_progress()->set_bytes_per_second(123'456'789);
    task.mutable_progress()->set_failed_blocks(1'234'567);
  }
  prewarm.mutable_progress()->set_planned_bytes(1ULL << 62);
  prewarm.mutable_progress()->set_stored_bytes(1ULL << 61);
  return prewarm;
}

TEST(TextOutput, FitsEightyColumnsWhateverTheNames) {
  const auto prewarm = LongPrewarm(3);
  EXPECT_LE(WidestLine(PrewarmTable({prewarm, prewarm}, WallTime{})), 80U);
  const auto described = Describe(prewarm, WallTime{});
  EXPECT_LE(WidestLine(described.substr(described.find("\n\n"))), 80U);
  v1::Node node;
  node.set_name(std::string(253, 'n'));
  node.set_version("0.1.0+build.20261125.deadbeefdeadbeef");
  node.set_available_bytes(~0ULL);
  node.set_queued_bytes(1023ULL << 50);
  node.set_bytes_per_second(1023ULL << 20);
  EXPECT_LE(WidestLine(NodeTable({node}, WallTime{})), 80U);
  v1::VolumeStatus volume;
  volume.set_name(std::string(253, 'v'));
  volume.set_message(std::string(500, 'm'));
  EXPECT_LE(WidestLine(VolumeTable({volume}, WallTime{})), 80U);
  v1::ListFilesResponse files;
  auto& file = *files.add_files();
  file.set_path(std::string(4096, 'p'));
  file.set_bytes(~0ULL);
  EXPECT_LE(WidestLine(FileTable(files, true)), 80U);
}

TEST(TextOutput, TellsWhyANodeWasChosen) {
  v1::Prewarm prewarm;
  EXPECT_THAT(Describe(prewarm, WallTime{}), testing::Not(testing::HasSubstr("SIGNAL")));
  prewarm.mutable_workload()->set_kind("BentoDeployment");
  prewarm.mutable_workload()->set_name("chat");
  auto& target = *prewarm.add_targets();
  target.set_node(std::string(253, 'n'));
  target.set_priority(1000);
  target.set_signal("consolidation-target");
  target.set_why("the autoscaler wants 4 replicas, 1 is bound, and this node has free GPUs");
  const auto described = Describe(prewarm, WallTime{});
  EXPECT_THAT(described, testing::HasSubstr("For:       BentoDeployment chat\n"));
  const auto table = described.substr(described.find("\n\n"));
  EXPECT_THAT(table, testing::HasSubstr("consolidation-target  the autoscaler"));
  EXPECT_LE(WidestLine(table), 80U);
}

TEST(LiveView, ShowsALinePerNodeAndTheTotalWithinTheTerminal) {
  const auto prewarm = LongPrewarm(3);
  for (const std::size_t columns : {20U, 40U, 79U, 200U}) {
    const auto lines = LiveView(prewarm, columns, 24);
    ASSERT_EQ(lines.size(), 4U);
    for (const auto& line : lines) EXPECT_LE(DisplayWidth(line), columns) << line;
  }
  EXPECT_THAT(LiveView(prewarm, 79, 24).back(), testing::StartsWith("total"));
}

TEST(LiveView, ShowsNodesAtWorkFirstWhenNotAllFit) {
  const auto lines = LiveView(LongPrewarm(300), 100, 24);
  ASSERT_EQ(lines.size(), 23U);
  EXPECT_THAT(lines.front(), HasSubstr("running"));
  EXPECT_THAT(lines[21], HasSubstr("… and 279 more nodes"));
}

TEST(PlainView, TellsOnlyWhatIsNew) {
  auto prewarm = LongPrewarm(2);
  PlainView view;
  SteadyTime now{std::chrono::seconds(100)};
  EXPECT_EQ(view.News(prewarm, now).size(), 3U);  // two nodes and the total
  EXPECT_EQ(view.News(prewarm, now).size(), 0U);
  prewarm.mutable_tasks(1)->set_state("visible");
  const auto news = view.News(prewarm, now);
  ASSERT_EQ(news.size(), 1U);
  EXPECT_THAT(news.front(), HasSubstr("visible"));
  EXPECT_EQ(view.News(prewarm, now + std::chrono::seconds(5)).size(), 1U);
}

}  // namespace
}  // namespace prewarm::ctl
