#include "common/metadata/path_walk.h"

#include <gtest/gtest.h>

#include <map>

#include "common/metadata/volume_keys.h"

namespace prewarm::metadata {
namespace {

using juicefs::FileType;
using juicefs::Inode;

// A volume in memory that answers a walk's questions.
class Volume {
 public:
  Volume& Entry(std::uint64_t directory, const std::string& name, FileType type,
                std::uint64_t inode) {
    std::string value(1, static_cast<char>(type));
    for (int shift = 56; shift >= 0; shift -= 8) value += static_cast<char>(inode >> shift);
    entries_[{directory, name}] = value;
    return *this;
  }
  Volume& Symlink(std::uint64_t directory, const std::string& name, std::uint64_t inode,
                  const std::string& target) {
    targets_[inode] = target;
    return Entry(directory, name, FileType::kSymlink, inode);
  }

  Result<Node> Walk(const std::string& path, std::uint64_t root = 1) const {
    PathWalk walk(path, Inode(root));
    for (;;) {
      TRY(const auto question, walk.Next());
      if (!question) return walk.Destination();
      TRY_STATUS(walk.Answer(Lookup(*question)));
    }
  }

 private:
  std::optional<std::string_view> Lookup(const PathWalk::Question& question) const {
    if (question.kind == PathWalk::Question::Kind::kTarget) {
      const auto found = targets_.find(question.inode.value);
      if (found == targets_.end()) return std::nullopt;
      return found->second;
    }
    const auto found = entries_.find({question.inode.value, question.name});
    if (found == entries_.end()) return std::nullopt;
    return found->second;
  }

