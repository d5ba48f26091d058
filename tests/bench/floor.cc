// The floor: the least that any program can do to bring the same blocks into a cache directory on
// this machine. Eight blocking threads; each gets a block over a kept-alive plain socket straight
// into an aligned buffer, appends the checksum trailer, writes it with O_DIRECT into a file without
// a name, and after every eight blocks makes them durable with one syncfs and names them. No
// planning, no checks beyond the length, no retries, no budgets: what a real warmer needs on top of
// this is its overhead.
//
//   bench_floor PORT URL_PREFIX CACHE_DIRECTORY < keys
//
// `keys` are block keys ("chunks/0/0/1_0_4194304"), one a line; an object is at URL_PREFIX/key on
// 127.0.0.1:PORT, its block goes to CACHE_DIRECTORY/raw/key.
#include <arpa/inet.h>
#include <fcntl.h>
#include <isa-l.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kThreads = 8;
constexpr std::size_t kBlocksPerSync = 8;
constexpr std::size_t kAlignment = 4096;
constexpr std::size_t kPieceBytes = 32 << 10;
constexpr std::size_t kLargestBlock = 16 << 20;
constexpr std::size_t kBufferBytes = kLargestBlock + kLargestBlock / kPieceBytes * 4 + kAlignment;

struct Options {
  std::uint16_t port = 0;
  std::string url_prefix;
  std::filesystem::path raw;
};

[[noreturn]] void Die(const std::string& what) {
  std::perror(what.c_str());
  std::exit(1);
}

std::size_t RoundUp(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::size_t BlockBytes(const std::string& key) {
  std::size_t bytes = 0;
  const char* last = key.data() + key.rfind('_') + 1;
  std::from_chars(last, key.data() + key.size(), bytes);
  if (bytes == 0 || bytes > kLargestBlock) Die("not a block key: " + key);
  return bytes;
}

class Connection {
 public:
  explicit Connection(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Die("connect");
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { ::close(fd_); }

  void Get(const std::string& path, std::byte* into, std::size_t bytes) {
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    if (::send(fd_, request.data(), request.size(), 0) != static_cast<ssize_t>(request.size()))
      Die("send");
    std::array<char, 4096> head{};
    std::size_t have = 0;
    std::string_view text;
    while ((text = std::string_view(head.data(), have)).find("\r\n\r\n") ==
           std::string_view::npos) {
      have += Receive(head.data() + have, head.size() - have);
    }
    const std::string length = "Content-Length: " + std::to_string(bytes) + "\r\n";
    if (!text.starts_with("HTTP/1.1 200") || text.find(length) == std::string_view::npos) {
      Die("unexpected answer to " + path + ":\n" +
          std::string(text.substr(0, text.find("\r\n\r\n"))));
    }
    const std::string_view body = text.substr(text.find("\r\n\r\n") + 4);
    std::memcpy(into, body.data(), body.size());
    for (std::size_t done = body.size(); done < bytes;) done += Receive(into + done, bytes - done);
  }

 private:
  std::size_t Receive(void* into, std::size_t room) const {
    const ssize_t count = ::recv(fd_, into, room, 0);
    if (count <= 0) Die("recv");
    return static_cast<std::size_t>(count);
  }

  int fd_;
};

// Returns the length of data and trailer together.
std::size_t AppendTrailer(std::byte* data, std::size_t bytes) {
  std::byte* trailer = data + bytes;
  for (std::size_t at = 0; at < bytes; at += kPieceBytes) {
    const std::size_t piece = std::min(kPieceBytes, bytes - at);
    const std::uint32_t crc = ~::crc32_iscsi(reinterpret_cast<unsigned char*>(data + at),
                                             static_cast<int>(piece), 0xffffffffU);
    const std::uint32_t big_endian = htonl(crc);
    std::memcpy(trailer, &big_endian, sizeof big_endian);
    trailer += sizeof big_endian;
  }
  return static_cast<std::size_t>(trailer - data);
}

struct Staged {
  int fd = -1;
  std::filesystem::path name;
};

Staged Stage(const Options& options, const std::string& key, std::byte* buffer, std::size_t bytes) {
  Staged staged{.name = options.raw / key};
  std::filesystem::create_directories(staged.name.parent_path());
  staged.fd =
      ::open(staged.name.parent_path().c_str(), O_TMPFILE | O_WRONLY | O_DIRECT | O_CLOEXEC, 0600);
  if (staged.fd < 0) Die("O_TMPFILE in " + staged.name.parent_path().string());
  const std::size_t padded = RoundUp(bytes);
  if (::pwrite(staged.fd, buffer, padded, 0) != static_cast<ssize_t>(padded)) Die("write " + key);
  if (::ftruncate(staged.fd, static_cast<off_t>(bytes)) != 0) Die("ftruncate " + key);
  return staged;
}

void NameAll(std::vector<Staged>& batch) {
  if (batch.empty()) return;
  if (::syncfs(batch.front().fd) != 0) Die("syncfs");
  for (const Staged& staged : batch) {
    const std::string self = "/proc/self/fd/" + std::to_string(staged.fd);
    if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, staged.name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      Die("linkat " + staged.name.string());
    }
    ::close(staged.fd);
  }
  batch.clear();
}

void Work(const Options& options, const std::vector<std::string>& keys,
          std::atomic<std::size_t>& next) {
  const std::unique_ptr<std::byte, decltype(&std::free)> buffer(
      static_cast<std::byte*>(std::aligned_alloc(kAlignment, RoundUp(kBufferBytes))), &std::free);
  Connection connection(options.port);
  std::vector<Staged> batch;
  for (std::size_t i = next++; i < keys.size(); i = next++) {
    const std::size_t bytes = BlockBytes(keys[i]);
    connection.Get(options.url_prefix + "/" + keys[i], buffer.get(), bytes);
    batch.push_back(Stage(options, keys[i], buffer.get(), AppendTrailer(buffer.get(), bytes)));
    if (batch.size() == kBlocksPerSync) NameAll(batch);
  }
  NameAll(batch);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: bench_floor PORT URL_PREFIX CACHE_DIRECTORY < keys\n";
    return 2;
  }
  const Options options{.port = static_cast<std::uint16_t>(std::atoi(argv[1])),
                        .url_prefix = argv[2],
                        .raw = std::filesystem::path(argv[3]) / "raw"};
  std::vector<std::string> keys;
  for (std::string key; std::getline(std::cin, key);) keys.push_back(key);
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] { Work(options, keys, next); });
  }
  threads.clear();
  return 0;
}
