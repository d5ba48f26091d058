// How long it takes to find out that there is nothing to do: planning a volume of 1 TiB against a
// cache directory that already holds all of it. The directory is made here: 262,144 files of the
// right length without a byte in them, which cost inodes but no space.
//
//   bench_plan FOLDER [GIB]
//
// Prints seconds and memory of the plan, and of looking at every block; FOLDER must not exist and
// is removed at the end.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/cache/block_cache.h"
#include "agent/warm/presence.h"
#include "common/juicefs/block_plan.h"
#include "common/juicefs/trailer.h"

namespace {

using namespace prewarm;  // NOLINT(google-build-using-namespace): a program of one file

constexpr std::uint32_t kBlockBytes = 4 << 20;
constexpr std::uint64_t kFileBytes = 16ULL << 30;
constexpr std::size_t kThreads = 4;  // as the engine's disk pool
constexpr const char* kUuid = "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0";

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "bench_plan: %s\n", what.c_str());
  std::exit(1);
}

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

double PeakMebibytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// Files as a client writes them: every chunk one slice.
std::vector<juicefs::FileSlices> MakeFiles(std::uint64_t bytes) {
  std::vector<juicefs::FileSlices> files;
  std::uint64_t next_slice = 1;
  for (std::uint64_t start = 0; start < bytes; start += kFileBytes) {
    const std::uint64_t length = std::min(kFileBytes, bytes - start);
    juicefs::FileSlices file{"model-" + std::to_string(files.size()) + ".safetensors",
                             juicefs::Inode{files.size() + 2},
                             length,
                             {}};
    for (std::uint64_t at = 0; at < length; at += juicefs::kChunkBytes) {
      const auto size = static_cast<std::uint32_t>(std::min(juicefs::kChunkBytes, length - at));
      file.segments.push_back({0, juicefs::SliceId{next_slice++}, size, 0, size});
    }
    files.push_back(std::move(file));
  }
  return files;
}

void MakeEmptyBlocks(const std::filesystem::path& volume_folder, const juicefs::BlockPlan& plan) {
  std::filesystem::path last_folder;
  for (std::uint64_t number = 0; number < plan.block_count(); ++number) {
    const juicefs::BlockId block = plan.At(number);
    const auto path = volume_folder / "raw" / juicefs::BlockKey(block, false);
    if (path.parent_path() != last_folder) {
      last_folder = path.parent_path();
      std::filesystem::create_directories(last_folder);
    }
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const auto bytes = static_cast<off_t>(block.size + juicefs::TrailerBytes(block.size));
    if (fd < 0 || ::ftruncate(fd, bytes) != 0) Die("cannot make " + path.string());
    ::close(fd);
  }
}

agent::PlannedWork ScanInParts(agent::BlockCache& cache, const juicefs::BlockPlan& plan,
                               agent::Presence& presence) {
  std::array<agent::PlannedWork, kThreads> parts;
  const std::uint64_t step = (plan.block_count() / kThreads / 64 + 1) * 64;
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        const std::uint64_t first = std::min(i * step, plan.block_count() / 64 * 64);
        const std::uint64_t last = std::min((i + 1) * step, plan.block_count());
        if (first >= last) return;
        auto work = agent::ScanPresence(cache, plan, first, last, presence);
        if (!work) Die(work.error().message);
        parts[i] = *std::move(work);
      });
    }
  }
  agent::PlannedWork all;
  for (const agent::PlannedWork& part : parts) all.Add(part);
  return all;
}

void DropCaches() {
  if (std::FILE* file = std::fopen("/proc/sys/vm/drop_caches", "w")) {
    std::fputs("2", file);  // names and inodes, as after a restart of the node
    std::fclose(file);
  }
}

void Measure(const std::string& folder, std::uint64_t bytes) {
  std::vector<juicefs::FileSlices> files = MakeFiles(bytes);
  auto start = std::chrono::steady_clock::now();
  const juicefs::BlockPlan plan(files, kBlockBytes);
  std::printf("plan of %llu blocks: %.3f s, peak memory %.0f MiB\n",
              static_cast<unsigned long long>(plan.block_count()), Seconds(start), PeakMebibytes());

  auto cache = agent::BlockCache::Open({.directories = {folder}, .uuid = kUuid});
  if (!cache) Die(cache.error().message);
  MakeEmptyBlocks(std::filesystem::path(folder) / kUuid, plan);
  for (const bool cold : {true, false}) {
    ::sync();
    if (cold) DropCaches();
    agent::Presence presence(plan.block_count());
    start = std::chrono::steady_clock::now();
    const agent::PlannedWork work = ScanInParts(**cache, plan, presence);
    if (work.present_blocks != plan.block_count()) Die("not every block was found whole");
    std::printf("looking at every block, names %s: %.2f s, peak memory %.0f MiB\n",
                cold ? "on disk" : "in memory", Seconds(start), PeakMebibytes());
  }
  start = std::chrono::steady_clock::now();
  const auto usage = (*cache)->Usage();
  if (!usage) Die(usage.error().message);
  std::printf("usage of the directory: %.2f s, peak memory %.0f MiB\n", Seconds(start),
              PeakMebibytes());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: bench_plan FOLDER [GIB]\n");
    return 2;
  }
  const std::string folder = argv[1];
  if (std::filesystem::exists(folder)) Die(folder + " exists");
  Measure(folder, (argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 1024) << 30);
  std::filesystem::remove_all(folder);
  return 0;
}
