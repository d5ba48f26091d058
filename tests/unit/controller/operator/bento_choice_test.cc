// Which Bento a caller means, and whether all that it needs can be warmed.
#include "controller/operator/bento_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prewarm::controller {
namespace {

using bento::ModelState;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<BentoName> kKnown{{"chat--k6v2", "chat:k6v2"},
                                    {"chat:k6v2", "odd:name"},
                                    {"one--a", "twin:x"},
                                    {"request-without-tag", ""},
                                    {"two--b", "twin:x"}};

TEST(ChooseBento, TakesANameBeforeATag) {
  EXPECT_EQ(ChooseBento("chat--k6v2", kKnown), "chat--k6v2");
  EXPECT_EQ(ChooseBento("chat:k6v2", kKnown), "chat:k6v2");
  EXPECT_EQ(ChooseBento("odd:name", kKnown), "chat:k6v2");
}

TEST(ChooseBento, RefusesWhatIsNotThereOrNotClear) {
  const auto unknown = ChooseBento("chat--k6w2", kKnown);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ProblemKind::kInvalid);
  EXPECT_THAT(unknown.error().detail, HasSubstr("did you mean chat--k6v2?"));
  EXPECT_THAT(unknown.error().fields, ElementsAre(testing::Field(&FieldProblem::field, "bento")));
  EXPECT_THAT(ChooseBento("x", {}).error().detail, HasSubstr("kubectl get"));
  EXPECT_THAT(ChooseBento("twin:x", kKnown).error().detail, HasSubstr("one--a, two--b"));
}

class ABento {
 public:
  ABento& Model(ModelState state, const std::string& volume = "models",
                std::vector<std::string> paths = {"models/ranker/1"}) {
    auto& model = plan_.models.emplace_back();
    model.tag = "m" + std::to_string(plan_.models.size());
    model.state = state;
    model.volume = volume;
    model.paths = std::move(paths);
    model.reason = "why it is so";
    return *this;
  }
  ABento& Unresolved() {
    plan_.unresolved.push_back({"lost:1", bento::Obstacle::kUnknownVolume, "no volume fits"});
    return *this;
  }
  ABento& Note(const std::string& words) {
    plan_.notes.push_back({"ModelsInImage", words});
    return *this;
  }
  [[nodiscard]] ApiResult<ModelPaths> Paths() const { return ChoosePaths(plan_); }
  [[nodiscard]] Problem Refusal() const { return Paths().error(); }

 private:
  bento::ModelPlan plan_;
};

TEST(ChoosePaths, AreOfAllModelsInOrder) {
  const auto paths = ABento()
                         .Model(ModelState::kSeeded, "v", {"b", "c"})
                         .Model(ModelState::kSeeded, "v", {"a", "b"})
                         .Paths();
  ASSERT_TRUE(paths);
  EXPECT_EQ(paths->volume, "v");
  EXPECT_THAT(paths->paths, ElementsAre("a", "b", "c"));
}

TEST(ChoosePaths, AreAllOrNone) {
  for (const auto state : {ModelState::kPartial, ModelState::kAbsent, ModelState::kUnlooked}) {
    const auto refusal = ABento().Model(ModelState::kSeeded).Model(state).Refusal();
    EXPECT_EQ(refusal.kind, ProblemKind::kUnprocessable);
    EXPECT_EQ(refusal.type, "bento-not-ready");
    EXPECT_THAT(refusal.fields, ElementsAre(FieldProblem{"bento", "m2: why it is so"}));
  }
  const auto refusal =
      ABento().Model(ModelState::kSeeded).Unresolved().Model(ModelState::kAbsent).Refusal();
  EXPECT_THAT(refusal.detail, AllOf(HasSubstr("lost:1: no volume fits"), HasSubstr("and more")));
  EXPECT_THAT(refusal.fields, testing::SizeIs(2));
}

TEST(ChoosePaths, AreNeverTheWholeVolumeBecauseNothingIsNamed) {
  EXPECT_EQ(ABento().Refusal().type, "nothing-to-warm");
  EXPECT_EQ(ABento().Model(ModelState::kSeeded, "v", {}).Refusal().type, "nothing-to-warm");
  EXPECT_EQ(ABento().Note("the image carries its models").Refusal().detail,
            "the image carries its models");
}

TEST(ChoosePaths, AreOfOneVolume) {
  const auto refusal = ABento()
                           .Model(ModelState::kSeeded, "a", {"x"})
                           .Model(ModelState::kSeeded, "b", {"y"})
                           .Refusal();
  EXPECT_EQ(refusal.type, "several-volumes");
  EXPECT_THAT(refusal.fields,
              ElementsAre(FieldProblem{"bento", "a:x"}, FieldProblem{"bento", "b:y"}));
}

TEST(ChoosePaths, AreNotMoreThanAPrewarmTakes) {
  std::vector<std::string> many;
  for (int i = 0; i < 600; ++i) many.push_back("f" + std::to_string(i));
  auto half = many;
  for (auto& path : half) path += "b";
  EXPECT_TRUE(ABento().Model(ModelState::kSeeded, "v", many).Paths());
  const auto refusal = ABento()
                           .Model(ModelState::kSeeded, "v", many)
                           .Model(ModelState::kSeeded, "v", half)
                           .Refusal();
  EXPECT_EQ(refusal.type, "too-many-paths");
  EXPECT_THAT(refusal.detail, AllOf(HasSubstr("1200 files"), HasSubstr("1000")));
}

}  // namespace
}  // namespace prewarm::controller
