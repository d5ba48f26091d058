#include "tests/integration/metadata/redis_rig.h"

#include <gtest/gtest.h>
#include <hiredis/hiredis.h>
#include <signal.h>

#include <filesystem>
#include <sstream>
#include <utility>

#include "common/metadata/volume_keys.h"

namespace prewarm::metadata {
namespace {

void Flatten(const redisReply& reply, std::string& text) {
  switch (reply.type) {
    case REDIS_REPLY_INTEGER: text += std::to_string(reply.integer); break;
    case REDIS_REPLY_ARRAY:
      for (std::size_t i = 0; i < reply.elements; ++i) {
        if (i > 0) text += '\n';
        Flatten(*reply.element[i], text);
      }
      break;
    case REDIS_REPLY_NIL: break;
    default: text.append(reply.str, static_cast<std::size_t>(reply.len));
  }
}

struct Arguments {
  explicit Arguments(const std::vector<std::string>& command) {
    for (const auto& word : command) {
      words.push_back(word.data());
      lengths.push_back(word.size());
    }
  }
  std::vector<const char*> words;
  std::vector<std::size_t> lengths;
};

template <class Int>
std::string BigEndian(Int value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    text += static_cast<char>(static_cast<std::uint64_t>(value) >> shift);
  }
  return text;
}

}  // namespace

RedisAdmin::RedisAdmin(const std::string& socket_path)
    : context_(redisConnectUnix(socket_path.c_str())) {
  ::signal(SIGPIPE, SIG_IGN);  // hiredis writes to servers that a test has killed
}
RedisAdmin::~RedisAdmin() { redisFree(context_); }

std::string RedisAdmin::Do(const std::vector<std::string>& command) {
  Queue(command);
  queued_ = 0;
  redisReply* reply = nullptr;
  if (redisGetReply(context_, reinterpret_cast<void**>(&reply)) != REDIS_OK) {
    return std::string("connection: ") + context_->errstr;
  }
  std::string text;
  Flatten(*reply, text);
  freeReplyObject(reply);
  return text;
}

void RedisAdmin::Queue(const std::vector<std::string>& command) {
  Arguments arguments(command);
  redisAppendCommandArgv(context_, static_cast<int>(arguments.words.size()), arguments.words.data(),
                         arguments.lengths.data());
  ++queued_;
}

std::string RedisAdmin::Flush() {
  std::string error;
  for (; queued_ > 0; --queued_) {
    redisReply* reply = nullptr;
    if (redisGetReply(context_, reinterpret_cast<void**>(&reply)) != REDIS_OK) {
      return std::string("connection: ") + context_->errstr;
    }
    if (reply->type == REDIS_REPLY_ERROR && error.empty()) error = reply->str;
    freeReplyObject(reply);
  }
  return error;
}

RedisServer::RedisServer(const rig::TempDir& folder, const std::string& name,
                         std::vector<std::string> options, const std::string& program)
    : port_(rig::FreePort()),
      socket_path_(folder / (name + ".sock")),
      log_path_(folder / (name + ".log")) {
  std::filesystem::create_directory(folder / name);
  argv_ = {program};
  if (program == "redis-sentinel") argv_.push_back(folder / (name + ".conf"));
  const std::string port = std::to_string(port_);
  argv_.insert(argv_.end(), {"--port", port, "--bind", "127.0.0.1", "--unixsocket", socket_path_,
                             "--dir", folder / name, "--save", "", "--logfile", ""});
  for (std::string& option : options) {
    if (option == "PORT") option = port;
    argv_.push_back(std::move(option));
  }
  Start();
}

void RedisServer::Start() {
  process_ = std::make_unique<rig::ChildProcess>(argv_, log_path_);
  const bool up = rig::WaitFor([&] {
    admin_ = std::make_unique<RedisAdmin>(socket_path_);
    const std::string answer = admin_->Do({"PING"});
    return answer == "PONG" || answer.starts_with("NOAUTH");
  });
  EXPECT_TRUE(up) << process_->Log();
}

void RedisServer::Flush() { EXPECT_EQ(admin_->Flush(), ""); }

void RedisServer::Kill() {
  process_->Signal(SIGKILL);
  process_->Wait();
}

void RedisServer::Restart() { Start(); }

VolumeBuilder::VolumeBuilder(RedisServer& server, int database)
    : VolumeBuilder([&server](const auto& command) { server.Queue(command); }, "") {
  server.Do({"SELECT", std::to_string(database)});
}

void VolumeBuilder::Setting(const std::string& name) {
  send_({"SET", prefix_ + "setting",
         "{\n\"Name\": \"" + name +
             "\",\n\"UUID\": \"12345678-9abc-4def-8012-3456789abcde\",\n\"Storage\": \"file\",\n"
             "\"Bucket\": \"/data/\",\n\"BlockSize\": 4096,\n\"Compression\": \"none\",\n"
             "\"EncryptAlgo\": \"aes256gcm-rsa\",\n\"TrashDays\": 1,\n\"MetaVersion\": 1\n}"});
}

void VolumeBuilder::Entry(std::uint64_t parent, const std::string& name, int type,
                          std::uint64_t inode) {
  send_({"HSET", prefix_ + "d" + std::to_string(parent), name,
         BigEndian(type, 1) + BigEndian(inode, 8)});
}

