#include "common/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>

#include "common/base/check.h"
#include "common/base/result.h"

namespace prewarm {
namespace {

template <class Enum>
std::set<std::string> NamesUpTo(Enum last, std::string_view (*name)(Enum)) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(last); ++i) names.emplace(name(static_cast<Enum>(i)));
  return names;
}

TEST(Error, GivesEveryCodeAndReasonALabelOfItsOwn) {
  const auto codes = NamesUpTo(ErrorCode::kInternal, &CodeName);
  EXPECT_EQ(codes.size(), static_cast<std::size_t>(ErrorCode::kInternal) + 1);
  const auto reasons = NamesUpTo(Reason::kCancelled, &ReasonName);
  EXPECT_EQ(reasons.size(), static_cast<std::size_t>(Reason::kCancelled) + 1);
  for (const auto& names : {codes, reasons}) {
    for (const std::string& name : names) {
      EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string::npos) << name;
    }
  }
}

TEST(Error, IsWorthARetryOnlyWhereTimeMayHelp) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    EXPECT_EQ(IsRetryable(code), code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout)
        << CodeName(code);
  }
}

TEST(Error, GainsContextOnItsWayUp) {
  const Error error = Fail(ErrorCode::kCorrupt, "too short", Reason::kWrongLength)
                          .Within("block 1_0_4")
                          .Within("file a.bin");
  EXPECT_EQ(error.message, "file a.bin: block 1_0_4: too short");
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_EQ(error.reason, Reason::kWrongLength);
}

TEST(ErrnoError, KeepsApartWhatTheCallerTreatsDifferently) {
  struct Case {
    int number;
    ErrorCode code;
    Reason reason;
  };
  for (const Case& expected : {Case{ENOENT, ErrorCode::kNotFound, Reason::kNotFound},
                               Case{ENOTDIR, ErrorCode::kNotFound, Reason::kNotFound},
                               Case{EACCES, ErrorCode::kPermission, Reason::kAccessDenied},
                               Case{EPERM, ErrorCode::kPermission, Reason::kAccessDenied},
                               Case{EROFS, ErrorCode::kPermission, Reason::kReadOnly},
                               Case{ENOSPC, ErrorCode::kNoSpace, Reason::kNoSpace},
                               Case{EDQUOT, ErrorCode::kNoSpace, Reason::kQuota},
                               Case{EEXIST, ErrorCode::kConflict, Reason::kForeignFile},
                               Case{ELOOP, ErrorCode::kConflict, Reason::kForeignFile},
                               Case{EXDEV, ErrorCode::kConflict, Reason::kForeignFile},
                               Case{EIO, ErrorCode::kInternal, Reason::kDiskError},
                               Case{EMFILE, ErrorCode::kInternal, Reason::kDiskError}}) {
    const Error error = ErrnoError(expected.number, "opening /x");
    EXPECT_EQ(error.code, expected.code) << error.message;
    EXPECT_EQ(error.reason, expected.reason) << error.message;
    EXPECT_THAT(error.message, testing::StartsWith("opening /x: "));
    EXPECT_GT(error.message.size(), std::string("opening /x: ").size());
  }
}

Result<std::unique_ptr<int>> Boxed(int value) {
  if (value < 0) return Fail(ErrorCode::kInvalidArgument, "negative");
  return std::make_unique<int>(value);
}

Status RefuseZero(int value) {
  if (value == 0) return Fail(ErrorCode::kConflict, "zero");
  return {};
}

Result<int> Sum(int a, int b) {
  TRY(const auto first, Boxed(a));
  TRY_STATUS(RefuseZero(*first));
  TRY(auto second, Boxed(b));
  return *first + *second;
}

TEST(Result, TryHandsOnTheValueOrTheFirstError) {
  EXPECT_EQ(*Sum(1, 2), 3);
  EXPECT_EQ(Sum(-1, 2).error().message, "negative");
  EXPECT_EQ(Sum(0, -1).error().code, ErrorCode::kConflict);
  EXPECT_EQ(Sum(1, -1).error().code, ErrorCode::kInvalidArgument);
}

TEST(CheckDeathTest, EndsTheProgramWithPlaceAndReason) {
  EXPECT_DEATH(PREWARM_CHECK(1 > 2, "numbers moved"),
               "error_test.cc:[0-9]+: broken invariant: numbers moved \\(1 > 2\\)");
}

}  // namespace
}  // namespace prewarm
