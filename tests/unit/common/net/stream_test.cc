#include "common/net/stream.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "common/async/deadline.h"
#include "common/async/task_group.h"
#include "tests/rig/disposable_disk.h"
#include "tests/rig/run_task.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::net {
namespace {

using rig::RunTask;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""h;

// A descriptor of the test's side of a connection; everything there is plain and blocking.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { Close(); }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void Send(std::string_view bytes) const {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  [[nodiscard]] std::string Receive(std::size_t size) const {
    std::string bytes(size, '\0');
    EXPECT_EQ(::recv(fd_, bytes.data(), size, MSG_WAITALL), static_cast<ssize_t>(size));
    return bytes;
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

// Waits for connections; the kernel accepts as many as the backlog holds.
class TcpListener {
 public:
  explicit TcpListener(int backlog = 16) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_.fd(), generic, size), 0);
    EXPECT_EQ(::listen(socket_.fd(), backlog), 0);
    EXPECT_EQ(::getsockname(socket_.fd(), generic, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  [[nodiscard]] int Accept() const { return ::accept(socket_.fd(), nullptr, nullptr); }
  [[nodiscard]] Endpoint endpoint() const { return {"127.0.0.1", port_, nullptr, ""}; }

 private:
  Socket socket_;
  std::uint16_t port_ = 0;
};

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

template <class T>
void ExpectFailure(const Result<T>& result, ErrorCode code, Reason reason) {
  ASSERT_FALSE(result);
  EXPECT_EQ(CodeName(result.error().code), CodeName(code)) << result.error().message;
  EXPECT_EQ(ReasonName(result.error().reason), ReasonName(reason)) << result.error().message;
}

// A connected stream and the other end of it.
class StreamTest : public testing::Test {
 protected:
  void Connect() {
    auto connected = RunTask(loop_, net::Connect(listener_.endpoint(), 5s));
    ASSERT_TRUE(connected) << connected.error().message;
    stream_ = *std::move(connected);
    peer_.emplace(listener_.Accept());
  }
  Result<std::string> Read(std::size_t space, Duration limit = 5s) {
    std::string bytes(space, '\0');
    const auto size =
        RunTask(loop_, stream_->ReadSome(std::as_writable_bytes(std::span(bytes)), limit));
    if (!size) return size.error();
    return bytes.substr(0, *size);
  }

  boost::asio::io_context loop_;
  TcpListener listener_;
  std::unique_ptr<Stream> stream_;
  std::optional<Socket> peer_;
};

TEST_F(StreamTest, CarriesBytesBothWays) {
  Connect();
  ASSERT_TRUE(RunTask(loop_, stream_->Write(Bytes("ping"), 5s)));
  EXPECT_EQ(peer_->Receive(4), "ping");
  peer_->Send("pong");
  EXPECT_EQ(Read(2).value_or("failed"), "po") << "no more than there is room for";
  EXPECT_EQ(Read(100).value_or("failed"), "ng") << "what is there, without waiting for more";
}

TEST_F(StreamTest, WritesMoreThanTheKernelHolds) {
  Connect();
  const std::string bytes(20 << 20, 'x');
  std::string received;
  std::jthread reader([&] { received = peer_->Receive(bytes.size()); });
  EXPECT_TRUE(RunTask(loop_, stream_->Write(Bytes(bytes), 20s)));
  reader.join();
  EXPECT_TRUE(received == bytes);
}

TEST_F(StreamTest, ReadsAndWritesAtTheSameTime) {
  Connect();
  std::array<std::byte, 8> into{};
  std::optional<Result<std::size_t>> read;
  std::optional<Status> written;
  const std::string bytes(20 << 20, 'x');
  std::jthread other([&] {
    // Before it answers: the read waits while the write goes on.
    EXPECT_EQ(peer_->Receive(bytes.size()).size(), bytes.size());
    peer_->Send("answer");
  });
  TaskGroup group(loop_.get_executor());
  group.Spawn("read", rig::KeepResult(stream_->ReadSome(into, 20s), read));
  group.Spawn("write", rig::KeepResult(stream_->Write(Bytes(bytes), 20s), written));
  loop_.restart();
  loop_.run();
  ASSERT_TRUE(written && *written);
  ASSERT_TRUE(read && *read);
  EXPECT_EQ(**read, 6U);
}

TEST_F(StreamTest, GivesUpReadingWhenNothingComes) {
  Connect();
  ExpectFailure(Read(1, 30ms), ErrorCode::kTimeout, Reason::kTimeout);
}

TEST_F(StreamTest, CountsTheLimitOfEveryReadAfresh) {
  Connect();
  for (int i = 0; i < 4; ++i) {
    peer_->Send("x");
    ASSERT_EQ(Read(1, 300ms).value_or("failed"), "x");
    std::this_thread::sleep_for(100ms);  // in sum longer than the limit
  }
}

TEST_F(StreamTest, GivesUpWritingWhenNothingIsTaken) {
  Connect();
  const std::string bytes(64 << 20, 'x');
  ExpectFailure(RunTask(loop_, stream_->Write(Bytes(bytes), 100ms)), ErrorCode::kTimeout,
                Reason::kTimeout);
}

TEST_F(StreamTest, TellsTheEndOfTheStream) {
  Connect();
  peer_->Send("last");
  peer_->Close();
  EXPECT_EQ(Read(100).value_or("failed"), "last");
  ExpectFailure(Read(100), ErrorCode::kUnavailable, Reason::kConnection);
}

TEST_F(StreamTest, TellsAReset) {
  Connect();
  const linger abrupt{1, 0};
  ::setsockopt(peer_->fd(), SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
  peer_->Close();
  ExpectFailure(Read(100), ErrorCode::kUnavailable, Reason::kConnection);
}

TEST_F(StreamTest, IsFitForAnotherRequestOnlyWhileNothingHappened) {
  Connect();
  EXPECT_TRUE(stream_->IdleAndOpen());
  peer_->Send("unasked");
  EXPECT_FALSE(stream_->IdleAndOpen());
  EXPECT_EQ(Read(100).value_or("failed"), "unasked") << "looking takes nothing away";
  EXPECT_TRUE(stream_->IdleAndOpen());
  peer_->Close();
  EXPECT_FALSE(stream_->IdleAndOpen());
}

TEST_F(StreamTest, IsNotFitAfterClose) {
  Connect();
  stream_->Close();
  stream_->Close();
  EXPECT_FALSE(stream_->IdleAndOpen());
  EXPECT_FALSE(Read(1));
}

Task<void> CloseSoon(Stream& stream) {
  co_await SleepFor(1ms);
  stream.Close();
}

TEST_F(StreamTest, CloseEndsAPendingRead) {
  Connect();
  std::array<std::byte, 8> into{};
  std::optional<Result<std::size_t>> read;
  TaskGroup group(loop_.get_executor());
  group.Spawn("read", rig::KeepResult(stream_->ReadSome(into, 1h), read));
  group.Spawn("close", CloseSoon(*stream_));
  loop_.restart();
  loop_.run();
  ASSERT_TRUE(read);
  ASSERT_FALSE(*read);
  EXPECT_TRUE(read->error().code == ErrorCode::kCancelled ||
              read->error().code == ErrorCode::kUnavailable);
}

Task<void> StopSoon(TaskGroup& group) {
  co_await SleepFor(5ms);
  group.Stop();
  co_await group.Join();
}

// Runs `task` in a group that is stopped while it waits.
template <class T>
T RunAndStop(boost::asio::io_context& loop, Task<T> task) {
  std::optional<T> result;
  TaskGroup work(loop.get_executor());
  TaskGroup control(loop.get_executor());
  work.Spawn("work", rig::KeepResult(std::move(task), result));
  control.Spawn("stop", StopSoon(work));
  loop.restart();
  loop.run();
  return *std::move(result);
}

TEST_F(StreamTest, StopEndsAPendingRead) {
  Connect();
  std::array<std::byte, 8> into{};
  ExpectFailure(RunAndStop(loop_, stream_->ReadSome(into, 1h)), ErrorCode::kCancelled,
                Reason::kCancelled);
}

// Reads once the group of the coroutine has been stopped.
Task<Result<std::size_t>> ReadAfterTheStop(Stream& stream, std::span<std::byte> into) {
  co_await SleepFor(1h);  // cut short by the stop
  co_return co_await stream.ReadSome(into, 1h);
}

TEST_F(StreamTest, NothingBeginsAfterAStop) {
  Connect();
  std::array<std::byte, 10> into{};
  ExpectFailure(RunAndStop(loop_, ReadAfterTheStop(*stream_, into)), ErrorCode::kCancelled,
                Reason::kCancelled);
}

TEST_F(StreamTest, StopEndsAPendingWrite) {
  Connect();
  const std::string bytes(64 << 20, 'x');
  ExpectFailure(RunAndStop(loop_, stream_->Write(Bytes(bytes), 1h)), ErrorCode::kCancelled,
                Reason::kCancelled);
}

TEST(UnixStream, CarriesBytesBothWays) {
  const rig::TempDir folder;
  const std::string path = folder / "socket";
  const Socket listener(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listener.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.fd(), 1), 0);

  boost::asio::io_context loop;
  const auto stream = RunTask(loop, ConnectUnix(path, 5s));
  ASSERT_TRUE(stream) << stream.error().message;
  const Socket peer(::accept(listener.fd(), nullptr, nullptr));
  ASSERT_TRUE(RunTask(loop, (*stream)->Write(Bytes("ping"), 5s)));
  EXPECT_EQ(peer.Receive(4), "ping");
  EXPECT_TRUE((*stream)->IdleAndOpen());
  peer.Send("pong");
  std::array<std::byte, 8> into{};
  EXPECT_EQ(RunTask(loop, (*stream)->ReadSome(into, 5s)).value_or(0), 4U);
}

TEST(UnixStream, NamesTheSocketThatIsNotThere) {
  boost::asio::io_context loop;
  const auto stream = RunTask(loop, ConnectUnix("/nowhere/at/all.sock", 5s));
  ExpectFailure(stream, ErrorCode::kUnavailable, Reason::kConnection);
  EXPECT_NE(stream.error().message.find("/nowhere/at/all.sock"), std::string::npos);
}

TEST(Connect, TellsThatItWasRefused) {
  std::optional<TcpListener> listener(std::in_place);
  const auto endpoint = listener->endpoint();
  listener.reset();
  boost::asio::io_context loop;
  ExpectFailure(RunTask(loop, Connect(endpoint, 5s)), ErrorCode::kUnavailable, Reason::kConnection);
}

// Accepts nothing more: SYNs are dropped, as on the way to a machine that is away.
class FullListener {
 public:
  FullListener() : listener_(0) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(endpoint().port);
    for (auto& waiting : waiting_) {
      waiting.emplace(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      ::connect(waiting->fd(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
  }
  [[nodiscard]] Endpoint endpoint() const { return listener_.endpoint(); }

 private:
  TcpListener listener_;
  std::array<std::optional<Socket>, 4> waiting_;
};

TEST(Connect, GivesUpOnAServerThatIsAway) {
  const FullListener away;
  boost::asio::io_context loop;
  ExpectFailure(RunTask(loop, Connect(away.endpoint(), 50ms)), ErrorCode::kTimeout,
                Reason::kTimeout);
}

TEST(Connect, EndsWhenItIsStopped) {
  const FullListener away;
  boost::asio::io_context loop;
  ExpectFailure(RunAndStop(loop, Connect(away.endpoint(), 1h)), ErrorCode::kCancelled,
                Reason::kCancelled);
}

TEST(Connect, LooksUpNames) {
  const TcpListener listener;
  auto endpoint = listener.endpoint();
  endpoint.host = "localhost";
  boost::asio::io_context loop;
  const auto stream = RunTask(loop, Connect(endpoint, 5s));
  EXPECT_TRUE(stream) << stream.error().message;
}

// Name servers of the test's own, for this process alone.
class Resolver {
 public:
  explicit Resolver(const std::string& configuration) {
    const std::string file = folder_ / "resolv.conf";
    std::ofstream(file) << configuration;
    mounted_ = rig::EnterOwnMountNamespace() &&
               ::mount(file.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) == 0;
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver() {
    if (mounted_) ::umount("/etc/resolv.conf");
  }
  [[nodiscard]] bool mounted() const { return mounted_; }

 private:
  rig::TempDir folder_;
  bool mounted_ = false;
};

struct TimedResult {
  Result<std::unique_ptr<Stream>> result;
  Duration took;
};

Task<TimedResult> TimedConnect(std::string host, Duration limit) {
  const auto start = std::chrono::steady_clock::now();
  auto result = co_await Connect({std::move(host), 80, nullptr, ""}, limit);
  co_return TimedResult{std::move(result), std::chrono::steady_clock::now() - start};
}

TEST(Connect, DoesNotWaitForASilentNameServer) {
  const Socket silent(::socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(53);
  ASSERT_EQ(::inet_pton(AF_INET, "127.77.1.1", &address.sin_addr), 1);
  ASSERT_EQ(::bind(silent.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const Resolver resolver("nameserver 127.77.1.1\noptions timeout:1 attempts:1\n");
  ASSERT_TRUE(resolver.mounted());

  boost::asio::io_context loop;
  const auto connected = RunTask(loop, TimedConnect("store.example.com", 50ms));
  ExpectFailure(connected.result, ErrorCode::kTimeout, Reason::kTimeout);
  EXPECT_LT(connected.took, 700ms);
  const auto stopped = RunAndStop(loop, TimedConnect("store.example.com", 1h));
  ExpectFailure(stopped.result, ErrorCode::kCancelled, Reason::kCancelled);
  EXPECT_LT(stopped.took, 700ms);
}

TEST(Connect, NamesTheHostThatCannotBeFound) {
  const Resolver resolver("nameserver 127.77.1.2\noptions timeout:1 attempts:1\n");  // port closed
  ASSERT_TRUE(resolver.mounted());
  boost::asio::io_context loop;
  const auto stream = RunTask(loop, Connect({"store.example.com", 80, nullptr, ""}, 10s));
  ExpectFailure(stream, ErrorCode::kUnavailable, Reason::kConnection);
  EXPECT_NE(stream.error().message.find("store.example.com:80"), std::string::npos);
}

}  // namespace
}  // namespace prewarm::net
