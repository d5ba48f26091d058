#include "controller/demand/warm_label.h"

#include <gmock/gmock.h>

namespace prewarm::controller::demand {
namespace {

using testing::EndsWith;
using testing::SizeIs;

TEST(WarmLabel, IsALabelHoweverLongTheNamesAre) {
  EXPECT_EQ(WarmLabel("team-a", "chat"), "warm.prewarm.dev/team-a.chat");
  const std::string prefix = "warm.prewarm.dev/";
  const auto longest = WarmLabel(std::string(20, 'n'), std::string(42, 'd'));
  EXPECT_THAT(longest, SizeIs(prefix.size() + 63));
  EXPECT_THAT(longest, EndsWith("d"));
  const auto one = WarmLabel(std::string(63, 'n'), std::string(253, 'd'));
  const auto other = WarmLabel(std::string(63, 'n'), std::string(252, 'd'));
  EXPECT_THAT(one, SizeIs(prefix.size() + 63));
  EXPECT_THAT(other, SizeIs(prefix.size() + 63));
  EXPECT_NE(one, other);
}

}  // namespace
}  // namespace prewarm::controller::demand
