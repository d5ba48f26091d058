#include "tests/fakes/fake_s3.h"

#include <arpa/inet.h>
#include <isa-l/crc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace prewarm::rig {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string Decoded(std::string_view target) {
  target = target.substr(0, target.find('?'));
  std::string text;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] == '%' && i + 2 < target.size()) {
      text += static_cast<char>(std::stoi(std::string(target.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      text += target[i];
    }
  }
  return text.starts_with('/') ? text.substr(1) : text;
}

std::optional<S3Request> ParseHead(const std::string& head) {
  std::istringstream lines(head);
  S3Request request;
  std::string version;
  if (!(lines >> request.method >> request.target >> version)) return std::nullopt;
  request.key = Decoded(request.target);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line) && line != "\r") {
    const auto colon = line.find(':');
    if (colon == std::string::npos) return std::nullopt;
    const auto value = std::min(line.find_first_not_of(' ', colon + 1), line.size() - 1);
    request.headers[Lower(line.substr(0, colon))] = line.substr(value, line.size() - value - 1);
  }
  return request;
}

std::string ErrorDocument(const std::string& code) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" + code +
         "</Code><Message>As the test wants it.</Message></Error>";
}

void Set(Headers& headers, const std::string& name, const std::string& value) {
  std::erase_if(headers, [&](const auto& header) { return Lower(header.first) == Lower(name); });
  if (!value.empty()) headers.emplace_back(name, value);
}

bool SendAll(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::uint32_t Crc32c(const std::string& bytes) {
  // isa-l wants a mutable pointer and does not write.
  auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
  return ~crc32_iscsi(data, static_cast<int>(bytes.size()), 0xffffffff);
}

int Listen(const std::string& on_address, std::uint16_t port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = ::inet_addr(on_address.c_str());
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, 1024) != 0) {
    throw std::runtime_error("fake S3: cannot listen on port " + std::to_string(port));
  }
  return listener;
}

}  // namespace

S3Predicate Always() {
  return [](const S3Request&) { return true; };
}

S3Predicate KeyContains(std::string part) {
  return [part = std::move(part)](const S3Request& request) {
    return request.key.find(part) != std::string::npos;
  };
}

S3Predicate RequestNumber(int number) {
  return [number](const S3Request& request) { return request.number == number; };
}

S3Predicate Sometimes(double probability, std::uint64_t seed) {
  return [probability, random = std::mt19937_64(seed)](const S3Request&) mutable {
    return std::uniform_real_distribution<>(0, 1)(random) < probability;
  };
}

struct FakeS3::Answer {
  unsigned status = 200;
  Headers headers;
  std::shared_ptr<const std::string> bytes;  // the whole object or page
  std::string_view body;                     // the part of it to send
};

FakeS3::FakeS3(Options options)
    : options_(std::move(options)), listener_(Listen(options_.address, options_.port)) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

FakeS3::~FakeS3() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_all();
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  CutConnections();
  for (auto& thread : threads_) thread.join();
  ::close(listener_);
}

std::string FakeS3::BucketUrl(const std::string& bucket) const {
  return "http://" + options_.address + ":" + std::to_string(port_) + "/" + bucket;
}

void FakeS3::Put(const std::string& path, std::string bytes) {
  const std::uint32_t crc = Crc32c(bytes);
  const std::lock_guard lock(mutex_);
  objects_[path] = {std::make_shared<const std::string>(std::move(bytes)), crc};
}

void FakeS3::Remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  objects_.erase(path);
}

void FakeS3::FailWhen(S3Predicate when, S3Fault fault, int times) {
  const std::lock_guard lock(mutex_);
  rules_.push_back({std::move(when), std::move(fault), times});
}

void FakeS3::StopFailing() {
  const std::lock_guard lock(mutex_);
  rules_.clear();
}

std::vector<S3Request> FakeS3::Requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::map<std::string, int> FakeS3::Fired() const {
  const std::lock_guard lock(mutex_);
  return fired_;
}

void FakeS3::CutConnections() {
  const std::lock_guard lock(mutex_);
  for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
}

void FakeS3::Accept() {
  for (int number = 1;; ++number) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::lock_guard lock(mutex_);
    sockets_.push_back(socket);
    threads_.emplace_back([this, socket, number] { Serve(socket, number); });
  }
}

void FakeS3::Serve(int socket, int number) {
  std::string received;
  std::array<char, 16384> buffer{};
  for (bool more = true; more;) {
    const auto end = received.find("\r\n\r\n");
    if (end == std::string::npos) {
      const auto got = ::recv(socket, buffer.data(), buffer.size(), 0);
      if (got <= 0) break;
      received.append(buffer.data(), static_cast<std::size_t>(got));
      continue;
    }
    auto request = ParseHead(received.substr(0, end + 4));
    received.erase(0, end + 4);
    if (!request) break;
    request->connection = number;
    const S3Fault fault = Note(*request);
    more = Send(socket, MakeAnswer(*request, fault), fault);
  }
  const std::lock_guard lock(mutex_);
  sockets_.remove(socket);
  ::close(socket);
}

S3Fault FakeS3::Note(S3Request& request) {
  const std::lock_guard lock(mutex_);
  request.number = static_cast<int>(requests_.size()) + 1;
  requests_.push_back(request);
  for (auto& rule : rules_) {
    if (rule.left == 0 || !rule.when(request)) continue;
    if (rule.left > 0) --rule.left;
    ++fired_[rule.fault.name];
    return rule.fault;
  }
  return {};
}

