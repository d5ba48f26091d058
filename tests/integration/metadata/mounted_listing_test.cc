// A volume that the real client has written, listed from its metadata and through its mount: both
// tell the same of every directory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/integration/metadata/redis_rig.h"
#include "tests/integration/mount/live_mount.h"

namespace prewarm::metadata {
namespace {

namespace fs = std::filesystem;
using juicefs::FileType;

FileType TypeOf(const struct stat& status) {
  switch (status.st_mode & S_IFMT) {
    case S_IFREG: return FileType::kFile;
    case S_IFDIR: return FileType::kDirectory;
    case S_IFLNK: return FileType::kSymlink;
    case S_IFIFO: return FileType::kFifo;
    case S_IFBLK: return FileType::kBlockDevice;
    case S_IFCHR: return FileType::kCharDevice;
    default: return FileType::kSocket;
  }
}

// As `ls -l` sees it.
DirectoryListing Seen(const fs::path& root, const fs::path& directory) {
  DirectoryListing listing;
  listing.kind = DirectoryListing::Kind::kDirectory;
  const fs::path below = directory.lexically_relative(root);
  if (below != ".") listing.real_path = below.string();
  for (const auto& found : fs::directory_iterator(directory)) {
    struct stat status{};
    EXPECT_EQ(::lstat(found.path().c_str(), &status), 0) << found.path();
    ListedEntry entry{
        .name = found.path().filename().string(), .type = TypeOf(status), .bytes = 0, .target = {}};
    if (entry.type == FileType::kFile) entry.bytes = static_cast<std::uint64_t>(status.st_size);
    if (entry.type == FileType::kSymlink) entry.target = fs::read_symlink(found.path()).string();
    listing.entries.push_back(std::move(entry));
  }
  std::ranges::sort(listing.entries, {}, &ListedEntry::name);
  return listing;
}

class MountedListing : public agent::LiveMount {
 protected:
  void SetUp() override { Mount("mnt", {"--cache-dir", folder_ / "cache"}); }

  [[nodiscard]] fs::path Mounted() const { return folder_.path() / "mnt"; }
  static void Write(const fs::path& path, std::size_t bytes) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << std::string(bytes, 'x');
  }
  // Every directory below, and itself.
  static std::vector<fs::path> Directories(const fs::path& root) {
    std::vector<fs::path> directories{root};
    for (const auto& found : fs::recursive_directory_iterator(root)) {
      if (!found.is_symlink() && found.is_directory()) directories.push_back(found.path());
    }
    return directories;
  }
};

void MakeAwkwardTree(const fs::path& tree) {
  fs::create_directories(tree / "deep/deeper/deepest");
  fs::create_directories(tree / "empty");
  fs::create_symlink("weights", tree / "relative");
  fs::create_symlink("/etc/passwd", tree / "absolute");
  fs::create_symlink("nowhere", tree / "dangling");
  fs::create_symlink("loop", tree / "loop");
  fs::create_symlink("../../../..", tree / "leaving");
  fs::create_symlink("\xff\xfe/\x01", tree / "raw target");
  fs::create_directory_symlink("deep/deeper", tree / "shortcut");
  fs::create_symlink(std::string(4000, 'y'), tree / "long target");
  fs::create_hard_link(tree / "weights", tree / "deep/hard link");
  fs::resize_file(tree / "sparse", 300'000'000'000);
  fs::resize_file(tree / "shrunk", 7);
  fs::rename(tree / "other", tree / "replaced");
  fs::remove(tree / "removed");
  ASSERT_EQ(::mkfifo((tree / "fifo").c_str(), 0600), 0);
  ASSERT_EQ(::mknod((tree / "socket").c_str(), S_IFSOCK | 0600, 0), 0);
  ASSERT_EQ(::mknod((tree / "character device").c_str(), S_IFCHR | 0600, ::makedev(1, 3)), 0);
  ASSERT_EQ(::mknod((tree / "block device").c_str(), S_IFBLK | 0600, ::makedev(7, 0)), 0);
}

TEST_F(MountedListing, TellsOfEveryDirectoryWhatTheMountShows) {
  const fs::path tree = Mounted() / "tree";
  for (const char* name : {"weights", "sparse", "shrunk", "replaced", "removed", "deep/file",
                           "deep/deeper/deepest/file", "\xe4\xb8\xad\xe6\x96\x87/\xff\xfe",
                           "line\nbreak/a b", "-rf *"}) {
    Write(tree / name, 5000);
  }
  Write(tree / "other", 3 << 20);
  Write(tree / std::string(255, 'x'), 0);
  for (int i = 0; i < 1500; ++i) Write(tree / "many" / std::to_string(i), 1);
  ASSERT_NO_FATAL_FAILURE(MakeAwkwardTree(tree));

  Engine engine(Meta());
  std::size_t entries = 0;
  for (const fs::path& directory : Directories(tree)) {
    const auto listing = engine.List(directory.lexically_relative(Mounted()).string());
    ASSERT_TRUE(listing) << directory << ": " << listing.error().message;
    EXPECT_EQ(Show(*listing), Show(Seen(Mounted(), directory)));
    entries += listing->entries.size();

    const auto of_subdir = engine.List(directory.lexically_relative(tree).string(), "tree");
    ASSERT_TRUE(of_subdir) << directory << ": " << of_subdir.error().message;
    EXPECT_EQ(*of_subdir, Seen(tree, directory)) << Show(*of_subdir);
  }
  EXPECT_GT(entries, 1500U);
}

TEST_F(MountedListing, LeadsWhereTheMountLeads) {
  Write(Mounted() / "models/gpt/snapshots/1/config", 0);
  Write(Mounted() / "models/gpt/blobs/abc", 77);
  fs::create_symlink("../../blobs/abc", Mounted() / "models/gpt/snapshots/1/weights");
  fs::create_directory_symlink("gpt/snapshots/1", Mounted() / "models/latest");
  fs::create_symlink("gone", Mounted() / "models/gpt/dangling");
  Engine engine(Meta());
  for (const std::string path : {"models/latest/weights", "models/latest/../../blobs/abc",
                                 "models/latest", "models/gpt/dangling", "models/nowhere",
                                 "models/gpt/blobs/abc/below", "models/latest/config"}) {
    const fs::path mounted = Mounted() / path;
    const auto listing = engine.List(path);
    ASSERT_TRUE(listing) << path << ": " << listing.error().message;
    std::error_code error;
    const fs::path real = fs::canonical(mounted, error);
    if (error) {
      EXPECT_EQ(Show(*listing), "absent") << path;
    } else if (fs::is_directory(real)) {
      EXPECT_EQ(Show(*listing), Show(Seen(Mounted(), real))) << path;
    } else {
      EXPECT_EQ(Show(*listing), "/" + real.lexically_relative(Mounted()).string() + " file " +
                                    std::to_string(fs::file_size(real)));
    }
  }
}

}  // namespace
}  // namespace prewarm::metadata
