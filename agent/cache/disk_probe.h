// What kind of disk a cache directory is on and what it does, measured on the spot: a cache on a
// network disk or on the boot disk often costs more than it saves, and its owner rarely knows.
// The measuring writes at most 256 MiB into a file without a name and leaves nothing behind.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace prewarm::agent {

enum class DiskClass : std::uint8_t {
  kLocalNvme,
  kNetworkDisk,  // a remote volume or a network file system
  kBootDisk,     // shared with the system, whatever it is made of
  kMemory,       // tmpfs, ramfs
  kOtherDisk,  // SATA, a paravirtual disk of unknown making, a device that cannot be seen from here
};
std::string_view DiskClassName(DiskClass disk_class);  // "local_nvme", …

// What the kernel tells about the place.
struct DiskFacts {
  std::string file_system{};  // "ext4", "xfs", "tmpfs", …; a hexadecimal number if not known
  std::string device{};       // "nvme0n1"; empty if there is none or it is hidden
  std::string transport{};    // "nvme", "nvme-tcp", "virtio", "scsi", "loop", "device-mapper", …
  std::string model{};  // as the disk calls itself; tells a cloud's local disks from remote ones
  std::optional<bool> rotational{};
  bool boot_disk = false;  // the same whole device as /
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;  // for us, without the reserve for root
  std::uint64_t total_inodes = 0;
  std::uint64_t free_inodes = 0;
};

struct DiskSpeed {
  std::uint64_t write_bytes_per_second = 0;  // one writer, blocks of 4 MiB, until durable
  std::uint64_t read_bytes_per_second = 0;   // one reader
  std::chrono::nanoseconds block_p50{0};     // writing one block of 4 MiB and making it durable
  std::chrono::nanoseconds block_p99{0};
  bool direct = false;  // past the page cache; otherwise the rates may be the memory's
};

struct DiskReport {
  std::string directory;
  DiskFacts facts;
  DiskSpeed speed;
  DiskClass disk_class = DiskClass::kOtherDisk;
  std::vector<std::string> advice;  // sentences; empty: nothing to object to
};

// About two and a half seconds of work. kNotFound: no such directory. kNoSpace: measuring would
// leave less than 15 % free. kPermission: cannot be written. kInternal: the disk fails. Blocking.
Result<DiskReport> ProbeDisk(const std::string& directory);

// The rules by themselves.
DiskClass ClassifyDisk(const DiskFacts& facts);
std::vector<std::string> DiskAdvice(const DiskFacts& facts, const DiskSpeed& speed);

}  // namespace prewarm::agent
