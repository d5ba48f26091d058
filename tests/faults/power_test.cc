// Power cuts under load (the shutdown ioctl without flushing the log), on ext4 and xfs: after the
// reboot every name stands for a whole block. A control with syncs that do nothing must find bad
// ones, or the cuts prove nothing. Usage: power_test <publish_loop> <cuts> <seed>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include "tests/faults/progress.h"
#include "tests/rig/block_oracle.h"
#include "tests/rig/cache_fixture.h"
#include "tests/rig/child_process.h"
#include "tests/rig/disposable_disk.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::faults {
namespace {

namespace fs = std::filesystem;

struct Counts {
  std::uint64_t stored = 0;  // said to be durable and named before the cuts
  std::size_t found = 0;     // there after the reboots
  std::size_t bad = 0;
  int in_flight = 0;  // cuts that interrupted something
};

// Somebody else on the disk who syncs files of his own: his commits carry our names to the disk
// too, whether or not our bytes are there.
class Neighbour {
 public:
  explicit Neighbour(const fs::path& file)
      : fd_(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)),
        thread_([this] { Sync(); }) {}
  Neighbour(const Neighbour&) = delete;
  Neighbour& operator=(const Neighbour&) = delete;
  ~Neighbour() {
    stop_ = true;
    thread_.join();
    ::close(fd_);
  }

 private:
  void Sync() {
    for (off_t at = 0; !stop_ && ::pwrite(fd_, "x", 1, at) == 1 && ::fsync(fd_) == 0; ++at) {
      ::poll(nullptr, 0, 10);
    }
  }

  const int fd_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// One cut; false if the machinery of the test failed.
bool CutOnce(rig::LoopDisk& disk, rig::ChildProcess& child, Progress& progress, int milliseconds,
             bool loud, Counts& counts) {
  bool in_flight = false;
  bool cut = false;
  {
    const Neighbour neighbour(disk.path() / "neighbour");
    if (!rig::WaitFor([&] { return progress.stored > 0; })) return false;
    ::poll(nullptr, 0, milliseconds);
    in_flight = progress.begun > progress.finished;
    counts.stored += progress.stored;
    cut = disk.CutPower();
  }
  child.Signal(SIGKILL);
  child.Wait();
  if (!cut || !disk.Unmount() || !disk.Mount()) return false;
  if (in_flight) ++counts.in_flight;
  const fs::path volume = disk.path() / "cache" / rig::kUuid;
  const auto tree = rig::CheckVolumeTree(volume, rig::ExpectedOfUs());
  counts.found += tree.blocks;
  counts.bad += tree.violations.size() + tree.strays.size();
  if (loud) {
    for (const auto& line : tree.violations) std::printf("BAD %s\n", line.c_str());
  }
  for (const auto& line : tree.strays) std::printf("STRAY %s\n", line.c_str());
  fs::remove_all(volume);
  return true;
}

// Nothing if the machinery of the test failed.
std::optional<Counts> Cut(const std::string& type, const std::string& program, int cuts,
                          std::uint64_t seed, bool lying_sync) {
  const rig::TempDir folder;
  rig::LoopDisk disk(folder.path() / "disk", type, 2048);
  Progress* progress = MapProgress(folder / "progress");
  if (!disk.mounted() || progress == nullptr) {
    std::printf("cannot mount an image with %s: this test needs root, loop devices and mkfs.%s\n",
                type.c_str(), type.c_str());
    return std::nullopt;
  }
  std::mt19937_64 random(seed);
  Counts counts;
  for (int cut = 0; cut < cuts; ++cut) {
    Reset(*progress);
    std::vector<std::string> command = {program, (disk.path() / "cache").string(),
                                        folder / "progress", std::to_string(random())};
    if (cut % 2 == 1) command.emplace_back("--each");
    if (lying_sync) command.emplace_back("--lying-sync");
    if (lying_sync || cut % 3 == 2) command.emplace_back("--no-direct");
    rig::ChildProcess child(command, folder / "log");
    const int milliseconds = static_cast<int>(random() % 400);
    if (!CutOnce(disk, child, *progress, milliseconds, !lying_sync, counts)) {
      std::printf("%s: cannot cut, unmount or mount: %s\n", type.c_str(), child.Log().c_str());
      return std::nullopt;
    }
  }
  std::printf(
      "%s%s: %d cuts, %d with work in flight; %ju blocks stored before, %zu found after, %zu bad\n",
      type.c_str(), lying_sync ? " with syncs that do nothing" : "", cuts, counts.in_flight,
      static_cast<std::uintmax_t>(counts.stored), counts.found, counts.bad);
  return counts;
}

bool TestOn(const std::string& type, const std::string& program, int cuts, std::uint64_t seed) {
  const auto control = Cut(type, program, (cuts + 3) / 4, seed, true);
  const auto counts = Cut(type, program, cuts, seed, false);
  if (!control || !counts) return false;
  // xfs writes a file out when it is cut to its size, so there the control may well be whole.
  const bool bites = control->bad > 0 || type == "xfs";
  const bool meaningful = bites && counts->stored > 0 && counts->found > 0 && counts->in_flight > 0;
  if (!meaningful) std::printf("the cuts met too little work to prove anything\n");
  return meaningful && counts->bad == 0;
}

}  // namespace
}  // namespace prewarm::faults

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: power_test <publish_loop> <cuts for each file system> <seed>\n");
    return 2;
  }
  std::printf("seed %s\n", argv[3]);
  const std::uint64_t seed = std::strtoull(argv[3], nullptr, 10);
  bool good = true;
  for (const char* type : {"ext4", "xfs"}) {
    good = prewarm::faults::TestOn(type, argv[1], std::atoi(argv[2]), seed) && good;
  }
  return good ? 0 : 1;
}
