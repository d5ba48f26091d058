#include "agent/cache/disk_probe.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <utility>

#include "agent/cache/disk_error.h"
#include "agent/cache/file_descriptor.h"
#include "common/base/clock.h"
#include "common/base/units.h"

namespace prewarm::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlockBytes = 4_MiB;
constexpr std::size_t kAlignment = 4096;
constexpr std::uint64_t kMostBytes = 256_MiB;
constexpr std::uint64_t kFewestBytes = 16_MiB;  // less says nothing about a disk
constexpr double kFloorRatio = 0.15;
constexpr Duration kRateLimit = std::chrono::seconds(1);
constexpr Duration kLatencyLimit = std::chrono::milliseconds(500);

// ---- what the kernel tells

struct FileSystemName {
  std::uint64_t magic;
  std::string_view name;
};
constexpr std::array kFileSystems = std::to_array<FileSystemName>({
    {EXT4_SUPER_MAGIC, "ext4"},
    {XFS_SUPER_MAGIC, "xfs"},
    {BTRFS_SUPER_MAGIC, "btrfs"},
    {F2FS_SUPER_MAGIC, "f2fs"},
    {0x2fc12fc1, "zfs"},
    {TMPFS_MAGIC, "tmpfs"},
    {RAMFS_MAGIC, "ramfs"},
    {OVERLAYFS_SUPER_MAGIC, "overlay"},
    {NFS_SUPER_MAGIC, "nfs"},
    {SMB2_SUPER_MAGIC, "smb"},
    {CIFS_SUPER_MAGIC, "smb"},
    {CEPH_SUPER_MAGIC, "ceph"},
    {0x0bd00bd0, "lustre"},
    {V9FS_MAGIC, "9p"},
    {FUSE_SUPER_MAGIC, "fuse"},
});

std::string FileSystemOf(std::uint64_t magic) {
  const auto* found = std::ranges::find(kFileSystems, magic, &FileSystemName::magic);
  if (found != kFileSystems.end()) return std::string(found->name);
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(magic));
  return text.data();
}

std::string FirstLine(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  line.erase(line.find_last_not_of(" \t") + 1);
  return line;
}

// The whole disk below a device number: a partition's parent, and what a stack of mapped devices
// stands on. Empty if the kernel does not show it (overlay, btrfs, a container without /sys).
fs::path WholeDisk(dev_t device) {
  std::error_code ignored;
  fs::path disk = fs::canonical(
      "/sys/dev/block/" + std::to_string(major(device)) + ":" + std::to_string(minor(device)),
      ignored);
  if (disk.empty()) return {};
  if (fs::exists(disk / "partition", ignored)) disk = disk.parent_path();
  constexpr int kDeepestStack = 8;
  for (int depth = 0; depth < kDeepestStack; ++depth) {
    fs::directory_iterator slaves(disk / "slaves", ignored);
    if (slaves == fs::directory_iterator()) break;
    fs::path below = fs::canonical(slaves->path(), ignored);
    if (below.empty()) break;
    if (fs::exists(below / "partition", ignored)) below = below.parent_path();
    disk = std::move(below);
  }
  return disk;
}

std::string TransportOf(const fs::path& disk) {
  const std::string name = disk.filename().string();
  const std::string path = disk.string();
  if (name.starts_with("nvme")) {
    const std::string fabric = FirstLine(disk / "device" / "transport");
    return fabric.empty() || fabric == "pcie" ? "nvme" : "nvme-" + fabric;
  }
  if (name.starts_with("loop")) return "loop";
  if (name.starts_with("dm-")) return "device-mapper";
  if (name.starts_with("rbd") || name.starts_with("nbd") || name.starts_with("drbd"))
    return name.substr(0, name.find_first_of("0123456789"));
  if (path.find("/session") != std::string::npos) return "iscsi";
  if (path.find("/virtio") != std::string::npos) return "virtio";
  if (path.find("/ata") != std::string::npos) return "sata";
  if (name.starts_with("sd")) return "scsi";
  return "unknown";
}

