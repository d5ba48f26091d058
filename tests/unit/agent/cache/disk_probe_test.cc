#include "agent/cache/disk_probe.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>

#include "agent/cache/file_descriptor.h"
#include "tests/rig/child_process.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::agent {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

std::uint64_t FreeBytes(const std::string& path) {
  struct statvfs space{};
  ::statvfs(path.c_str(), &space);
  return space.f_bfree * space.f_frsize;
}

// A file system of the test's own on a folder.
class Mounted {
 public:
  Mounted(const std::string& source, std::string target, const char* type, const char* options)
      : target_(std::move(target)) {
    std::filesystem::create_directories(target_);
    mounted_ = ::mount(source.c_str(), target_.c_str(), type, 0, options) == 0;
  }
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;
  ~Mounted() {
    if (mounted_) ::umount2(target_.c_str(), MNT_DETACH);
  }
  explicit operator bool() const { return mounted_; }

 private:
  std::string target_;
  bool mounted_ = false;
};

// A loop device over an ext4 image; it frees itself with the last user.
class LoopExt4 {
 public:
  LoopExt4(const rig::TempDir& folder, off_t bytes) : image_(folder / "image") {
    const FileDescriptor image(::open(image_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(::ftruncate(image.get(), bytes), 0);
    rig::ChildProcess format({"mkfs.ext4", "-q", "-F", image_}, folder / "mkfs.log");
    EXPECT_EQ(format.Wait(), 0) << format.Log();
    const FileDescriptor control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
    EXPECT_TRUE(control);
    // Somebody else may take a free device before us: ask again.
    for (int attempt = 0; attempt < 50 && device_.empty(); ++attempt) {
      const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
      const std::string name = "/dev/loop" + std::to_string(number);
      fd_ = FileDescriptor(::open(name.c_str(), O_RDWR | O_CLOEXEC));
      loop_config config{};
      config.fd = static_cast<std::uint32_t>(image.get());
      config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
      if (fd_ && ::ioctl(fd_.get(), LOOP_CONFIGURE, &config) == 0) device_ = name;
    }
    EXPECT_FALSE(device_.empty());
  }
  [[nodiscard]] const std::string& device() const { return device_; }

 private:
  std::string image_;
  std::string device_;
  FileDescriptor fd_;
};

TEST(DiskProbe, MeasuresALoopDiskAndLeavesNothingBehind) {
  const rig::TempDir folder;
  const LoopExt4 loop(folder, 512 << 20);
  const std::string place = folder / "disk";
  const Mounted disk(loop.device(), place, "ext4", "");
  ASSERT_TRUE(disk);
  const std::uint64_t free_before = FreeBytes(place);
  const auto report = ProbeDisk(place);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->facts.file_system, "ext4");
  EXPECT_EQ("/dev/" + report->facts.device, loop.device());
  EXPECT_EQ(report->facts.transport, "loop");
  EXPECT_FALSE(report->facts.boot_disk);
  EXPECT_EQ(report->disk_class, DiskClass::kOtherDisk);
  EXPECT_TRUE(report->speed.direct);
  EXPECT_GT(report->speed.write_bytes_per_second, 1'000'000U);
  EXPECT_GT(report->speed.read_bytes_per_second, 1'000'000U);
  EXPECT_GT(report->speed.block_p50.count(), 0);
  EXPECT_GE(report->speed.block_p99, report->speed.block_p50);
  EXPECT_GT(report->facts.free_inodes, 0U);
  EXPECT_GE(report->facts.total_inodes, report->facts.free_inodes);
  EXPECT_EQ(FreeBytes(place), free_before);
  std::filesystem::remove(place + "/lost+found");
  EXPECT_TRUE(std::filesystem::is_empty(place));
}

TEST(DiskProbe, TellsMemoryFromADisk) {
  const rig::TempDir folder;
  const std::string place = folder / "memory";
  const Mounted memory("tmpfs", place, "tmpfs", "size=128m");
  ASSERT_TRUE(memory);
  const auto report = ProbeDisk(place);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->facts.file_system, "tmpfs");
  EXPECT_EQ(report->disk_class, DiskClass::kMemory);
  EXPECT_THAT(report->advice, Contains(HasSubstr("memory, not a disk")));
  EXPECT_TRUE(std::filesystem::is_empty(place));
  EXPECT_EQ(FreeBytes(place), 128U << 20);
}

