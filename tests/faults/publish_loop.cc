// Publishes blocks of known bytes as fast as it can until it is killed. Usage:
//   publish_loop <dir> <progress file> <seed> [blocks] [--no-tmpfile] [--each] [--no-direct]
//   [--lying-sync]
// Stops by itself after `blocks` blocks per thread (0: only opens the cache, which cleans up).
// --no-tmpfile: as on a file system without O_TMPFILE. --each: fdatasync per block, not syncfs.
// --no-direct: through the page cache, as on a file system without direct I/O.
// --lying-sync: syncs (and fadvise, which starts writing) say yes and do nothing; the control that
// shows what a power cut then does.
#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "agent/cache/block_cache.h"
#include "tests/faults/progress.h"
#include "tests/rig/cache_fixture.h"
#include "tests/rig/failing_calls.h"

namespace prewarm::faults {
namespace {

struct Loop {
  agent::BlockCache& cache;
  Progress& progress;
  std::uint64_t blocks;
};

juicefs::BlockId RandomBlock(std::mt19937_64& random) {
  constexpr std::uint32_t kSizes[] = {1, 5000, 65536, 65536, 100000, 262144, 1048576, 4194304};
  const auto slice = random() % 4'000'000 + 1;  // thousands of folders
  return rig::ABlock(slice, static_cast<std::uint32_t>(random() % 16), kSizes[random() % 8]);
}

void Refused(const Loop& loop, const Error& error) {
  ++loop.progress.errors;
  std::fprintf(stderr, "%s\n", error.message.c_str());
}

void PublishSome(const Loop& loop, std::mt19937_64& random, std::uint64_t count) {
  std::vector<agent::StagedBlock> batch;
  for (std::uint64_t i = 0; i < count; ++i) {
    ++loop.progress.begun;
    auto staged = rig::StageBlock(loop.cache, RandomBlock(random));
    if (staged) {
      batch.push_back(*std::move(staged));
    } else {
      ++loop.progress.finished;
      Refused(loop, staged.error());
    }
  }
  for (const auto& answer : loop.cache.Publish(std::move(batch))) {
    ++loop.progress.finished;
    if (!answer) {
      Refused(loop, answer.error());
    } else if (*answer == agent::Published::kStored) {
      ++loop.progress.stored;
    }
  }
}

void PublishUntilKilled(const Loop& loop, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::uint64_t done = 0; done < loop.blocks;) {
    const std::uint64_t count = random() % 6 + 1;
    PublishSome(loop, random, count);
    done += count;
  }
}

int Main(const std::vector<std::string>& arguments) {
  agent::CacheOptions options = rig::CacheAt({arguments[0]});
  options.batch_sync = true;
  std::uint64_t blocks = ~0ULL;
  for (std::size_t i = 3; i < arguments.size(); ++i) {
    if (arguments[i] == "--no-tmpfile") {
      if (!rig::FailFromNowOn({rig::NoNamelessFiles(EOPNOTSUPP)})) return 1;
    } else if (arguments[i] == "--no-direct") {
      if (!rig::FailFromNowOn({{SYS_openat, EINVAL, 2, O_DIRECT}})) return 1;
    } else if (arguments[i] == "--lying-sync") {
      if (!rig::FailFromNowOn({{SYS_syncfs, 0}, {SYS_fdatasync, 0}, {SYS_fadvise64, 0}})) return 1;
    } else if (arguments[i] == "--each") {
      options.batch_sync = false;
    } else {
      blocks = std::strtoull(arguments[i].c_str(), nullptr, 10);
    }
  }
  Progress* progress = MapProgress(arguments[1]);
  auto cache = agent::BlockCache::Open(options);
  if (progress == nullptr || !cache) {
    std::fprintf(stderr, "%s\n", cache ? "no progress file" : cache.error().message.c_str());
    return 1;
  }
  const Loop loop{**cache, *progress, blocks};
  const std::uint64_t seed = std::strtoull(arguments[2].c_str(), nullptr, 10);
  std::thread second([&] { PublishUntilKilled(loop, seed + 1); });
  PublishUntilKilled(loop, seed);
  second.join();
  return 0;
}

}  // namespace
}  // namespace prewarm::faults

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr,
                 "usage: publish_loop <dir> <progress> <seed> [blocks] [--no-tmpfile] [--each] "
                 "[--lying-sync]\n");
    return 2;
  }
  return prewarm::faults::Main(std::vector<std::string>(argv + 1, argv + argc));
}