  std::map<std::pair<std::uint64_t, std::string>, std::string> entries_;
  std::map<std::uint64_t, std::string> targets_;
};

// /models/gpt/{weights,config}, /models/latest -> gpt, /pipe
Volume Models() {
  Volume volume;
  volume.Entry(1, "models", FileType::kDirectory, 2)
      .Entry(2, "gpt", FileType::kDirectory, 3)
      .Entry(3, "weights", FileType::kFile, 4)
      .Entry(3, "config", FileType::kFile, 5)
      .Symlink(2, "latest", 6, "gpt")
      .Entry(1, "pipe", FileType::kFifo, 7);
  return volume;
}

Node File(std::uint64_t inode, std::string path) {
  return {.inode = Inode(inode), .type = FileType::kFile, .path = std::move(path)};
}
Node Directory(std::uint64_t inode, std::string path) {
  return {.inode = Inode(inode), .type = FileType::kDirectory, .path = std::move(path)};
}

void ExpectError(const Result<Node>& result, ErrorCode code, const std::string& message) {
  ASSERT_FALSE(result) << result->path;
  EXPECT_EQ(result.error().code, code);
  EXPECT_EQ(result.error().message, message);
}

TEST(PathWalk, TakesSlashesAndDotsAsAShellDoes) {
  const Volume volume = Models();
  for (const char* root : {"", "/", ".", "//", "./", "..", "/../..", "models/.."}) {
    EXPECT_EQ(*volume.Walk(root), Directory(1, "")) << root;
  }
  for (const char* path : {"models/gpt", "/models/gpt", "/models/gpt/", "//models//gpt//",
                           "./models/./gpt/.", "models/../models/gpt", "models/gpt/../gpt"}) {
    EXPECT_EQ(*volume.Walk(path), Directory(3, "models/gpt")) << path;
  }
  EXPECT_EQ(*volume.Walk("models/gpt/weights"), File(4, "models/gpt/weights"));
  EXPECT_EQ(*volume.Walk("models/gpt/weights/"), File(4, "models/gpt/weights"));
}

TEST(PathWalk, StartsAtTheGivenRoot) {
  const Volume volume = Models();
  EXPECT_EQ(*volume.Walk("/gpt/config", 2), File(5, "gpt/config"));
  EXPECT_EQ(*volume.Walk("../gpt", 2), Directory(3, "gpt")) << "and does not leave it";
}

TEST(PathWalk, FollowsSymlinksOnTheWayAndAtTheEnd) {
  Volume volume = Models();
  volume.Symlink(1, "chain", 20, "models/latest/weights")
      .Symlink(3, "up", 21, "../../models/./gpt//config")
      .Symlink(3, "self", 22, ".");
  EXPECT_EQ(*volume.Walk("models/latest"), Directory(3, "models/gpt"));
  EXPECT_EQ(*volume.Walk("models/latest/weights"), File(4, "models/gpt/weights"));
  EXPECT_EQ(*volume.Walk("chain"), File(4, "models/gpt/weights"));
  EXPECT_EQ(*volume.Walk("models/gpt/up"), File(5, "models/gpt/config"));
  EXPECT_EQ(*volume.Walk("models/gpt/self/self/config"), File(5, "models/gpt/config"));
  EXPECT_EQ(*volume.Walk("models/latest/.."), Directory(2, "models"));
}

TEST(PathWalk, RefusesSymlinksThatLeaveTheVolumeOrTurnInCircles) {
  Volume volume = Models();
  volume.Symlink(2, "absolute", 20, "/models/gpt")
      .Symlink(2, "url", 21, "s3://bucket/x")
      .Symlink(2, "out", 22, "../../x")
      .Symlink(2, "loop", 23, "loop")
      .Symlink(2, "ping", 24, "pong")
      .Symlink(2, "pong", 25, "ping/x");
  ExpectError(volume.Walk("models/absolute"), ErrorCode::kInvalidArgument,
              "models/absolute: the symlink /models/absolute points to \"/models/gpt\"; only "
              "relative targets can be followed: name the file or directory itself");
  EXPECT_EQ(volume.Walk("models/url").error().code, ErrorCode::kInvalidArgument);
  ExpectError(volume.Walk("models/out"), ErrorCode::kInvalidArgument,
              "models/out: a symlink on the way leaves the volume");
  for (const char* circle : {"models/loop", "models/ping"}) {
    ExpectError(volume.Walk(circle), ErrorCode::kInvalidArgument,
                std::string(circle) + ": more than 40 symlinks on the way (a loop?)");
  }
}

TEST(PathWalk, FollowsFortySymlinksButNotOneMore) {
  Volume volume;
  volume.Entry(1, "link0", FileType::kFile, 100);
  for (std::uint64_t i = 1; i <= 41; ++i) {
    volume.Symlink(1, "link" + std::to_string(i), 100 + i, "link" + std::to_string(i - 1));
  }
  EXPECT_EQ(*volume.Walk("link40"), File(100, "link0"));
  EXPECT_EQ(volume.Walk("link41").error().code, ErrorCode::kInvalidArgument);
}

TEST(PathWalk, NamesTheNearestParentThatExists) {
  Volume volume = Models();
  volume.Symlink(2, "broken", 20, "gpt/none/x");
  ExpectError(volume.Walk("models/llama/7b"), ErrorCode::kNotFound,
              "models/llama/7b: no such file or directory in the volume; /models exists");
  ExpectError(volume.Walk("modles"), ErrorCode::kNotFound,
              "modles: no such file or directory in the volume; its root has no \"modles\"");
  ExpectError(volume.Walk("models/broken"), ErrorCode::kNotFound,
              "models/broken: no such file or directory in the volume; /models/gpt exists");
  ExpectError(volume.Walk("models/gpt/config/x"), ErrorCode::kNotFound,
              "models/gpt/config/x: no such file or directory in the volume; "
              "/models/gpt/config exists, but is a file");
}

TEST(PathWalk, RefusesWhatIsNeitherFileNorDirectory) {
  ExpectError(Models().Walk("pipe"), ErrorCode::kInvalidArgument,
              "pipe: /pipe is a fifo, neither a file nor a directory");
}

TEST(PathWalk, TakesNamesAsRawBytesAndPrintsThemOnOneLine) {
  const std::string odd("a\nb\0c\xff \xc3\xa9", 9);
  Volume volume;
  volume.Entry(1, odd, FileType::kDirectory, 2).Entry(2, "x", FileType::kFile, 3);
  EXPECT_EQ(volume.Walk(odd + "/x")->path, odd + "/x");
  EXPECT_EQ(volume.Walk(odd + "/y").error().message,
            "a\\nb\\x00c\xff \xc3\xa9/y: no such file or directory in the volume; "
            "/a\\nb\\x00c\xff \xc3\xa9 exists");
}

TEST(PathWalk, ReportsRecordsThatNoClientWrites) {
  PathWalk entry("x", Inode(1));
  ASSERT_TRUE(entry.Next());
  const auto short_record = entry.Answer("\x01");
  ASSERT_FALSE(short_record);
  EXPECT_EQ(short_record.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(short_record.error().message.find("entry /x (directory inode 1)"), std::string::npos);

  Volume volume;
  volume.Entry(1, "link", FileType::kSymlink, 9);
  ExpectError(volume.Walk("link"), ErrorCode::kCorrupt,
              "link: the symlink /link (inode 9) has no target");
}

}  // namespace
}  // namespace prewarm::metadata
