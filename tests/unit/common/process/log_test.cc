#include "common/process/log.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <chrono>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

namespace prewarm {
namespace {

using std::chrono_literals::operator""ms;

// A log whose lines a test reads, without the time that they begin with.
class Lines {
 public:
  Logger::Sink Sink() {
    return [this](std::string_view line) { lines_.emplace_back(line); };
  }
  std::string Take() {
    if (lines_.empty()) return "nothing";
    std::string line = lines_.front();
    lines_.erase(lines_.begin());
    return line.starts_with("20") ? line.substr(line.find(' ') + 1) : line;
  }
  std::vector<std::string> lines_;
};

TEST(Log, WritesOneLineForEachEvent) {
  Lines lines;
  const Logger log(LogLevel::kInfo, LogFormat::kText, lines.Sink());
  log.Info("task_done", {{"task", "t-1"}, {"bytes", 4'194'304U}, {"ratio", 0.5}, {"kept", true}});
  EXPECT_EQ(lines.Take(), "info task_done task=t-1 bytes=4194304 ratio=0.5 kept=true");
  log.Warn("slow");
  EXPECT_EQ(lines.Take(), "warn slow");
  log.Error("lost", {{"change", -1}, {"after", 1500ms}});
  EXPECT_EQ(lines.Take(), "error lost change=-1 after=1.5");
}

TEST(Log, BeginsLinesWithTheTimeInUtc) {
  Lines lines;
  const Logger log(LogLevel::kInfo, LogFormat::kText, lines.Sink());
  log.Info("x");
  const std::string line = lines.lines_.at(0);
  EXPECT_EQ(line.size(), std::string("2026-11-25T00:30:42.123Z info x").size()) << line;
  EXPECT_EQ(line[10], 'T');
  EXPECT_EQ(line[23], 'Z');
}

TEST(Log, LeavesOutWhatIsBelowItsLevelWhichCanChange) {
  Lines lines;
  const Logger log(LogLevel::kInfo, LogFormat::kText, lines.Sink());
  const Logger narrower = log.With({{"task", "t"}});
  narrower.Debug("hidden");
  log.SetLevel(LogLevel::kDebug);
  narrower.Debug("seen");
  EXPECT_EQ(lines.Take(), "debug seen task=t");
  log.SetLevel(LogLevel::kError);
  narrower.Warn("hidden");
  EXPECT_TRUE(lines.lines_.empty());
}

TEST(Log, QuotesWhatCouldBeMisread) {
  Lines lines;
  const Logger log(LogLevel::kInfo, LogFormat::kText, lines.Sink());
  log.Info("x", {{"a", "two words"}, {"b", ""}, {"c", "say \"no\" \\"}, {"d", "k=v"}});
  EXPECT_EQ(lines.Take(), R"(info x a="two words" b="" c="say \"no\" \\" d="k=v")");
  log.Info("x", {{"forged", "a\ninfo done\r\t\x1b[31m\x7f\xc2\x85"}, {"bytes", "\xff\xc3\xa4"}});
  EXPECT_EQ(lines.Take(),
            "info x forged=\"a\\ninfo done\\r\\t\\u001b[31m\\u007f\\u0085\" "
            "bytes=\"\xef\xbf\xbd\xc3\xa4\"");
}

TEST(Log, WritesJsonThatParses) {
  Lines lines;
  const Logger log(LogLevel::kInfo, LogFormat::kJson, lines.Sink());
  log.With({{"node", "n1"}})
      .Info("task_done", {{"text", "two \"words\"\n"},
                          {"big", std::numeric_limits<std::uint64_t>::max()},
                          {"small", std::numeric_limits<std::int64_t>::min()},
                          {"nan", std::numeric_limits<double>::quiet_NaN()}});
  const auto line = boost::json::parse(lines.Take()).as_object();
  EXPECT_EQ(line.at("level"), "info");
  EXPECT_EQ(line.at("event"), "task_done");
  EXPECT_EQ(line.at("node"), "n1");
  EXPECT_EQ(line.at("text"), "two \"words\"\n");
  EXPECT_EQ(line.at("big"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(line.at("small"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(line.at("nan"), "nan");
  EXPECT_EQ(line.at("time").as_string().size(), 24U);
}

TEST(Log, StaysOneValidLineWhateverTheValue) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  Lines lines;
  const Logger text(LogLevel::kInfo, LogFormat::kText, lines.Sink());
  const Logger json(LogLevel::kInfo, LogFormat::kJson, lines.Sink());
  for (int round = 0; round < 5000; ++round) {
    std::string value(random() % 12, '\0');
    for (char& c : value) c = static_cast<char>(random());
    text.Info("x", {{"value", value}});
    EXPECT_EQ(lines.Take().find_first_of("\r\n\x1b"), std::string::npos);
    json.Info("x", {{"value", value}});
    boost::system::error_code error;
    boost::json::parse(lines.Take(), error);
    ASSERT_FALSE(error) << testing::PrintToString(value);
  }
}

TEST(Log, TakesErrorsAndIdsButNoSecrets) {
  Lines lines;
  const Logger log(LogLevel::kInfo, LogFormat::kText, lines.Sink());
  using SliceId = Strong<struct SliceTag>;
  log.Info("x", {{"slice", SliceId(7)}, {"error", Fail(ErrorCode::kTimeout, "too late")}});
  EXPECT_EQ(lines.Take(), "info x slice=7 error=\"too late\"");
  static_assert(!std::is_constructible_v<LogValue, Secret>);
}

TEST(Log, ReadsItsChoices) {
  EXPECT_EQ(ParseLogLevel("warn"), LogLevel::kWarn);
  EXPECT_EQ(ParseLogFormat("json"), LogFormat::kJson);
  const auto wrong = ParseLogLevel("loud");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "\"loud\" is none of debug, info, warn, error");
}

}  // namespace
}  // namespace prewarm
