#include "agent/mount/mount_process.h"

#include <gtest/gtest.h>
#include <unistd.h>

using std::string_literals::operator""s;

namespace prewarm::agent {
namespace {

TEST(MountProcess, ReadsTheUrlBetweenOptionsAndMountPoint) {
  EXPECT_EQ(
      MetadataUrlInArguments(
          "/usr/bin/juicefs\0mount\0-d\0--cache-dir\0/a:/b\0redis://h:6379/1\0/mnt/m\0"s, "/mnt/m"),
      "redis://h:6379/1");
}

TEST(MountProcess, ReadsTheUrlBeforeOptionsAndASchemelessOne) {
  EXPECT_EQ(
      MetadataUrlInArguments(
          "juicefs\0mount\0localhost/1\0m 4\0--no-usage-report\0--cache-dir\0memory\0"s, "m 4"),
      "localhost/1");
}

TEST(MountProcess, ReadsTheArgumentsOfTheMountProgram) {
  EXPECT_EQ(MetadataUrlInArguments(
                "/sbin/mount.juicefs\0redis://h/1\0/mnt/m\0-o\0subdir=x,background\0"s, "/mnt/m"),
            "redis://h/1");
}

// A client that masks a password rewrites its arguments as one text, padded to the old length.
TEST(MountProcess, TakesTheMaskedPasswordOut) {
  EXPECT_EQ(
      MetadataUrlInArguments(
          "/usr/bin/juicefs mount -d --cache-dir /c --cache-scan-interval=-1 redis://:****@h:6379/3 /mnt/m\0\0\0\0"s,
          "/mnt/m"),
      "redis://h:6379/3");
  EXPECT_EQ(MetadataUrlInArguments(
                "/usr/bin/juicefs rediss://joe:****@h/3 /mnt/m 4 -o subdir=x\0\0"s, "/mnt/m 4"),
            "rediss://joe@h/3");
}

TEST(MountProcess, ReadsTheUrlBeforeAMountPointThatTheClientCutOff) {
  const std::string cut("juicefs mount --cache-dir /a:/b redis://h:6379/1 /mnt/mod\0\0\0\0\0", 63);
  EXPECT_EQ(MetadataUrlInArguments(cut, "/mnt/models"), "redis://h:6379/1");
  EXPECT_EQ(MetadataUrlInArguments(cut, "/mnt/other"), std::nullopt);
  EXPECT_EQ(MetadataUrlInArguments("juicefs mount --log /mnt/l /m", "/mnt/models"), std::nullopt);
  EXPECT_EQ(MetadataUrlInArguments("juicefs mount redis://h:6379/1 redis://h", "/mnt/models"),
            std::nullopt);
}

TEST(MountProcess, LooksPastTheMountPointInsideOtherArguments) {
  EXPECT_EQ(MetadataUrlInArguments(
                "juicefs mount --log /mnt/m/log --cache-dir /mnt/m redis://:****@h/1 /mnt/m\0"s,
                "/mnt/m/"),
            std::nullopt);
  EXPECT_EQ(
      MetadataUrlInArguments("juicefs mount --log /mnt/mlog redis://:****@h/1 /mnt/m\0"s, "/mnt/m"),
      "redis://h/1");
}

TEST(MountProcess, DoesNotBelieveSomebodyElsesProcess) {
  EXPECT_EQ(MetadataUrlInArguments("/usr/bin/vim\0redis://h/1\0/mnt/m\0"s, "/mnt/m"), std::nullopt);
  EXPECT_EQ(MetadataUrlInArguments("juicefs\0mount\0redis://h/1\0/mnt/other\0"s, "/mnt/m"),
            std::nullopt);
  EXPECT_EQ(MetadataUrlInArguments("juicefs\0warmup\0-p\0/mnt/m\0"s, "/mnt/m"), std::nullopt);
  EXPECT_EQ(MetadataUrlInArguments("", "/mnt/m"), std::nullopt);
  EXPECT_EQ(MetadataUrlInArguments("juicefs\0mount\0redis://h/1\0\0"s, ""), std::nullopt);
  EXPECT_FALSE(InspectMountProcess(::getpid(), "/mnt/m").started);
  EXPECT_FALSE(InspectMountProcess(0, "/mnt/m").started);
}

TEST(MountProcess, FindsTheStartBehindAnyProcessName) {
  EXPECT_EQ(
      StartTicks(
          "4242 (evil) 1 2 (x) S 1 4242 4242 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 12 0 987654 1 2\n"),
      987654U);
  EXPECT_EQ(StartTicks("4242 (juicefs) S 1 2 3"), std::nullopt);
  EXPECT_EQ(StartTicks(""), std::nullopt);
  EXPECT_EQ(StartTicks("4242 (juicefs)"), std::nullopt);
}

}  // namespace
}  // namespace prewarm::agent
