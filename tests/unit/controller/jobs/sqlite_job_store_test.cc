#include "controller/jobs/sqlite_job_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/rig/disposable_disk.h"
#include "tests/rig/temp_dir.h"
#include "tests/unit/controller/jobs/job_store_suite.h"

namespace prewarm::controller {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class SqliteBackend final : public JobStoreBackend {
 public:
  Result<std::unique_ptr<JobStore>> Open(const Clock& clock, Duration patience) override {
    return OpenSqliteJobStore(folder_ / "jobs.db", clock, patience);
  }

 private:
  rig::TempDir folder_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, JobStoreSuite,
                         testing::Values([] { return std::make_unique<SqliteBackend>(); }));

class SqliteFile : public testing::Test {
 protected:
  Result<std::unique_ptr<JobStore>> Open() { return OpenSqliteJobStore(path_, clock_, kPatience); }

  std::unique_ptr<JobStore> OpenLeading() {
    auto store = Open();
    EXPECT_TRUE(store) << store.error().message;
    EXPECT_TRUE(*(*store)->TryAcquire("c"));
    return *std::move(store);
  }

  // By SQLite itself, without our store.
  void Sql(const std::string& statements) {
    sqlite3* connection = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &connection), SQLITE_OK);
    char* why = nullptr;
    EXPECT_EQ(sqlite3_exec(connection, statements.c_str(), nullptr, nullptr, &why), SQLITE_OK)
        << why;
    sqlite3_close(connection);
  }

  // A closed store with enough in it for several pages.
  void FillStore(int prewarms) {
    const auto store = OpenLeading();
    std::vector<Prewarm> all;
    all.reserve(static_cast<std::size_t>(prewarms));
    for (int i = 0; i < prewarms; ++i) all.push_back(AFullPrewarm("p" + std::to_string(i)));
    ASSERT_TRUE(store->Save(all));
    ASSERT_TRUE(store->Release());
  }

  rig::TempDir folder_;
  std::string path_ = folder_ / "jobs.db";
  FakeClock clock_;
};

