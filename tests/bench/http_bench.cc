// What HttpClient costs above the least that any program must pay: the same objects from the same
// nginx into the same aligned buffers, by eight connections on one or two I/O threads, and by eight
// threads that block in recv(). No disk, no checksums. Prints seconds per GiB; the ratio that
// counts is CPU, because wall time on loopback is mostly the server's.
//
//   bench_http [ROUNDS [OBJECTS_PER_ROUND]]
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/async/io_thread.h"
#include "common/async/task_group.h"
#include "common/net/http_client.h"
#include "tests/rig/child_process.h"
#include "tests/rig/temp_dir.h"

namespace {

using prewarm::IoThread;
using prewarm::Task;
using prewarm::TaskGroup;

constexpr std::size_t kObjectBytes = 4U << 20;
constexpr std::size_t kObjects = 64;  // in the server's folder, so that they fit into memory
constexpr std::size_t kConnections = 8;
constexpr std::size_t kAlignment = 4096;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "bench_http: %s\n", what.c_str());
  std::exit(1);
}

struct FreeMemory {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using Buffer = std::unique_ptr<std::byte, FreeMemory>;

Buffer AlignedBuffer() {
  Buffer buffer(static_cast<std::byte*>(std::aligned_alloc(kAlignment, kObjectBytes)));
  std::memset(buffer.get(), 0, kObjectBytes);  // pay for the pages before the clock runs
  return buffer;
}

// What is to be fetched, shared by all connections of a measurement.
struct Work {
  std::uint16_t port = 0;
  std::size_t objects = 0;
  std::atomic<std::size_t> next = 0;

  static std::string Target(std::size_t number) {
    return "/objects/" + std::to_string(number % kObjects);
  }
};

// nginx as a store of raw speed: one worker, sendfile, connections that live on.
class Server {
 public:
  Server() : port_(prewarm::rig::FreePort()) {
    for (std::size_t i = 0; i < kObjects; ++i) {
      std::ofstream(folder_ / std::to_string(i), std::ios::binary)
          << std::string(kObjectBytes, static_cast<char>('a' + i % 26));
    }
    const std::string root = folder_.path().string();
    std::ofstream(folder_ / "nginx.conf")
        << "daemon off; master_process off; worker_processes 1; pid " << root << "/pid;\n"
        << "error_log " << root << "/error.log; events { worker_connections 256; }\n"
        << "http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;\n"
        << "client_body_temp_path " << root << "/b; proxy_temp_path " << root << "/p;\n"
        << "fastcgi_temp_path " << root << "/f; uwsgi_temp_path " << root << "/u;\n"
        << "scgi_temp_path " << root << "/s;\n"
        << "server { listen 127.0.0.1:" << port_ << "; location /objects/ { alias " << root
        << "/; } } }\n";
    nginx_ = std::make_unique<prewarm::rig::ChildProcess>(
        std::vector<std::string>{"/usr/sbin/nginx", "-e", folder_ / "error.log", "-c",
                                 folder_ / "nginx.conf"},
        folder_ / "log");
    if (!prewarm::rig::WaitFor([this] { return prewarm::rig::AcceptsConnections(port_); })) {
      Die("nginx does not start: " + nginx_->Log());
    }
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  prewarm::rig::TempDir folder_;
  std::uint16_t port_;
  std::unique_ptr<prewarm::rig::ChildProcess> nginx_;
};

class BlockingConnection {
 public:
  explicit BlockingConnection(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Die("connect");
  }
  BlockingConnection(const BlockingConnection&) = delete;
  BlockingConnection& operator=(const BlockingConnection&) = delete;
  ~BlockingConnection() { ::close(fd_); }

  void Get(const std::string& target, std::byte* into) {
    const std::string request = "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    if (::send(fd_, request.data(), request.size(), 0) < 0) Die("send");
    std::array<char, 4096> head{};
    std::size_t have = 0;
    std::size_t end = std::string_view::npos;
    while (end == std::string_view::npos) {
      have += Receive(head.data() + have, head.size() - have);
      end = std::string_view(head.data(), have).find("\r\n\r\n");
    }
    std::size_t done = have - end - 4;
    std::memcpy(into, head.data() + end + 4, done);
    while (done < kObjectBytes) done += Receive(into + done, kObjectBytes - done);
  }

