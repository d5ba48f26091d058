#include "common/process/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <system_error>

namespace prewarm {
namespace {

std::string Contents(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The value of a field of /proc/self/stat, numbered as in proc(5). The program's name, which may
// hold anything, is field 2 and in parentheses.
double StatField(int number) {
  const std::string stat = Contents("/proc/self/stat");
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string field;
  for (int i = 3; i <= number; ++i) fields >> field;
  std::istringstream text(field);
  double value = 0;
  text >> value;
  return value;
}

double TicksPerSecond() { return static_cast<double>(::sysconf(_SC_CLK_TCK)); }

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double OpenDescriptors() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    ++count;
  }
  return count > 0 ? count - 1 : 0;  // without the one that lists them
}

double MostDescriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

// Ticks since boot, on top of the boot's own time in /proc/stat.
double StartTime() {
  std::istringstream lines(Contents("/proc/stat"));
  double boot = 0;
  for (std::string word; lines >> word;) {
    if (word == "btime" && lines >> boot) break;
  }
  return boot + StatField(22) / TicksPerSecond();
}

}  // namespace

std::vector<ProcessMetric> ProcessMetrics() {
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  return {
      {"process_cpu_seconds_total", "User and system CPU time.", CpuSeconds},
      {"process_resident_memory_bytes", "Resident memory.",
       [page] { return StatField(24) * page; }},
      {"process_virtual_memory_bytes", "Virtual memory.", [] { return StatField(23); }},
      {"process_threads", "Threads.", [] { return StatField(20); }},
      {"process_open_fds", "Open file descriptors.", OpenDescriptors},
      {"process_max_fds", "File descriptors that may be open.", MostDescriptors},
      {"process_start_time_seconds", "Start of the process, since the epoch.",
       [start = StartTime()] { return start; }},
  };
}

}  // namespace prewarm
