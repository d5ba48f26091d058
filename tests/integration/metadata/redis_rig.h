// Real Redis servers for tests, and volumes in them, written key by key as the reference describes
// JuiceFS's layout: nothing here shares code with what is tested.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/metadata/redis_client.h"
#include "common/metadata/volume_reader.h"
#include "tests/rig/child_process.h"
#include "tests/rig/environment.h"
#include "tests/rig/run_task.h"
#include "tests/rig/temp_dir.h"

struct redisContext;

namespace prewarm::metadata {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// A blocking connection for arranging and asserting. Replies are flattened to lines of text.
class RedisAdmin {
 public:
  explicit RedisAdmin(const std::string& socket_path);
  RedisAdmin(const RedisAdmin&) = delete;
  RedisAdmin& operator=(const RedisAdmin&) = delete;
  ~RedisAdmin();

  std::string Do(const std::vector<std::string>& command);
  // Sends without waiting; Flush() takes the replies and returns the first error among them.
  void Queue(const std::vector<std::string>& command);
  std::string Flush();

 private:
  redisContext* context_;
  std::size_t queued_ = 0;
};

class RedisServer {
 public:
  // Listens on a free port and on a unix socket, keeps nothing on disk unless told to.
  RedisServer(const rig::TempDir& folder, const std::string& name,
              std::vector<std::string> options = {}, const std::string& program = "redis-server");

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] const std::string& socket_path() const { return socket_path_; }
  std::string Do(const std::vector<std::string>& command) { return admin_->Do(command); }
  void Queue(const std::vector<std::string>& command) { admin_->Queue(command); }
  void Flush();  // no queued command may have failed

  void Kill();     // -9
  void Restart();  // with the same options, port and folder
  [[nodiscard]] std::string Log() const { return process_->Log(); }

 private:
  void Start();

  std::uint16_t port_;
  std::string socket_path_;
  std::string log_path_;
  std::vector<std::string> argv_;
  std::unique_ptr<rig::ChildProcess> process_;
  std::unique_ptr<RedisAdmin> admin_;
};

// Writes a volume.
class VolumeBuilder {
 public:
  using Send = std::function<void(const std::vector<std::string>&)>;
  // Keys get `prefix`; commands go through `send`.
  VolumeBuilder(Send send, std::string prefix) : send_(std::move(send)), prefix_(prefix) {}
  // Into a database of a server.
  VolumeBuilder(RedisServer& server, int database);

  void Setting(const std::string& name = "models");
  std::uint64_t Directory(std::uint64_t parent, const std::string& name);
  std::uint64_t File(std::uint64_t parent, const std::string& name, std::uint64_t length);
  std::uint64_t Symlink(std::uint64_t parent, const std::string& name, const std::string& target);
  std::uint64_t Special(std::uint64_t parent, const std::string& name, int type);
  void Entry(std::uint64_t parent, const std::string& name, int type, std::uint64_t inode);
  void Attribute(std::uint64_t inode, int type, std::uint64_t length);
  struct Slice {
    std::uint32_t position = 0;
    std::uint64_t id = 0;
    std::uint32_t size = 0;
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
  };
  void Append(std::uint64_t inode, std::uint64_t chunk, Slice slice);
  void Raw(std::vector<std::string> command) { send_(command); }
  // A file of one slice with a fresh id in each chunk, as written in one go.
  std::uint64_t Written(std::uint64_t parent, const std::string& name, std::uint64_t length);

  static constexpr std::uint64_t kRoot = 1;

 private:
  Send send_;
  std::string prefix_;
  std::uint64_t next_inode_ = 2;
  std::uint64_t next_slice_ = 1;
};

// A metadata engine as the product sees it, from its URL.
class Engine {
 public:
  explicit Engine(const std::string& url, rig::Variables environment = {});

  Result<juicefs::VolumeSettings> Settings();
  Result<ResolvedPaths> Resolve(std::vector<std::string> paths = {}, std::string subdir = "");
  Result<DirectoryListing> List(std::string path, std::string subdir = "",
                                std::size_t max_entries = 10'000);
  Status Connect(Duration limit);
  Result<std::vector<net::RedisReply>> Execute(std::vector<net::RedisCommand> commands,
                                               Duration limit = std::chrono::seconds(60));
  RedisClient& redis() { return *redis_; }
  boost::asio::io_context& loop() { return loop_; }

 private:
  boost::asio::io_context loop_;
  SystemClock clock_;
  std::unique_ptr<RedisClient> redis_;
};

// Paths, lengths and segments, one file a line: "path 100: 0+100=5@0/100" (position + length =
// slice @ offset / size).
std::string Show(const ResolvedPaths& resolved);

// Counts calls: each costs one round trip (that is tested where commands meet the socket).
class CountingRedis final : public RedisClient {
 public:
  explicit CountingRedis(RedisClient& inner) : inner_(inner) {}
  Task<Result<std::vector<net::RedisReply>>> Execute(std::vector<net::RedisCommand> commands,
                                                     Duration limit) override {
    ++calls;
    co_return co_await inner_.Execute(std::move(commands), limit);
  }
  [[nodiscard]] std::string_view key_prefix() const override { return inner_.key_prefix(); }
  Task<Status> Connect(Duration limit) override { co_return co_await inner_.Connect(limit); }

  int calls = 0;

 private:
  RedisClient& inner_;
};

// What a listing says, an entry a line: "link symlink 0 -> target"; control bytes are escaped.
std::string Show(const DirectoryListing& listing);

// Names of the commands that a server has executed since CONFIG RESETSTAT, "cmdstat_" cut off.
std::vector<std::string> CommandsSeen(RedisServer& server);

}  // namespace prewarm::metadata