void VolumeBuilder::Attribute(std::uint64_t inode, int type, std::uint64_t length) {
  std::string record(1, '\0');
  record += BigEndian((type << 12) | 0644, 2) + std::string(8 + 3 * 12, '\0') + BigEndian(1, 4) +
            BigEndian(length, 8) + std::string(4, '\0') + BigEndian(1, 8) + std::string(1, '\0');
  send_({"SET", prefix_ + "i" + std::to_string(inode), record});
}

std::uint64_t VolumeBuilder::Directory(std::uint64_t parent, const std::string& name) {
  Entry(parent, name, 2, next_inode_);
  Attribute(next_inode_, 2, 4096);
  return next_inode_++;
}

std::uint64_t VolumeBuilder::File(std::uint64_t parent, const std::string& name,
                                  std::uint64_t length) {
  Entry(parent, name, 1, next_inode_);
  Attribute(next_inode_, 1, length);
  return next_inode_++;
}

std::uint64_t VolumeBuilder::Symlink(std::uint64_t parent, const std::string& name,
                                     const std::string& target) {
  Entry(parent, name, 3, next_inode_);
  Attribute(next_inode_, 3, target.size());
  send_({"SET", prefix_ + "s" + std::to_string(next_inode_), target});
  return next_inode_++;
}

std::uint64_t VolumeBuilder::Special(std::uint64_t parent, const std::string& name, int type) {
  Entry(parent, name, type, next_inode_);
  Attribute(next_inode_, type, 0);
  return next_inode_++;
}

void VolumeBuilder::Append(std::uint64_t inode, std::uint64_t chunk, Slice slice) {
  send_({"RPUSH", prefix_ + "c" + std::to_string(inode) + "_" + std::to_string(chunk),
         BigEndian(slice.position, 4) + BigEndian(slice.id, 8) + BigEndian(slice.size, 4) +
             BigEndian(slice.offset, 4) + BigEndian(slice.length, 4)});
}

std::uint64_t VolumeBuilder::Written(std::uint64_t parent, const std::string& name,
                                     std::uint64_t length) {
  constexpr std::uint64_t kChunk = 64ULL << 20;
  const std::uint64_t inode = File(parent, name, length);
  for (std::uint64_t chunk = 0; chunk * kChunk < length; ++chunk) {
    const auto size = static_cast<std::uint32_t>(std::min(kChunk, length - chunk * kChunk));
    Append(inode, chunk,
           {.position = 0, .id = next_slice_++, .size = size, .offset = 0, .length = size});
  }
  return inode;
}

Engine::Engine(const std::string& url, rig::Variables environment) {
  auto parsed = ParseRedisUrl(url, rig::With(std::move(environment)));
  EXPECT_TRUE(parsed) << parsed.error().message;
  redis_ = MakeRedisClient(*std::move(parsed), clock_);
}

Result<juicefs::VolumeSettings> Engine::Settings() {
  VolumeReader reader(*redis_);
  return rig::RunTask(loop_, reader.Settings());
}

Result<ResolvedPaths> Engine::Resolve(std::vector<std::string> paths, std::string subdir) {
  VolumeReader reader(*redis_);
  return rig::RunTask(
      loop_,
      reader.Resolve({.subdir = std::move(subdir), .paths = std::move(paths), .on_progress = {}}));
}

Result<DirectoryListing> Engine::List(std::string path, std::string subdir,
                                      std::size_t max_entries) {
  VolumeReader reader(*redis_);
  return rig::RunTask(loop_, reader.List({.subdir = std::move(subdir),
                                          .path = std::move(path),
                                          .max_entries = max_entries}));
}

Status Engine::Connect(Duration limit) { return rig::RunTask(loop_, redis_->Connect(limit)); }

Result<std::vector<net::RedisReply>> Engine::Execute(std::vector<net::RedisCommand> commands,
                                                     Duration limit) {
  return rig::RunTask(loop_, redis_->Execute(std::move(commands), limit));
}

std::string Show(const ResolvedPaths& resolved) {
  std::ostringstream text;
  for (const auto& file : resolved.files) {
    text << file.path << " " << file.length << ":";
    for (const auto& segment : file.segments) {
      text << " " << segment.position << "+" << segment.length << "=" << segment.id.value << "@"
           << segment.offset << "/" << segment.size;
    }
    text << "\n";
  }
  return text.str();
}

std::string Show(const DirectoryListing& listing) {
  using Kind = DirectoryListing::Kind;
  if (listing.kind == Kind::kAbsent) return "absent";
  const std::string path = "/" + Printable(listing.real_path);
  if (listing.kind == Kind::kFile) return path + " file " + std::to_string(listing.bytes);
  std::string text = path + (listing.truncated ? " truncated\n" : "\n");
  for (const auto& [name, type, bytes, target] : listing.entries) {
    text += Printable(name) + " " + std::string(juicefs::FileTypeName(type)) + " " +
            std::to_string(bytes);
    if (type == juicefs::FileType::kSymlink) text += " -> " + Printable(target);
    text += "\n";
  }
  return text;
}

std::vector<std::string> CommandsSeen(RedisServer& server) {
  std::istringstream info(server.Do({"INFO", "commandstats"}));
  std::vector<std::string> names;
  for (std::string line; std::getline(info, line);) {
    constexpr std::string_view kMark = "cmdstat_";
    if (line.starts_with(kMark)) {
      names.push_back(line.substr(kMark.size(), line.find(':') - kMark.size()));
    }
  }
  return names;
}

}  // namespace prewarm::metadata
