#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/mount/mounts.h"

namespace prewarm::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kTail =
    " - fuse.juicefs JuiceFS:models rw,user_id=0,group_id=0,default_permissions,allow_other\n";

std::string Line(std::string_view head) { return std::string(head) + std::string(kTail); }

TEST(MountInfo, FindsJuiceFsAmongOtherFileSystems) {
  const std::string table = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n" +
                            Line("42 27 0:39 / /mnt/models rw,nosuid,nodev,relatime") +
                            "43 27 0:40 / /mnt/other rw - fuse.sshfs host:/ rw\n";
  EXPECT_THAT(ParseMountInfo(table), ElementsAre(MountEntry{"/mnt/models", "models", "0:39", "/"}));
}

TEST(MountInfo, TurnsOctalEscapesBackIntoBytes) {
  const auto entries =
      ParseMountInfo(Line("42 27 0:39 / /mnt/m\\0404/tab\\011line\\012back\\134040 rw"));
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].mount_point, "/mnt/m 4/tab\tline\nback\\040");
}

TEST(MountInfo, SkipsAnyNumberOfOptionalFields) {
  const std::string table = Line("42 27 0:39 / /a rw shared:1 master:2 propagate_from:3") +
                            Line("43 27 0:40 / /b rw shared:9") + Line("44 27 0:41 / /c rw");
  std::vector<std::string> places;
  for (const MountEntry& entry : ParseMountInfo(table)) places.push_back(entry.mount_point);
  EXPECT_THAT(places, ElementsAre("/a", "/b", "/c"));
}

TEST(MountInfo, TellsABindMountOfASubDirectory) {
  const auto entries = ParseMountInfo(Line("42 27 0:39 /team/models /pod/mount rw"));
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].root, "/team/models");
}

TEST(MountInfo, IsNotConfusedByAMountPointThatLooksLikeTheSeparator) {
  const auto entries = ParseMountInfo(Line("42 27 0:39 / /mnt/-\\040-\\040fuse.juicefs rw"));
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].mount_point, "/mnt/- - fuse.juicefs");
}

TEST(MountInfo, LeavesOutLinesThatEndEarly) {
  EXPECT_THAT(ParseMountInfo(""), IsEmpty());
  EXPECT_THAT(
      ParseMountInfo("\n\n42 27\n - \n - fuse.juicefs\n42 27 0:39 / - fuse.juicefs JuiceFS:x rw"),
      IsEmpty());
}

}  // namespace
}  // namespace prewarm::agent
