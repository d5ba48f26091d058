// File systems of a test's own, mounted in a mount namespace that dies with the process, so that
// nothing stays behind however the test ends. Needs root.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace prewarm::rig {

// True once this process has a private mount namespace; the first call makes it. False without
// root.
bool EnterOwnMountNamespace();

class TmpfsDisk {
 public:
  // `options` as for mount -t tmpfs -o: "size=4m,nr_inodes=100".
  TmpfsDisk(std::filesystem::path mount_point, const std::string& options);
  TmpfsDisk(const TmpfsDisk&) = delete;
  TmpfsDisk& operator=(const TmpfsDisk&) = delete;
  ~TmpfsDisk();

  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] const std::filesystem::path& path() const { return mount_point_; }

 private:
  std::filesystem::path mount_point_;
  bool mounted_ = false;
};

// ext4 or xfs on a loop device whose image is a sparse file in memory where possible.
class LoopDisk {
 public:
  LoopDisk(std::filesystem::path mount_point, const std::string& type, std::uint64_t mebibytes);
  LoopDisk(const LoopDisk&) = delete;
  LoopDisk& operator=(const LoopDisk&) = delete;
  ~LoopDisk();

  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] const std::filesystem::path& path() const { return mount_point_; }
  bool Mount();
  bool Unmount();
  bool Remount(const std::string& options);
  // Everything that is not durable is lost, as by a power cut; unmount and mount is the reboot.
  bool CutPower();

 private:
  std::filesystem::path mount_point_;
  std::filesystem::path image_;
  std::string type_;
  bool mounted_ = false;
};

}  // namespace prewarm::rig