mode_t ModeOf(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

std::string BytesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(SqliteFile, IsReadableByItsOwnerOnly) {
  const auto store = OpenLeading();
  ASSERT_TRUE(store->Save({AFullPrewarm("p")}));
  for (const auto* suffix : {"", "-wal", "-shm"}) EXPECT_EQ(ModeOf(path_ + suffix), 0600) << suffix;
}

TEST_F(SqliteFile, IsClosedToOthersIfItWasOpenToThem) {
  FillStore(1);
  ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
  ASSERT_TRUE(Open());
  EXPECT_EQ(ModeOf(path_), 0600);
}

TEST_F(SqliteFile, NamesTheFolderThatIsMissing) {
  path_ = folder_ / "no/such/jobs.db";
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(store.error().message, AllOf(HasSubstr(path_), HasSubstr(folder_ / "no/such")));
}

TEST_F(SqliteFile, RefusesWhatIsNotAFile) {
  ASSERT_TRUE(fs::create_directory(path_));
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(store.error().message, HasSubstr(path_));
}

TEST_F(SqliteFile, RefusesWhatIsNotADatabaseAndLeavesItAlone) {
  std::string bytes(4096, 'x');
  std::ofstream(path_) << bytes;
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(store.error().message, AllOf(HasSubstr(path_), HasSubstr("move it away")));
  EXPECT_EQ(BytesOf(path_), bytes);
}

TEST_F(SqliteFile, RefusesTheDatabaseOfAnotherProgramAndLeavesItAlone) {
  Sql("CREATE TABLE recipes (cake TEXT)");
  const auto bytes = BytesOf(path_);
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(store.error().message, AllOf(HasSubstr(path_), HasSubstr("another program")));
  EXPECT_EQ(BytesOf(path_), bytes);
}

TEST_F(SqliteFile, RefusesANewerSchemaAndLeavesItAlone) {
  FillStore(1);
  Sql("PRAGMA user_version = 7");
  const auto bytes = BytesOf(path_);
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(store.error().message,
              AllOf(HasSubstr(path_), HasSubstr("newer version"), HasSubstr("schema 7")));
  EXPECT_EQ(BytesOf(path_), bytes);
}

TEST_F(SqliteFile, SeesThatItWasCutOff) {
  FillStore(40);
  const auto whole = fs::file_size(path_);
  ASSERT_GT(whole, 8U * 4096);
  const auto copy = folder_ / "whole";
  fs::copy_file(path_, copy);
  for (const auto length : std::vector<std::uintmax_t>{whole - 1, whole - 4096, whole / 2, 4096,
                                                       4095, 512, 100, 17, 1}) {
    fs::copy_file(copy, path_, fs::copy_options::overwrite_existing);
    fs::resize_file(path_, length);
    const auto store = Open();
    ASSERT_FALSE(store) << length << " of " << whole << " bytes passed for a whole store";
    EXPECT_EQ(store.error().code, ErrorCode::kCorrupt) << length << ": " << store.error().message;
    EXPECT_THAT(store.error().message, HasSubstr(path_));
  }
}

TEST_F(SqliteFile, SeesPagesOfGarbage) {
  FillStore(40);
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(12'288);
    file << std::string(8'192, '\x5a');
  }
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(store.error().message, AllOf(HasSubstr(path_), HasSubstr("backup")));
}

TEST_F(SqliteFile, NamesThePrewarmWhoseTextIsDamaged) {
  FillStore(2);
  Sql("UPDATE prewarms SET spec = '{' WHERE id = 'p1'");
  const auto store = Open();
  ASSERT_TRUE(store);
  const auto loaded = (*store)->Load(0);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(loaded.error().message, HasSubstr("p1"));
}

TEST_F(SqliteFile, ReadsTextsOfOtherVersions) {
  FillStore(1);
  Sql("UPDATE prewarms SET spec = '{\"volume\": \"v\", \"from_the_future\": [1]}';"
      "UPDATE tasks SET progress = '{\"planned_bytes\": 7}'");
  const auto store = Open();
  ASSERT_TRUE(store);
  const auto found = (*store)->Find("p0");
  ASSERT_TRUE(found) << found.error().message;
  PrewarmSpec spec;
  spec.volume = "v";
  EXPECT_EQ((*found)->spec, spec);
  EXPECT_EQ((*found)->tasks.at("node-1").progress.planned_bytes, 7U);
}

TEST_F(SqliteFile, OpensASecondTimeWhileAnotherWrites) {
  const auto first = OpenLeading();
  ASSERT_TRUE(first->Save({AFullPrewarm("p")}));
  const auto second = Open();
  ASSERT_TRUE(second);
  EXPECT_EQ((*second)->Load(0)->size(), 1U);
  ASSERT_TRUE(first->Save({AFullPrewarm("q")}));
  EXPECT_EQ((*second)->Load(0)->size(), 2U);
}

// A disk of the test's own that can be full.
class SqliteOnFullDisk : public SqliteFile {
 protected:
  void SetUp() override {
    ASSERT_TRUE(rig::EnterOwnMountNamespace()) << "needs root";
    disk_ = std::make_unique<rig::TmpfsDisk>(folder_.path() / "disk", "size=2m");
    ASSERT_TRUE(disk_->mounted());
    path_ = (disk_->path() / "jobs.db").string();
  }

  void FillDisk() {
    std::ofstream ballast(disk_->path() / "ballast");
    const std::string page(4096, 'b');
    while (ballast.write(page.data(), 4096).flush()) {
    }
  }
  void EmptyDisk() { fs::remove(disk_->path() / "ballast"); }

  std::unique_ptr<rig::TmpfsDisk> disk_;
};

TEST_F(SqliteOnFullDisk, SaysSoWritesNothingAndGoesOnWhenThereIsRoomAgain) {
  const auto store = OpenLeading();
  const auto first = store->Save({AFullPrewarm("first")});
  ASSERT_TRUE(first);
  std::vector<Prewarm> many{Ended(first->front(), PrewarmState::kSucceeded, clock_.wall)};
  for (int i = 0; i < 200; ++i) many.push_back(AFullPrewarm("many-" + std::to_string(i)));
  FillDisk();
  const auto refused = store->Save(many);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kNoSpace) << refused.error().message;
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr(path_), HasSubstr("make room")));
  EXPECT_EQ(*store->Load(10), *first);
  EmptyDisk();
  const auto reopened = Open();
  ASSERT_TRUE(reopened) << reopened.error().message;
  EXPECT_EQ(*(*reopened)->Load(10), *first);
  const auto saved = store->Save(many);
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ((*reopened)->Load(10)->size(), 201U);
}

TEST_F(SqliteOnFullDisk, CannotBeMadeThere) {
  FillDisk();
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kNoSpace) << store.error().message;
  EXPECT_THAT(store.error().message, HasSubstr(path_));
  EmptyDisk();
  EXPECT_TRUE(Open()) << "what the failure left is no obstacle";
}

}  // namespace
}  // namespace prewarm::controller