 private:
  std::size_t Receive(void* into, std::size_t room) const {
    const auto size = ::recv(fd_, into, room, 0);
    if (size <= 0) Die("recv");
    return static_cast<std::size_t>(size);
  }
  const int fd_;
};

void FetchBlocking(Work& work, std::vector<Buffer>& buffers) {
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < kConnections; ++i) {
    threads.emplace_back([&work, into = buffers[i].get()] {
      BlockingConnection connection(work.port);
      for (std::size_t n = work.next++; n < work.objects; n = work.next++) {
        connection.Get(Work::Target(n), into);
      }
    });
  }
}

Task<void> FetchOnOneConnection(Work& work, prewarm::net::HttpClient& client, std::byte* buffer) {
  for (std::size_t n = work.next++; n < work.objects; n = work.next++) {
    prewarm::net::HttpRequest request;
    request.target = Work::Target(n);
    request.host = "127.0.0.1";
    const auto answer = co_await client.Get(std::move(request), {buffer, kObjectBytes});
    if (!answer) Die(answer.error().message);
    if (answer->body_bytes != kObjectBytes) Die("a short answer");
  }
}

// The share of one I/O thread; returns when its connections have nothing left to fetch.
Task<void> FetchOnOneThread(Work& work, std::vector<std::byte*> buffers) {
  prewarm::net::HttpClient client({"127.0.0.1", work.port, nullptr, ""}, {});
  TaskGroup group(co_await boost::asio::this_coro::executor);
  for (std::byte* buffer : buffers)
    group.Spawn("fetch", FetchOnOneConnection(work, client, buffer));
  co_await group.Join();
}

void FetchWithClient(Work& work, std::vector<Buffer>& buffers, std::size_t thread_count) {
  std::vector<std::vector<std::byte*>> shares(thread_count);
  for (std::size_t i = 0; i < kConnections; ++i) {
    shares[i % thread_count].push_back(buffers[i].get());
  }
  std::vector<std::unique_ptr<IoThread>> threads;
  std::vector<std::future<void>> ends;
  for (auto& share : shares) {
    threads.push_back(std::make_unique<IoThread>());
    ends.push_back(boost::asio::co_spawn(threads.back()->executor(),
                                         FetchOnOneThread(work, std::move(share)),
                                         boost::asio::use_future));
  }
  for (auto& end : ends) end.get();
}

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Way {
  std::string name;
  std::function<void(Work&, std::vector<Buffer>&)> fetch;
  std::vector<double> wall;  // s/GiB, one a round
  std::vector<double> cpu;
};

void Measure(Way& way, std::uint16_t port, std::size_t objects, std::vector<Buffer>& buffers) {
  Work work{port, objects};
  const double cpu = CpuSeconds();
  const auto start = std::chrono::steady_clock::now();
  way.fetch(work, buffers);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  const double gib = static_cast<double>(objects * kObjectBytes) / (1U << 30);
  way.wall.push_back(wall.count() / gib);
  way.cpu.push_back((CpuSeconds() - cpu) / gib);
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t rounds = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 7;
  const std::size_t objects = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 512;
  if (rounds == 0 || objects == 0) Die("usage: bench_http [ROUNDS [OBJECTS_PER_ROUND]]");
  const Server server;
  std::vector<Buffer> buffers;
  for (std::size_t i = 0; i < kConnections; ++i) buffers.push_back(AlignedBuffer());

  std::array<Way, 3> ways{
      {{"8 threads in recv()", FetchBlocking, {}, {}},
       {"client, 1 I/O thread", [](Work& w, auto& b) { FetchWithClient(w, b, 1); }, {}, {}},
       {"client, 2 I/O threads", [](Work& w, auto& b) { FetchWithClient(w, b, 2); }, {}, {}}}};
  // In turn, so that what else happens on the machine hits all ways alike.
  for (std::size_t round = 0; round < rounds; ++round) {
    for (Way& way : ways) Measure(way, server.port(), objects, buffers);
  }
  const double floor_wall = Median(ways[0].wall);
  const double floor_cpu = Median(ways[0].cpu);
  std::printf("%-22s %10s %10s %8s %8s\n", "s/GiB, median", "wall", "cpu", "wall x", "cpu x");
  for (const Way& way : ways) {
    const double wall = Median(way.wall);
    const double cpu = Median(way.cpu);
    std::printf("%-22s %10.3f %10.3f %8.2f %8.2f\n", way.name.c_str(), wall, cpu, wall / floor_wall,
                cpu / floor_cpu);
  }
  return 0;
}