std::optional<FakeS3::Object> FakeS3::Find(const std::string& path) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = objects_.find(path); found != objects_.end()) return found->second;
  }
  if (options_.root.empty() || path.find("..") != std::string::npos) return std::nullopt;
  const auto file = options_.root / path;
  if (!std::filesystem::is_regular_file(file)) return std::nullopt;
  std::string text(std::filesystem::file_size(file), '\0');
  std::ifstream(file, std::ios::binary)
      .read(text.data(), static_cast<std::streamsize>(text.size()));
  const std::uint32_t crc = Crc32c(text);
  return Object{std::make_shared<const std::string>(std::move(text)), crc};
}

bool FakeS3::BucketExists(const std::string& path) {
  const std::string bucket = path.substr(0, path.find('/'));
  const std::lock_guard lock(mutex_);
  const auto next = objects_.lower_bound(bucket + "/");
  if (next != objects_.end() && next->first.starts_with(bucket + "/")) return true;
  return !options_.root.empty() && std::filesystem::is_directory(options_.root / bucket);
}

FakeS3::Answer FakeS3::ErrorAnswer(const S3Request& request, const S3Fault& fault) {
  Answer answer;
  answer.status = fault.status;
  std::string code = fault.code;
  if (answer.status == 0) {
    answer.status = 404;
    code = BucketExists(request.key) ? "NoSuchKey" : "NoSuchBucket";
  }
  answer.bytes = std::make_shared<const std::string>(code.empty() ? "" : ErrorDocument(code));
  answer.body = *answer.bytes;
  answer.headers = {{"Content-Type", "application/xml"}};
  return answer;
}

FakeS3::Answer FakeS3::ObjectAnswer(const S3Request& request, const Object& object,
                                    const S3Fault& fault) {
  Answer answer;
  answer.bytes = object.bytes;
  answer.body = *answer.bytes;
  answer.headers = {{"Content-Type", "application/octet-stream"},
                    {"ETag", "\"" + std::to_string(object.crc32c) + "\""}};
  if (options_.checksums) Set(answer.headers, "x-amz-meta-crc32c", std::to_string(object.crc32c));
  std::size_t first = 0;
  std::size_t last = 0;
  const auto range = request.headers.find("range");
  if (range != request.headers.end() && !fault.ignore_range &&
      std::sscanf(range->second.c_str(), "bytes=%zu-%zu", &first, &last) == 2) {
    answer.status = first < answer.body.size() ? 206 : 416;
    answer.body = answer.body.substr(std::min(first, answer.body.size()), last - first + 1);
    Set(answer.headers, "Content-Range",
        "bytes " + std::to_string(first) + "-" + std::to_string(first + answer.body.size() - 1) +
            "/" + std::to_string(object.bytes->size()));
  }
  if (fault.change_body) {
    std::string changed(answer.body);
    fault.change_body(changed);
    answer.bytes = std::make_shared<const std::string>(std::move(changed));
    answer.body = *answer.bytes;
  }
  return answer;
}

FakeS3::Answer FakeS3::MakeAnswer(const S3Request& request, const S3Fault& fault) {
  const auto object = fault.status == 0 ? Find(request.key) : std::nullopt;
  Answer answer = object ? ObjectAnswer(request, *object, fault) : ErrorAnswer(request, fault);
  if (fault.chunked) {
    Set(answer.headers, "Transfer-Encoding", "chunked");
  } else if (!fault.no_length) {
    const auto length = static_cast<std::ptrdiff_t>(answer.body.size()) + fault.length_lie;
    Set(answer.headers, "Content-Length", std::to_string(length));
  }
  for (const auto& [name, value] : fault.headers) Set(answer.headers, name, value);
  if (request.method == "HEAD") answer.body = {};
  return answer;
}

bool FakeS3::Send(int socket, Answer answer, const S3Fault& fault) {
  if (!fault.silent) {
    std::string head = fault.first_line.empty()
                           ? "HTTP/1.1 " + std::to_string(answer.status) + " Answer"
                           : fault.first_line;
    for (const auto& [name, value] : answer.headers) head += "\r\n" + name + ": " + value;
    if (!SendAll(socket, head + "\r\n\r\n")) return false;
    const auto body = answer.body.substr(0, fault.end_at.value_or(answer.body.size()));
    if (!SendPaced(socket, body, fault)) return false;
    if (fault.chunked && !fault.end_at && !SendAll(socket, "0\r\n\r\n")) return false;
  }
  if (fault.end == S3Fault::End::kStall) Stall();
  if (fault.end == S3Fault::End::kReset) {
    const linger abort{1, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  }
  return fault.end == S3Fault::End::kKeepAlive;
}

bool FakeS3::SendPaced(int socket, std::string_view bytes, const S3Fault& fault) {
  constexpr std::size_t kChunk = 60000;
  std::size_t piece = fault.piece;
  if (piece == 0) piece = fault.chunked ? kChunk : std::max<std::size_t>(bytes.size(), 1);
  while (!bytes.empty()) {
    if (fault.pause.count() > 0 && !Pause(fault.pause)) return false;
    const auto part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    if (fault.chunked) {
      std::ostringstream size;
      size << std::hex << part.size() << ";of=interest\r\n";
      if (!SendAll(socket, size.str())) return false;
    }
    if (!SendAll(socket, part)) return false;
    if (fault.chunked && !SendAll(socket, "\r\n")) return false;
  }
  return true;
}

bool FakeS3::Pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !stopped_.wait_for(lock, time, [this] { return stop_; });
}

void FakeS3::Stall() {
  std::unique_lock lock(mutex_);
  stopped_.wait(lock, [this] { return stop_; });
}

}  // namespace prewarm::rig
