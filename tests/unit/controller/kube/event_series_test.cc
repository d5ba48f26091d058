#include "controller/kube/event_series.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "controller/kube/micro_time.h"

namespace prewarm::controller::kube {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Outcome = EventSeries::Outcome;

Event About(const std::string& name, const std::string& reason = "Planned") {
  return {.about = {.api_version = "v1", .kind = "Pod", .key = {"ns", name}, .uid = {}},
          .warning = false,
          .reason = reason,
          .action = "Plan",
          .note = "because"};
}

// A series with a clock of its own.
class Recorder {
 public:
  explicit Recorder(EventSeries::Limits limits = {}) : series(limits) {}
  bool Record(const Event& event) {
    return series.Record(event, "name-" + std::to_string(++names_), now,
                         WallTime(now.time_since_epoch()));
  }
  // Everything that is due now, taken as written.
  std::vector<EventWrite> WriteAll(Outcome outcome = Outcome::kWritten) {
    std::vector<EventWrite> all;
    while (auto write = series.Next(now)) {
      series.Written(*write, outcome, now);
      all.push_back(*std::move(write));
    }
    return all;
  }

  SteadyTime now{hours(1)};
  EventSeries series;

 private:
  int names_ = 0;
};

TEST(EventSeries, WritesTheFirstAtOnceAndCountsWhatFollows) {
  Recorder recorder;
  EXPECT_TRUE(recorder.Record(About("a")));
  const auto first = recorder.WriteAll();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_FALSE(first[0].created);
  EXPECT_EQ(first[0].count, 1U);
  for (int n = 0; n < 100; ++n) EXPECT_TRUE(recorder.Record(About("a")));
  EXPECT_TRUE(recorder.WriteAll().empty()) << "counts are not written one by one";
  EXPECT_EQ(recorder.series.NextDue(), recorder.now + seconds(30));
  recorder.now += seconds(30);
  const auto count = recorder.WriteAll();
  ASSERT_EQ(count.size(), 1U);
  EXPECT_TRUE(count[0].created);
  EXPECT_EQ(count[0].count, 101U);
  EXPECT_EQ(count[0].name, first[0].name);
  EXPECT_EQ(recorder.series.NextDue(), std::nullopt);
}

TEST(EventSeries, CountsWhatComesWhileAWriteIsUnderWay) {
  Recorder recorder;
  recorder.Record(About("a"));
  const auto write = recorder.series.Next(recorder.now);
  ASSERT_TRUE(write);
  recorder.Record(About("a"));
  EXPECT_FALSE(recorder.series.Next(recorder.now)) << "two writes of one series at a time";
  recorder.series.Written(*write, Outcome::kWritten, recorder.now);
  recorder.now += seconds(30);
  const auto rest = recorder.WriteAll();
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].count, 2U);
}

TEST(EventSeries, BeginsAnewAfterALongSilence) {
  Recorder recorder;
  recorder.Record(About("a"));
  const auto first = recorder.WriteAll();
  recorder.now += minutes(7);
  recorder.Record(About("a"));
  const auto second = recorder.WriteAll();
  ASSERT_EQ(second.size(), 1U);
  EXPECT_FALSE(second[0].created);
  EXPECT_NE(second[0].name, first[0].name);
  EXPECT_EQ(second[0].count, 1U);
}

TEST(EventSeries, GivesEachObjectABurstAndThenLittle) {
  Recorder recorder;
  std::size_t written = 0;
  for (int n = 0; n < 100; ++n) recorder.Record(About("noisy", "Reason" + std::to_string(n)));
  written += recorder.WriteAll().size();
  EXPECT_EQ(written, 25U);
  EXPECT_EQ(recorder.series.dropped(), 75U);
  EXPECT_TRUE(recorder.Record(About("quiet")));
  EXPECT_EQ(recorder.WriteAll().size(), 1U);
  recorder.now += minutes(5);
  EXPECT_TRUE(recorder.Record(About("noisy", "Later")));
  EXPECT_FALSE(recorder.Record(About("noisy", "TooMuch")));
}

TEST(EventSeries, PostponesCountsThatTheBudgetDoesNotAllow) {
  EventSeries::Limits limits;
  limits.burst = 1;
  Recorder recorder(limits);
  recorder.Record(About("a"));
  EXPECT_EQ(recorder.WriteAll().size(), 1U);
  recorder.Record(About("a"));
  recorder.now += seconds(30);
  EXPECT_TRUE(recorder.WriteAll().empty());
  recorder.now += minutes(5);
  const auto late = recorder.WriteAll();
  ASSERT_EQ(late.size(), 1U);
  EXPECT_EQ(late[0].count, 2U);
}

TEST(EventSeries, TriesOnceMoreAndThenLetsGo) {
  Recorder recorder;
  recorder.Record(About("a"));
  EXPECT_EQ(recorder.WriteAll(Outcome::kAgain).size(), 1U);
  EXPECT_TRUE(recorder.WriteAll().empty());
  recorder.now += seconds(30);
  const auto again = recorder.WriteAll(Outcome::kAgain);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_FALSE(again[0].created);
  recorder.now += hours(1);
  EXPECT_TRUE(recorder.WriteAll().empty());
  EXPECT_EQ(recorder.series.series(), 0U);
}

TEST(EventSeries, StaysBoundedWhateverIsRecorded) {
  EventSeries::Limits limits;
  limits.most_series = 100;
  Recorder recorder(limits);
  std::size_t written = 0;
  for (int round = 0; round < 50; ++round) {
    for (int n = 0; n < 500; ++n) {
      recorder.Record(About("pod-" + std::to_string(round) + "-" + std::to_string(n)));
    }
    written += recorder.WriteAll().size();
    EXPECT_LE(recorder.series.series(), 100U);
    EXPECT_LE(recorder.series.budgets(), 200U);
    recorder.now += minutes(6);
  }
  EXPECT_EQ(written, 50U * 100U) << "old series make room for new ones";
}

TEST(EventSeries, MakesTheObjectThatTheApiWants) {
  Recorder recorder;
  auto event = About("a");
  event.warning = true;
  event.about.uid = "u-1";
  event.note = std::string(1023, 'x') + "ä" + std::string(100, 'x') + "\xFF";
  recorder.Record(event);
  const auto write = *recorder.series.Next(recorder.now);
  const auto object = EventJson(write, "controller-0");
  EXPECT_EQ(object.at("eventTime").as_string(), "1970-01-01T01:00:00.000000Z");
  EXPECT_EQ(object.at("type").as_string(), "Warning");
  EXPECT_EQ(object.at("metadata").at("namespace").as_string(), "ns");
  EXPECT_EQ(object.at("regarding").at("uid").as_string(), "u-1");
  EXPECT_FALSE(object.contains("series"));
  const auto& note = object.at("note").as_string();
  EXPECT_LE(note.size(), 1024U);
  EXPECT_TRUE(note.ends_with("x…"));
  event.about.key.ns = "";
  EXPECT_EQ(EventNamespace(event), "default");
}

TEST(MicroTime, HasSixDigitsAlways) {
  const auto at = [](long long microseconds) {
    return FormatMicroTime(WallTime(std::chrono::microseconds(microseconds)));
  };
  EXPECT_EQ(at(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(at(1'795'564'799'000'001), "2026-11-24T23:59:59.000001Z");
  EXPECT_EQ(at(1'795'564'799'999'999), "2026-11-24T23:59:59.999999Z");
  EXPECT_EQ(at(951'782'400'500'000), "2000-02-29T00:00:00.500000Z");
}

}  // namespace
}  // namespace prewarm::controller::kube
