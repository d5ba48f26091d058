// What a publishing process was doing when it died: counters in a file that both sides map.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <string>

namespace prewarm::faults {

struct Progress {
  std::atomic<std::uint64_t> begun;     // blocks whose writing started
  std::atomic<std::uint64_t> finished;  // named, already there, or refused
  std::atomic<std::uint64_t> stored;    // named by us
  std::atomic<std::uint64_t> errors;
};

// Null if the file cannot be mapped. Lives as long as the process.
inline Progress* MapProgress(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ::ftruncate(fd, sizeof(Progress)) != 0) return nullptr;
  void* memory = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return memory == MAP_FAILED ? nullptr : static_cast<Progress*>(memory);
}

inline void Reset(Progress& progress) {
  progress.begun = 0;
  progress.finished = 0;
  progress.stored = 0;
  progress.errors = 0;
}

}  // namespace prewarm::faults
