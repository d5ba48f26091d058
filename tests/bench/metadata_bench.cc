// How long it takes to resolve large volumes, and how much memory: a tree of 100,000 files, one
// directory of 100,000 files, and a file of 1 TiB (16,384 chunks), each from a Redis server of its
// own on loopback. Prints one line per case: files, slices, seconds (median of 5), peak memory.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "tests/integration/metadata/redis_rig.h"

namespace prewarm::metadata {
namespace {

// Highest resident size since the last call, in MiB.
double PeakMemory() {
  double peak = 0;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) peak = std::stod(line.substr(6)) / 1024;
  }
  std::ofstream("/proc/self/clear_refs") << 5;
  return peak;
}

struct Case {
  const char* name;
  std::function<void(VolumeBuilder&)> build;
};

void TreeOfFiles(VolumeBuilder& volume) {
  for (int i = 0; i < 10; ++i) {
    const auto outer = volume.Directory(VolumeBuilder::kRoot, "directory " + std::to_string(i));
    for (int j = 0; j < 100; ++j) {
      const auto inner = volume.Directory(outer, "directory " + std::to_string(j));
      for (int k = 0; k < 100; ++k) {
        volume.Written(inner, "model-" + std::to_string(k) + ".safetensors", 4 << 20);
      }
    }
  }
}

void OneDirectory(VolumeBuilder& volume) {
  const auto directory = volume.Directory(VolumeBuilder::kRoot, "all");
  for (int i = 0; i < 100'000; ++i) {
    volume.Written(directory, "model-" + std::to_string(i) + ".safetensors", 4 << 20);
  }
}

void OneFile(VolumeBuilder& volume) { volume.Written(VolumeBuilder::kRoot, "file", 1ULL << 40); }

bool Measure(const Case& what) {
  rig::TempDir folder;
  RedisServer server(folder, "redis");
  int queued = 0;
  VolumeBuilder volume(
      [&](const std::vector<std::string>& command) {
        server.Queue(command);
        if (++queued % 10'000 == 0) server.Flush();
      },
      "");
  what.build(volume);
  server.Flush();

  std::vector<double> seconds;
  std::size_t files = 0;
  std::size_t slices = 0;
  PeakMemory();
  const double before = PeakMemory();
  for (int run = 0; run < 5; ++run) {
    Engine engine("redis://" + server.address() + "/0");
    const auto start = std::chrono::steady_clock::now();
    const auto resolved = engine.Resolve();
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    if (!resolved) {
      std::fprintf(stderr, "%s: %s\n", what.name, resolved.error().message.c_str());
      return false;
    }
    files = resolved->files.size();
    slices = 0;
    for (const auto& file : resolved->files) slices += file.segments.size();
  }
  std::ranges::sort(seconds);
  std::printf("%-28s %8zu files %8zu slices %7.3f s (%.3f to %.3f) %6.1f MiB peak (%.1f before)\n",
              what.name, files, slices, seconds[2], seconds.front(), seconds.back(), PeakMemory(),
              before);
  return true;
}

}  // namespace
}  // namespace prewarm::metadata

int main() {
  using namespace prewarm::metadata;
  const Case cases[] = {{"1,000 directories of 100", TreeOfFiles},
                        {"one directory of 100,000", OneDirectory},
                        {"one file of 1 TiB", OneFile}};
  bool good = true;
  for (const auto& what : cases) good = Measure(what) && good;
  return good ? 0 : 1;
}
