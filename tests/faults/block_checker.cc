// Checks every block of one <dir>/<UUID> whose bytes publish_loop made, once or (--watch SECONDS)
// all the time, and prints what is wrong. Exit 0 only if nothing is.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "tests/faults/watcher.h"

namespace {

int Watch(const std::string& volume, const prewarm::rig::Expected& expected, int seconds) {
  prewarm::faults::Watcher watcher(volume, expected);
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  watcher.Stop();
  for (const auto& line : watcher.violations()) std::printf("%s\n", line.c_str());
  std::printf("%ju reads, %zu violations\n", static_cast<std::uintmax_t>(watcher.reads()),
              watcher.violations().size());
  return watcher.violations().empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 4) {
    std::fprintf(stderr, "usage: block_checker <dir>/<UUID> [--watch SECONDS]\n");
    return 2;
  }
  const prewarm::rig::Expected expected{0600, ::geteuid(), ::getegid()};
  if (argc == 4) return Watch(argv[1], expected, std::atoi(argv[3]));
  const auto tree = prewarm::rig::CheckVolumeTree(argv[1], expected);
  for (const auto& line : tree.violations) std::printf("%s\n", line.c_str());
  for (const auto& line : tree.strays) std::printf("stray: %s\n", line.c_str());
  std::printf("%zu blocks, %zu violations, %zu strays\n", tree.blocks, tree.violations.size(),
              tree.strays.size());
  return tree.violations.empty() && tree.strays.empty() ? 0 : 1;
}