Result<DiskFacts> ReadFacts(int directory, const std::string& path) {
  struct statfs kind{};
  struct statvfs space{};
  struct stat status{};
  if (::fstatfs(directory, &kind) != 0 || ::fstatvfs(directory, &space) != 0 ||
      ::fstat(directory, &status) != 0) {
    return DiskError(errno, "asking for the file system of " + path, directory);
  }
  DiskFacts facts;
  facts.file_system = FileSystemOf(static_cast<std::uint64_t>(kind.f_type) & 0xffffffffU);
  facts.total_bytes = space.f_blocks * space.f_frsize;
  facts.free_bytes = space.f_bavail * space.f_frsize;
  facts.total_inodes = space.f_files;
  facts.free_inodes = space.f_favail;

  const fs::path disk = WholeDisk(status.st_dev);
  if (disk.empty()) return facts;
  facts.device = disk.filename().string();
  facts.transport = TransportOf(disk);
  facts.model = FirstLine(disk / "device" / "model");
  const std::string rotational = FirstLine(disk / "queue" / "rotational");
  if (!rotational.empty()) facts.rotational = rotational == "1";
  struct stat root{};
  facts.boot_disk = ::stat("/", &root) == 0 && WholeDisk(root.st_dev) == disk;
  return facts;
}

// ---- measuring

using Buffer = std::unique_ptr<std::byte, decltype(&std::free)>;

// Bytes that no disk can make smaller.
Buffer RandomBlock() {
  Buffer buffer(static_cast<std::byte*>(std::aligned_alloc(kAlignment, kBlockBytes)), &std::free);
  std::minstd_rand random(20261124);
  for (std::size_t i = 0; i < kBlockBytes; ++i)
    buffer.get()[i] = static_cast<std::byte>(random() >> 16);
  return buffer;
}

struct ProbeFile {
  FileDescriptor fd;
  bool direct = false;
};

// A file without a name, or with one that is gone before the first byte is written.
Result<ProbeFile> OpenProbeFile(int directory, const std::string& path) {
  for (const int direct : {O_DIRECT, 0}) {
    const int fd = ::openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC | direct, 0600);
    if (fd >= 0) return ProbeFile{FileDescriptor(fd), direct != 0};
    if (errno != EINVAL && errno != EOPNOTSUPP && errno != EISDIR) {
      return DiskError(errno, "making a file in " + path, directory);
    }
  }
  std::string name = path + "/.prewarm-probe-XXXXXX";
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) return DiskError(errno, "making a file in " + path, directory);
  ::unlink(name.c_str());
  return ProbeFile{FileDescriptor(fd), false};
}

class Measurement {
 public:
  Measurement(ProbeFile file, std::uint64_t most_bytes, std::string path)
      : file_(std::move(file)),
        most_bytes_(most_bytes),
        path_(std::move(path)),
        block_(RandomBlock()) {}

  Result<DiskSpeed> Run() {
    DiskSpeed speed{.direct = file_.direct};
    TRY(speed.write_bytes_per_second, WriteRate());
    TRY(speed.read_bytes_per_second, ReadRate());
    TRY_STATUS(Latency(speed));
    return speed;
  }

 private:
  Error Failed(const std::string& what) const {
    return DiskError(errno, what + " in " + path_, file_.fd.get());
  }