TEST(DiskProbe, RefusesWhereMeasuringWouldFillTheDisk) {
  const rig::TempDir folder;
  const std::string place = folder / "small";
  const Mounted memory("tmpfs", place, "tmpfs", "size=16m");
  ASSERT_TRUE(memory);
  const auto report = ProbeDisk(place);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kNoSpace);
  EXPECT_THAT(report.error().message, HasSubstr("15 %"));
  EXPECT_TRUE(std::filesystem::is_empty(place));
}

TEST(DiskProbe, SaysWhichDirectoryIsMissing) {
  const auto report = ProbeDisk("/nowhere/at/all");
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(report.error().message, HasSubstr("/nowhere/at/all"));
}

TEST(DiskProbe, CannotWriteToAReadOnlyDisk) {
  const rig::TempDir folder;
  const std::string place = folder / "fixed";
  const Mounted memory("tmpfs", place, "tmpfs", "size=128m");
  ASSERT_TRUE(memory);
  ASSERT_EQ(::mount(nullptr, place.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  const auto report = ProbeDisk(place);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kPermission);
  EXPECT_EQ(report.error().reason, Reason::kReadOnly);
}

TEST(DiskClass, TellsLocalFromRemoteDisksOfTheClouds) {
  const auto nvme = [](std::string model) {
    return ClassifyDisk({.file_system = "ext4", .transport = "nvme", .model = std::move(model)});
  };
  EXPECT_EQ(nvme("nvme_card"), DiskClass::kLocalNvme);
  EXPECT_EQ(nvme("Amazon EC2 NVMe Instance Storage"), DiskClass::kLocalNvme);
  EXPECT_EQ(nvme("nvme_card-pd"), DiskClass::kNetworkDisk);
  EXPECT_EQ(nvme("Amazon Elastic Block Store"), DiskClass::kNetworkDisk);
  EXPECT_EQ(nvme("MSFT NVMe Accelerator v1.0"), DiskClass::kNetworkDisk);
}

TEST(DiskClass, GoesByWhatMattersMost) {
  EXPECT_EQ(ClassifyDisk({.file_system = "tmpfs"}), DiskClass::kMemory);
  EXPECT_EQ(ClassifyDisk({.file_system = "nfs"}), DiskClass::kNetworkDisk);
  EXPECT_EQ(ClassifyDisk({.file_system = "ext4", .transport = "nvme", .boot_disk = true}),
            DiskClass::kBootDisk);
  EXPECT_EQ(ClassifyDisk({.file_system = "xfs", .transport = "nvme-tcp"}), DiskClass::kNetworkDisk);
  EXPECT_EQ(ClassifyDisk({.file_system = "xfs", .transport = "virtio"}), DiskClass::kOtherDisk);
  EXPECT_EQ(ClassifyDisk({}), DiskClass::kOtherDisk);
}

TEST(DiskAdvice, HasNothingAgainstAFastLocalDisk) {
  const DiskFacts facts{
      .file_system = "ext4", .transport = "nvme", .rotational = false, .total_inodes = 1000};
  DiskSpeed speed{.write_bytes_per_second = 1'200'000'000,
                  .read_bytes_per_second = 3'000'000'000,
                  .direct = true};
  EXPECT_THAT(DiskAdvice(facts, speed), IsEmpty());
  speed.write_bytes_per_second = 100 << 20;
  EXPECT_THAT(DiskAdvice(facts, speed), Contains(HasSubstr("writes 100 MiB/s")));
  speed.block_p99 = std::chrono::seconds(2);
  EXPECT_THAT(DiskAdvice(facts, speed), Contains(HasSubstr("2.0 s to become durable")));
  speed.direct = false;
  EXPECT_THAT(DiskAdvice(facts, speed), Contains(HasSubstr("direct writes")));
}

TEST(DiskAdvice, WarnsOfTheBootDiskAndOfMissingInodes) {
  const auto advice =
      DiskAdvice({.file_system = "ext4", .transport = "nvme", .boot_disk = true}, {});
  EXPECT_THAT(advice, Contains(HasSubstr("boot disk")));
  EXPECT_THAT(advice, Contains(HasSubstr("reports no inodes")));
}

}  // namespace
}  // namespace prewarm::agent
