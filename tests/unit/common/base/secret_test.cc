#include "common/base/secret.h"

#include <gtest/gtest.h>

#include <sstream>
#include <type_traits>

namespace prewarm {
namespace {

TEST(Secret, PrintsAsStars) {
  std::ostringstream out;
  out << Secret("hunter2") << ' ' << Secret();
  EXPECT_EQ(out.str(), "*** ***");
  EXPECT_EQ(testing::PrintToString(Secret("hunter2")), "***");
}

TEST(Secret, GivesItsTextOnlyWhereAsked) {
  EXPECT_EQ(Secret("hunter2").Reveal(), "hunter2");
  static_assert(!std::is_convertible_v<Secret, std::string>);
  static_assert(!std::is_convertible_v<std::string, Secret>);
}

TEST(Secret, ComparesByText) {
  EXPECT_EQ(Secret("a"), Secret("a"));
  EXPECT_NE(Secret("a"), Secret("b"));
  EXPECT_TRUE(Secret().empty());
  EXPECT_FALSE(Secret("a").empty());
}

}  // namespace
}  // namespace prewarm
