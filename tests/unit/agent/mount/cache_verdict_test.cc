#include "agent/mount/cache_verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prewarm::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr WallTime kNow{std::chrono::hours(500'000)};

MountSettings Mount(const std::string& subdir = "", const std::string& version = "1.4.2+x") {
  MountSettings mount;
  mount.mount_point = "/mnt/jfs";
  mount.subdir = subdir;
  mount.version = version;
  return mount;
}

CheckQuestion Asked(const MountSettings& mount, std::vector<std::string> paths) {
  const auto question = QuestionFor(mount, {std::move(paths), 1});
  EXPECT_TRUE(question) << question.error().message;
  return question.value_or(CheckQuestion{});
}

std::string WhyNot(const MountSettings& mount, std::vector<std::string> paths) {
  const auto question = QuestionFor(mount, {std::move(paths), 1});
  EXPECT_FALSE(question);
  return question ? "" : question.error().message;
}

TEST(CheckQuestion, NamesEachPlaceOnceFromTheRootOfTheMount) {
  EXPECT_THAT(Asked(Mount(), {"m//b/", "./m/a", "/m/a/x", "m/a-x"}).paths,
              ElementsAre("/m/a-x", "/m/a", "/m/b"));
  EXPECT_THAT(Asked(Mount(), {"m", "/"}).paths, ElementsAre("/"));
  EXPECT_THAT(Asked(Mount(), {"inode:5"}).paths, ElementsAre("/inode:5"));
}

TEST(CheckQuestion, IsAboutWhatAMountOfASubdirectoryShows) {
  const auto team = Mount("/team/a");
  EXPECT_EQ(Asked(team, {"team/a/m", "/team/a/n"}), (CheckQuestion{{"/m", "/n"}, false}));
  EXPECT_EQ(Asked(team, {"team/a"}), (CheckQuestion{{"/"}, false}));
  EXPECT_EQ(Asked(team, {"/"}), (CheckQuestion{{"/"}, true}));
  EXPECT_EQ(Asked(team, {"team"}), (CheckQuestion{{"/"}, true}));
  EXPECT_THAT(WhyNot(team, {"team/a/m", "team/ab/m"}), HasSubstr("/team/ab/m lies outside"));
}

TEST(CheckQuestion, IsNotPutToClientsThatWouldTakeItForSomethingElse) {
  EXPECT_THAT(WhyNot(Mount("", "1.1.2"), {"m"}), HasSubstr("1.1.2"));
  EXPECT_THAT(WhyNot(Mount(), {}), HasSubstr("not known"));
  EXPECT_THAT(WhyNot(Mount(), {"a/../b"}), HasSubstr(".."));
  EXPECT_THAT(WhyNot(Mount(), {"a\nb"}), HasSubstr("line break"));
  EXPECT_THAT(WhyNot(Mount(), std::vector<std::string>(10'241, "m")), HasSubstr("too many"));
}

ClientAnswer Answer(std::uint64_t total, std::uint64_t missing, bool part = false) {
  return AnswerOf(CacheCount{1, total, missing}, part, {{"/m"}, 100 << 20}, kNow);
}

TEST(CacheVerdict, FindsAllIfNothingIsMissingAmongAtLeastWhatWasPlanned) {
  EXPECT_EQ(Answer(100 << 20, 0).verdict, CacheVerdict::kFindsAll);
  EXPECT_EQ(Answer(130 << 20, 0).verdict, CacheVerdict::kFindsAll);
  EXPECT_THAT(Answer(100 << 20, 0).words, HasSubstr("finds all 100 MiB"));
}

TEST(CacheVerdict, IsNothingIfTheClientDidNotLookAtAllThatWasPlanned) {
  // It counts nothing for a path that it cannot resolve, and calls that an answer.
  EXPECT_EQ(Answer(0, 0).verdict, CacheVerdict::kUnsettled);
  EXPECT_EQ(Answer((100 << 20) - 1, 0).verdict, CacheVerdict::kUnsettled);
  EXPECT_THAT(Answer(0, 0).words, HasSubstr("counts only 0 B"));
}

TEST(CacheVerdict, MissesOnlyIfWhatIsMissingCannotAllBeBesideThePlan) {
  EXPECT_EQ(Answer(100 << 20, 1).verdict, CacheVerdict::kMisses);
  EXPECT_EQ(Answer(130 << 20, (30 << 20) + 1).verdict, CacheVerdict::kMisses);
  EXPECT_EQ(Answer(130 << 20, 30 << 20).verdict, CacheVerdict::kUnsettled);
  EXPECT_THAT(Answer(100 << 20, 8 << 20).words, HasSubstr("misses 8.00 MiB of 100 MiB"));
}

TEST(CacheVerdict, OfAPartIsAboutThatPart) {
  EXPECT_EQ(Answer(10 << 20, 0, true).verdict, CacheVerdict::kFindsAll);
  EXPECT_EQ(Answer(10 << 20, 1, true).verdict, CacheVerdict::kMisses);
}

TEST(CacheVerdict, SettlesWhatIsSaidOfAMountThatShouldSeeTheBlocks) {
  const MountVisibility live{
      .mount_point = "/mnt/jfs", .visibility = Visibility::kNow, .words = "visible now"};
  const auto found = Settle(live, Answer(100 << 20, 0));
  EXPECT_EQ(found.visibility, Visibility::kNow);
  EXPECT_THAT(found.words, HasSubstr("visible now; asked at"));
  const auto missed = Settle(live, Answer(100 << 20, 1 << 20));
  EXPECT_EQ(missed.visibility, Visibility::kMissing);
  EXPECT_THAT(missed.words, testing::Not(HasSubstr("visible now")));
  const auto silent = Settle(live, AnswerOf(Fail(ErrorCode::kTimeout, "it hangs"), kNow));
  EXPECT_EQ(silent.visibility, Visibility::kNow);
  EXPECT_THAT(silent.words, HasSubstr("it hangs"));
}

TEST(CacheVerdict, IsNoneWhereTheClientDidNotAnswer) {
  const auto answer = AnswerOf(Fail(ErrorCode::kTimeout, "it hangs"), kNow);
  EXPECT_EQ(answer.verdict, CacheVerdict::kNotAsked);
  EXPECT_THAT(answer.words, HasSubstr("it hangs"));
}

}  // namespace
}  // namespace prewarm::agent
