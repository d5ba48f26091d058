#include "common/process/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "common/base/units.h"

namespace prewarm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

struct Values {
  std::string text = "as it was";
  bool flag = false;
  std::uint64_t size = 1_GiB;
  std::size_t count = 4;
  std::chrono::nanoseconds duration = std::chrono::seconds(90);
  double ratio = 0.25;
  std::uint64_t rate = 0;
  std::vector<std::string> list{"/a"};
  std::map<std::string, std::string> map{{"pool", "gpu"}};
  std::string choice = "info";
  std::map<std::string, std::string> things;  // the texts of things.NAME.text

  ConfigSchema Schema() {
    ConfigSchema schema{{"all",
                         "Every kind of value.",
                         {{"text", "a text", TextField(text)},
                          {"flag", "a flag", FlagField(flag)},
                          {"size", "a size", SizeField(size)},
                          {"count", "a count", CountField(count, 1, 10)},
                          {"duration", "a duration", DurationField(duration)},
                          {"ratio", "a ratio", RatioField(ratio)},
                          {"rate", "a rate", RateField(rate)},
                          {"list", "a list", ListField(list)},
                          {"map", "a map", MapField(map)},
                          {"choice", "a choice", ChoiceField(choice, {"debug", "info"})}},
                         {},
                         {}}};
    schema.push_back({"things",
                      "Named by the user.",
                      {},
                      [this](const std::string& name) -> std::vector<ConfigKey> {
                        return {{"text", "of a thing", TextField(things[name])}};
                      },
                      [this] {
                        std::vector<std::string> names;
                        for (const auto& thing : things) names.push_back(thing.first);
                        return names;
                      }});
    return schema;
  }

  std::string ProblemsOf(const std::string& yaml) {
    Problems problems;
    ReadConfigText(Schema(), yaml, "x.yaml", problems);
    const auto status = problems.ToStatus(ErrorCode::kInvalidConfig);
    return status ? "" : status.error().message;
  }
};

TEST(ConfigFile, SetsWhatItSaysAndLeavesTheRest) {
  Values values;
  EXPECT_EQ(values.ProblemsOf("all:\n  size: 3MiB\n  list: [/x, /y]\n  map: {a: b, c: 'd=e'}\n"
                              "  rate: 800\nthings:\n  one: {text: first}\n  two:\n"),
            "");
  EXPECT_EQ(values.size, 3_MiB);
  EXPECT_EQ(values.rate, 100'000'000U);
  EXPECT_THAT(values.list, ElementsAre("/x", "/y"));
  EXPECT_THAT(values.map, ElementsAre(Pair("a", "b"), Pair("c", "d=e")));
  EXPECT_THAT(values.things, ElementsAre(Pair("one", "first"), Pair("two", "")));
  EXPECT_EQ(values.text, "as it was");
  EXPECT_EQ(values.count, 4U);
}

TEST(ConfigFile, AcceptsAnEmptyFileAndEmptySections) {
  EXPECT_EQ(Values().ProblemsOf(""), "");
  EXPECT_EQ(Values().ProblemsOf("# nothing\nall:\nthings:\n"), "");
}

TEST(ConfigFile, TellsEveryProblemWithItsLine) {
  const auto text = Values().ProblemsOf(
      "all:\n  sise: 1\n  flag: yes\n  count: 11\n  count: 3\n  text: [a]\n  list: {a: b}\n"
      "  duration: -1s\n  ratio: 1\n  choice: loud\nthings: [one]\nother: 1\n");
  for (const char* part :
       {"x.yaml:2: unknown key all.sise: did you mean all.size?",
        "x.yaml:3: all.flag: \"yes\" is not true or false",
        "x.yaml:4: all.count: \"11\" is not a whole number from 1 to 10",
        "x.yaml:5: all.count is given twice", "x.yaml:6: all.text must be one value",
        "x.yaml:7: all.list must be a list", "x.yaml:8: all.duration: must not be negative",
        "x.yaml:9: all.ratio", "x.yaml:10: all.choice: \"loud\" is not one of debug|info",
        "x.yaml:11: things must be a map of names", "x.yaml:12: unknown key other"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(ConfigFile, TellsWhereYamlItselfIsBroken) {
  EXPECT_THAT(Values().ProblemsOf("all:\n  list: [a\n"), HasSubstr("x.yaml:"));
  EXPECT_THAT(Values().ProblemsOf("- all\n"), HasSubstr("the file must be a map of sections"));
}

TEST(ConfigFile, SaysWhichFileCannotBeRead) {
  Values values;
  Problems problems;
  ReadConfigFile(values.Schema(), "/nowhere/agent.yaml", problems);
  ReadConfigFile(values.Schema(), "/", problems);
  EXPECT_THAT(problems.ToStatus(ErrorCode::kInvalidConfig).error().message,
              testing::AllOf(HasSubstr("/nowhere/agent.yaml: "), HasSubstr("\n/: ")));
}

TEST(ConfigFile, ReadsWhatItPrints) {
  std::mt19937_64 random(20260701);  // also the seed that a failure is repeated with
  for (int round = 0; round < 300; ++round) {
    Values values;
    const auto any = [&](std::uint64_t most) { return random() % most; };
    const std::string letters = " :#'\"\\\t\nä-{}[]09azAZ,=&*!|>%@`";
    for (std::uint64_t n = any(12); n > 0; --n) values.text += letters[any(letters.size())];
    values.flag = any(2) == 1;
    values.size = (any(1 << 20) + 1) << any(40);
    values.duration = std::chrono::nanoseconds(static_cast<std::int64_t>(any(1ULL << 50)));
    values.ratio = static_cast<double>(any(1000)) / 1000;
    values.rate = any(1ULL << 40);
    values.list = {values.text, "no", "0600", "~"};
    values.map = {{"k", values.text}, {"null", "1"}};
    values.things["x y"] = values.text;
    const auto printed = PrintConfig(values.Schema());
    Values back;
    ASSERT_EQ(back.ProblemsOf(printed), "") << printed;
    EXPECT_EQ(PrintConfig(back.Schema()), printed);
    // Texts are bytes; YAML keeps those that are UTF-8, so only such are compared.
    const bool ascii = std::ranges::all_of(values.text, [](char c) { return c > 0; });
    if (ascii) EXPECT_EQ(back.text, values.text);
    EXPECT_EQ(back.size, values.size);
    EXPECT_EQ(back.duration, values.duration);
    EXPECT_EQ(back.ratio, values.ratio);
    EXPECT_EQ(back.rate, values.rate);
  }
}

TEST(ConfigFile, PrintsTheExplanationOfEveryKey) {
  Values values;
  const auto printed = PrintConfig(values.Schema());
  EXPECT_THAT(printed, HasSubstr("  # a size\n  size: 1GiB\n"));
  EXPECT_THAT(printed, HasSubstr("# Every kind of value.\nall:\n"));
  EXPECT_THAT(printed, Not(HasSubstr("things:\n  \"")));
}

}  // namespace
}  // namespace prewarm
