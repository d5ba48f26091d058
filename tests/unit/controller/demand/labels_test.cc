// Labels and selectors over them.
#include "controller/demand/labels.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace prewarm::controller::demand {
namespace {

using Operator = Requirement::Operator;

TEST(Labels, AreFoundByKey) {
  const Labels labels{{"zone", "a"}, {"app", "chat"}, {"empty", ""}};
  EXPECT_EQ(labels.size(), 3U);
  EXPECT_EQ(labels.Find("app"), "chat");
  EXPECT_EQ(labels.Find("empty"), "");
  EXPECT_EQ(labels.Find("ap"), std::nullopt);
  EXPECT_EQ(labels.Find("zonez"), std::nullopt);
  EXPECT_TRUE(labels.Has("zone", "a"));
  EXPECT_FALSE(labels.Has("zone", ""));
  EXPECT_EQ(labels, (Labels{{"empty", ""}, {"app", "chat"}, {"zone", "a"}}));
  EXPECT_EQ(Labels{}.Find("app"), std::nullopt);
}

TEST(Labels, AnswerAsAMapDoes) {
  std::mt19937_64 random(20261125);
  for (int round = 0; round < 300; ++round) {
    std::map<std::string, std::string> map;
    for (auto left = random() % 20; left > 0; --left) {
      map[std::string(random() % 4, static_cast<char>('a' + random() % 3))] =
          std::to_string(random() % 30);
    }
    const Labels labels(
        std::vector<std::pair<std::string_view, std::string_view>>(map.begin(), map.end()));
    for (char letter = 'a'; letter < 'd'; ++letter) {
      for (std::size_t size = 0; size < 5; ++size) {
        const std::string key(size, letter);
        const auto found = labels.Find(key);
        EXPECT_EQ(found.has_value(), map.contains(key));
        if (found) EXPECT_EQ(*found, map[key]);
      }
    }
  }
}

// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/ and the API reference
// of NodeSelectorRequirement.
TEST(Requirements, HoldAsKubernetesHasThem) {
  const struct {
    Requirement requirement;
    std::optional<std::string_view> value;
    bool holds;
  } kCases[] = {
      {{"zone", Operator::kIn, {"a", "b"}}, "b", true},
      {{"zone", Operator::kIn, {"a", "b"}}, "c", false},
      {{"zone", Operator::kIn, {"a"}}, std::nullopt, false},
      {{"zone", Operator::kNotIn, {"a"}}, "b", true},
      {{"zone", Operator::kNotIn, {"a"}}, "a", false},
      {{"zone", Operator::kNotIn, {"a"}}, std::nullopt, true},
      {{"zone", Operator::kExists, {}}, "", true},
      {{"zone", Operator::kExists, {}}, std::nullopt, false},
      {{"zone", Operator::kDoesNotExist, {}}, std::nullopt, true},
      {{"zone", Operator::kDoesNotExist, {}}, "a", false},
      {{"cores", Operator::kGt, {"8"}}, "9", true},
      {{"cores", Operator::kGt, {"8"}}, "8", false},
      {{"cores", Operator::kGt, {"8"}}, "10", true},
      {{"cores", Operator::kLt, {"8"}}, "7", true},
      {{"cores", Operator::kLt, {"8"}}, "-1", true},
      {{"cores", Operator::kLt, {"8"}}, "8", false},
      {{"cores", Operator::kLt, {"8"}}, std::nullopt, false},
      {{"cores", Operator::kGt, {"8"}}, "many", false},
      {{"cores", Operator::kGt, {"few"}}, "9", false},
      {{"cores", Operator::kGt, {}}, "9", false},
      {{"cores", Operator::kGt, {"1", "2"}}, "9", false},
  };
  for (const auto& it : kCases) {
    EXPECT_EQ(it.requirement.Holds(it.value), it.holds)
        << Words(it.requirement) << " of " << it.value.value_or("nothing");
  }
}

TEST(Requirements, AreSaidInWords) {
  EXPECT_EQ(Words({"zone", Operator::kIn, {"a", "b"}}), "zone in (a, b)");
  EXPECT_EQ(Words({"zone", Operator::kNotIn, {"a"}}), "zone not in (a)");
  EXPECT_EQ(Words({"disk", Operator::kExists, {}}), "disk exists");
  EXPECT_EQ(Words({"disk", Operator::kDoesNotExist, {}}), "disk does not exist");
  EXPECT_EQ(Words({"cores", Operator::kGt, {"8"}}), "cores > 8");
}

TEST(Selectors, DemandAllOfTheirRequirements) {
  const LabelSelector selector{
      {{"app", Operator::kIn, {"chat"}}, {"old", Operator::kDoesNotExist, {}}}};
  EXPECT_TRUE(selector.Matches({{"app", "chat"}}));
  EXPECT_FALSE(selector.Matches({{"app", "chat"}, {"old", "yes"}}));
  EXPECT_FALSE(selector.Matches({}));
  EXPECT_TRUE(LabelSelector{}.Matches({}));
}

}  // namespace
}  // namespace prewarm::controller::demand