  Status WriteAt(std::uint64_t offset) {
    for (std::size_t done = 0; done < kBlockBytes;) {
      const ssize_t count = ::pwrite(file_.fd.get(), block_.get() + done, kBlockBytes - done,
                                     static_cast<off_t>(offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return Failed("writing");
      done += static_cast<std::size_t>(count);
    }
    return {};
  }

  Status Sync() {
    if (::fdatasync(file_.fd.get()) != 0) return Failed("syncing");
    return {};
  }

  static std::uint64_t Rate(std::uint64_t bytes, Duration took) {
    return static_cast<std::uint64_t>(static_cast<double>(bytes) /
                                      std::chrono::duration<double>(took).count());
  }

  Result<std::uint64_t> WriteRate() {
    const SteadyTime start = clock_.Now();
    for (written_ = 0; written_ + kBlockBytes <= most_bytes_; written_ += kBlockBytes) {
      if (clock_.Now() - start > kRateLimit) break;
      TRY_STATUS(WriteAt(written_));
    }
    TRY_STATUS(Sync());
    return Rate(written_, clock_.Now() - start);
  }

  Result<std::uint64_t> ReadRate() {
    ::posix_fadvise(file_.fd.get(), 0, 0, POSIX_FADV_DONTNEED);
    const SteadyTime start = clock_.Now();
    std::uint64_t done = 0;
    while (done < written_ && clock_.Now() - start < kRateLimit) {
      const ssize_t count =
          ::pread(file_.fd.get(), block_.get(), kBlockBytes, static_cast<off_t>(done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return Failed("reading");
      if (count == 0)
        return Fail(ErrorCode::kInternal, "the file in " + path_ + " lost bytes",
                    Reason::kDiskError);
      done += static_cast<std::uint64_t>(count);
    }
    return Rate(done, clock_.Now() - start);
  }

  // The space is given back first, so that every block needs new space, as publishing does.
  Status Latency(DiskSpeed& speed) {
    if (::ftruncate(file_.fd.get(), 0) != 0) return Failed("truncating");
    std::vector<Duration> took;
    const SteadyTime start = clock_.Now();
    for (std::uint64_t at = 0; at + kBlockBytes <= most_bytes_; at += kBlockBytes) {
      const SteadyTime begin = clock_.Now();
      if (!took.empty() && begin - start > kLatencyLimit) break;
      TRY_STATUS(WriteAt(at));
      TRY_STATUS(Sync());
      took.push_back(clock_.Now() - begin);
    }
    std::ranges::sort(took);
    speed.block_p50 = took[took.size() / 2];
    speed.block_p99 = took[std::min(took.size() - 1, took.size() * 99 / 100)];
    return {};
  }

  SystemClock clock_;
  ProbeFile file_;
  std::uint64_t most_bytes_;
  std::string path_;
  Buffer block_;
  std::uint64_t written_ = 0;
};

Result<std::uint64_t> BytesToWrite(const DiskFacts& facts, const std::string& directory) {
  const auto floor =
      static_cast<std::uint64_t>(kFloorRatio * static_cast<double>(facts.total_bytes));
  const std::uint64_t room = facts.free_bytes > floor ? facts.free_bytes - floor : 0;
  if (room < kFewestBytes) {
    return Fail(ErrorCode::kNoSpace,
                directory + " has " + FormatBytes(facts.free_bytes) + " free of " +
                    FormatBytes(facts.total_bytes) + ": measuring would leave less than 15 %",
                Reason::kNoSpace);
  }
  return std::min(room, kMostBytes);
}

// ---- judging

// How clouds name the remote volumes that they show as local NVMe or SCSI disks.
bool IsRemoteModel(std::string_view model) {
  constexpr std::array kRemote = {std::string_view("Amazon Elastic Block Store"),
                                  std::string_view("nvme_card-pd"),
                                  std::string_view("PersistentDisk"),
                                  std::string_view("MSFT NVMe Accelerator"),
                                  std::string_view("Virtual Disk"),
                                  std::string_view("BlockVolume")};
  return std::ranges::any_of(kRemote,
                             [model](std::string_view name) { return model.starts_with(name); });
}

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> set) {
  return std::ranges::find(set, text) != set.end();
}

std::string PerSecond(std::uint64_t bytes) { return FormatBytes(bytes) + "/s"; }

}  // namespace

std::string_view DiskClassName(DiskClass disk_class) {
  switch (disk_class) {
    case DiskClass::kLocalNvme: return "local_nvme";
    case DiskClass::kNetworkDisk: return "network_disk";
    case DiskClass::kBootDisk: return "boot_disk";
    case DiskClass::kMemory: return "memory";
    case DiskClass::kOtherDisk: return "other_disk";
  }
  return "other_disk";
}

DiskClass ClassifyDisk(const DiskFacts& facts) {
  if (IsOneOf(facts.file_system, {"tmpfs", "ramfs"})) return DiskClass::kMemory;
  if (IsOneOf(facts.file_system, {"nfs", "smb", "ceph", "lustre", "9p", "fuse"}))
    return DiskClass::kNetworkDisk;
  if (facts.boot_disk) return DiskClass::kBootDisk;
  const bool fabric = facts.transport.starts_with("nvme-") ||
                      IsOneOf(facts.transport, {"iscsi", "rbd", "nbd", "drbd"});
  if (fabric || IsRemoteModel(facts.model)) return DiskClass::kNetworkDisk;
  return facts.transport == "nvme" ? DiskClass::kLocalNvme : DiskClass::kOtherDisk;
}

std::vector<std::string> DiskAdvice(const DiskFacts& facts, const DiskSpeed& speed) {
  constexpr std::uint64_t kSlow = 400'000'000;  // a 10 Gbit/s link brings three times as much
  constexpr std::chrono::milliseconds kSlowBlock{250};
  std::vector<std::string> advice;
  const DiskClass disk_class = ClassifyDisk(facts);
  if (disk_class == DiskClass::kMemory) {
    advice.emplace_back(
        "This is memory, not a disk: blocks count as memory of the node and are gone after a "
        "restart.");
    return advice;
  }
  if (disk_class == DiskClass::kNetworkDisk) {
    advice.emplace_back(
        "This is a network disk: reads of the cache cross the network as reads of the store do. "
        "Use a disk of the node.");
  }
  if (disk_class == DiskClass::kBootDisk) {
    advice.emplace_back(
        "This is the boot disk: the cache shares its space and speed with the system and with "
        "container images, "
        "and a full one makes the kubelet evict pods. Use a disk of its own.");
  }
  if (facts.rotational.value_or(false) && facts.transport != "virtio" &&
      facts.transport != "loop") {
    advice.emplace_back("This is a rotating disk: many readers at once will be slow.");
  }
  if (speed.write_bytes_per_second < kSlow) {
    advice.push_back(
        "It writes " + PerSecond(speed.write_bytes_per_second) +
        ": a faster store or link will wait for it. Compare with what the store gives.");
  }
  if (speed.read_bytes_per_second < kSlow) {
    advice.push_back("It reads " + PerSecond(speed.read_bytes_per_second) +
                     ": if the store is faster than that, a warm cache slows the pod down.");
  }
  if (speed.block_p99 > kSlowBlock) {
    advice.push_back("The slowest blocks of 4 MiB took " + FormatDuration(speed.block_p99) +
                     " to become durable: something else is using the disk, or it is throttled.");
  }
  if (!speed.direct)
    advice.emplace_back(
        "It does not take direct writes: warming costs twice the CPU, and the rates may be the "
        "memory's.");
  if (facts.total_inodes == 0) {
    advice.emplace_back(
        "It reports no inodes: JuiceFS clients before 1.3.3 take it for full and do not cache "
        "there.");
  }
  return advice;
}

Result<DiskReport> ProbeDisk(const std::string& directory) {
  const FileDescriptor folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return ErrnoError(errno, directory);
  DiskReport report{.directory = directory,
                    .facts = {},
                    .speed = {},
                    .disk_class = DiskClass::kOtherDisk,
                    .advice = {}};
  TRY(report.facts, ReadFacts(folder.get(), directory));
  TRY(const std::uint64_t most_bytes, BytesToWrite(report.facts, directory));
  TRY(ProbeFile file, OpenProbeFile(folder.get(), directory));
  TRY(report.speed, Measurement(std::move(file), most_bytes, directory).Run());
  report.disk_class = ClassifyDisk(report.facts);
  report.advice = DiskAdvice(report.facts, report.speed);
  return report;
}

}  // namespace prewarm::agent
