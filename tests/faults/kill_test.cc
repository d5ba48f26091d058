// kill -9 at random moments and at every named site, with a reader that looks at every visible
// block all the time: a name never stands for less than the whole block, foreign files stay as they
// were, and nothing is left behind. Usage: kill_test <publish_loop> <cycles> <seed>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "tests/faults/progress.h"
#include "tests/faults/watcher.h"
#include "tests/rig/cache_fixture.h"
#include "tests/rig/child_process.h"
#include "tests/rig/disposable_disk.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::faults {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSites[] = {"folder_made",   "file_made",   "bytes_written",
                                  "file_finished", "before_sync", "after_sync",
                                  "before_name",   "one_named",   "private_file_made"};

class KillTest {
 public:
  KillTest(std::string program, fs::path disk, std::uint64_t seed)
      : program_(std::move(program)), disk_(std::move(disk)), random_(seed) {
    progress_ = MapProgress((disk_ / "progress").string());
    PlantForeignFiles();
  }

  bool Run(int cycles) {
    if (progress_ == nullptr) return false;
    for (int cycle = 0; cycle < cycles; ++cycle) {
      if (cycle % 10 == 0) NewTree();
      KillAtRandom(cycle);
    }
    for (const char* site : kSites) {
      NewTree();
      DieAt(site);
    }
    StopWatching();
    return Verdict(cycles);
  }

 private:
  [[nodiscard]] fs::path Volume() const { return disk_ / "cache" / rig::kUuid; }

  void PlantForeignFiles() {
    for (const char* name : {"raw/chunks/0/0/77.tmp", "rawstaging/chunks/0/0/78_0_5", "notes"}) {
      foreign_.push_back(Volume() / name);
    }
  }

  // Fresh folders, so that making them is part of what is interrupted, and room for more blocks.
  void NewTree() {
    StopWatching();
    fs::remove_all(Volume());
    for (const fs::path& path : foreign_) {
      fs::create_directories(path.parent_path());
      std::ofstream(path) << "not ours";
    }
    watcher_ = std::make_unique<Watcher>(Volume(), rig::ExpectedOfUs());
  }

  void StopWatching() {
    if (!watcher_) return;
    watcher_->Stop();
    reads_ += watcher_->reads();
    for (const auto& line : watcher_->violations()) Violation(line);
    watcher_.reset();
    CheckTree();
  }

  std::vector<std::string> Command(const std::vector<std::string>& more) {
    std::vector<std::string> command = {program_, (disk_ / "cache").string(),
                                        (disk_ / "progress").string(), std::to_string(random_())};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  void KillAtRandom(int cycle) {
    std::vector<std::string> more;
    if (cycle % 3 == 1) more.emplace_back("--each");
    if (cycle % 3 == 2) more.emplace_back("--no-tmpfile");
    Reset(*progress_);
    fs::remove(disk_ / "log");
    rig::ChildProcess child(Command(more), (disk_ / "log").string());
    ::poll(nullptr, 0, static_cast<int>(random_() % 400 + 1));
    if (!child.Running()) Violation("publish_loop ended by itself: " + child.Log());
    child.Signal(SIGKILL);
    child.Wait();
    if (progress_->begun > progress_->finished) ++in_flight_;
    stored_ += progress_->stored;
    if (progress_->errors > 0)
      Violation(std::to_string(progress_->errors) + " blocks refused: " + child.Log());
  }

  void DieAt(const std::string& site) {
    std::vector<std::string> more = {"50"};
    if (site == "private_file_made") more.emplace_back("--no-tmpfile");
    rig::ChildProcess child(Command(more), (disk_ / "log").string(), {"PREWARM_CRASH_AT=" + site});
    if (child.Wait() != 128 + SIGKILL) Violation("never came to " + site + ": " + child.Log());
  }

  // After the next start nothing may be there but blocks and what was there before.
  void CheckTree() {
    for (const bool nameless : {true, false}) {
      std::vector<std::string> more = {"0"};
      if (!nameless) more.emplace_back("--no-tmpfile");
      rig::ChildProcess child(Command(more), (disk_ / "log").string());
      if (child.Wait() != 0) Violation("cannot start again: " + child.Log());
    }
    const auto tree = rig::CheckVolumeTree(Volume(), rig::ExpectedOfUs());
    for (const auto& line : tree.violations) Violation(line);
    for (const auto& stray : tree.strays) {
      if (std::ranges::find(foreign_, Volume() / stray) == foreign_.end()) {
        Violation("left behind: " + stray);
      }
    }
    for (const fs::path& path : foreign_) {
      std::string text;
      std::getline(std::ifstream(path), text);
      if (text != "not ours") Violation("touched: " + path.string());
    }
  }

  void Violation(const std::string& line) {
    ++violations_;
    std::printf("VIOLATION %s\n", line.c_str());
  }

  [[nodiscard]] bool Verdict(int cycles) const {
    std::printf("%d kills, %d with work in flight; %ju blocks stored, %ju reads, %d violations\n",
                cycles, in_flight_, static_cast<std::uintmax_t>(stored_),
                static_cast<std::uintmax_t>(reads_), violations_);
    // A run that interrupted nothing or saw nothing proves nothing.
    const bool meaningful = in_flight_ * 2 > cycles && stored_ > 0 && reads_ > 0;
    if (!meaningful) std::printf("the kills met too little work to prove anything\n");
    return meaningful && violations_ == 0;
  }

  const std::string program_;
  const fs::path disk_;
  std::mt19937_64 random_;
  Progress* progress_ = nullptr;
  std::vector<fs::path> foreign_;
  std::unique_ptr<Watcher> watcher_;
  std::uint64_t reads_ = 0;
  std::uint64_t stored_ = 0;
  int in_flight_ = 0;
  int violations_ = 0;
};

}  // namespace
}  // namespace prewarm::faults

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: kill_test <publish_loop> <cycles> <seed>\n");
    return 2;
  }
  const std::uint64_t seed = std::strtoull(argv[3], nullptr, 10);
  std::printf("seed %s\n", argv[3]);
  const prewarm::rig::TempDir folder;
  const prewarm::rig::LoopDisk disk(folder.path() / "disk", "ext4", 4096);
  if (!disk.mounted()) {
    std::printf("cannot mount an ext4 image: this test needs root and loop devices\n");
    return 1;
  }
  prewarm::faults::KillTest test(argv[1], disk.path(), seed);
  return test.Run(std::atoi(argv[2])) ? 0 : 1;
}
