#include "agent/store/file_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/rig/temp_dir.h"
#include "tests/unit/agent/store/loop.h"

namespace prewarm::agent {
namespace {

using testing::HasSubstr;

class FileStoreTest : public testing::Test {
 protected:
  FileStoreTest() : store_(folder_ / "jfs/", pool_) {
    std::filesystem::create_directories(folder_ / "jfs/vol/chunks");
    Put("jfs/vol/chunks/1_0_10", "0123456789");
    Put("secret", "outside");
  }
  ~FileStoreTest() override { pool_.join(); }

  void Put(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  Error ErrorOf(const ReadRequest& request, std::size_t space = 100) {
    const auto got = loop_.Read(store_, request, space);
    return got.result ? Error{ErrorCode::kInternal, "no error", Reason::kUnspecified}
                      : got.result.error();
  }

  rig::TempDir folder_;
  boost::asio::thread_pool pool_{2};
  FileStore store_;
  Loop loop_;
};

TEST_F(FileStoreTest, ReadsWholeFilesAndRanges) {
  for (const std::size_t space : {10U, 100U}) {
    const auto got = loop_.Read(store_, Whole("vol/chunks/1_0_10"), space);
    ASSERT_TRUE(got.result) << got.result.error().message;
    EXPECT_EQ(got.bytes, "0123456789");
    EXPECT_FALSE(got.result->crc32c);
  }
  EXPECT_EQ(loop_.Read(store_, Range("vol/chunks/1_0_10", 3, 4)).bytes, "3456");
}

TEST_F(FileStoreTest, SaysWhenLengthsDoNotFit) {
  EXPECT_EQ(ErrorOf(Whole("vol/chunks/1_0_10"), 9).reason, Reason::kWrongLength);
  EXPECT_EQ(ErrorOf(Range("vol/chunks/1_0_10", 8, 4)).reason, Reason::kWrongLength);
  EXPECT_EQ(ErrorOf(Range("vol/chunks/1_0_10", 20, 4)).reason, Reason::kWrongLength);
}

TEST_F(FileStoreTest, TellsAMissingObjectFromAMissingFolder) {
  const auto object = ErrorOf(Whole("vol/chunks/2_0_10"));
  EXPECT_EQ(object.code, ErrorCode::kNotFound);
  EXPECT_EQ(object.reason, Reason::kNotFound);
  std::filesystem::remove_all(folder_ / "jfs");
  const auto folder = ErrorOf(Whole("vol/chunks/2_0_10"));
  EXPECT_EQ(folder.code, ErrorCode::kNotFound);
  EXPECT_EQ(folder.reason, Reason::kUnspecified);
  EXPECT_THAT(folder.message, HasSubstr(folder_ / "jfs"));
}

TEST_F(FileStoreTest, NeverLeavesTheFolder) {
  for (const auto* key : {"../secret", "vol/../../secret", "vol/chunks/../../../secret"}) {
    EXPECT_EQ(ErrorOf(Whole(key)).code, ErrorCode::kInvalidArgument) << key;
  }
}

TEST_F(FileStoreTest, IsNotHeldUpByWhatIsNotAFile) {
  ASSERT_EQ(::mkfifo((folder_ / "jfs/vol/pipe").c_str(), 0600), 0);
  EXPECT_EQ(ErrorOf(Whole("vol/pipe")).reason, Reason::kNotAnObject);
  EXPECT_EQ(ErrorOf(Whole("vol/chunks")).reason, Reason::kNotAnObject);
}

// A failing source may come back; only the disk of the cache is given up for good.
TEST_F(FileStoreTest, ASourceThatFailsIsWorthARetry) {
  std::filesystem::create_symlink("loop", folder_ / "jfs/vol/loop");
  const auto error = ErrorOf(Whole("vol/loop"));
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_EQ(error.reason, Reason::kServerError);
}

}  // namespace
}  // namespace prewarm::agent
