#include "tests/fakes/fake_s3.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

#include "common/juicefs/trailer.h"

namespace prewarm::rig {
namespace {

namespace fs = std::filesystem;

std::string PercentDecoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    const char* digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lower;
}

SeenRequest Parse(const std::string& head, std::size_t connection) {
  SeenRequest request;
  request.connection = connection;
  const auto target = head.find(' ') + 1;
  request.target = head.substr(target, head.find(' ', target) - target);
  request.path = PercentDecoded(request.target.substr(0, request.target.find('?')));
  for (auto line = head.find("\r\n") + 2; line + 2 < head.size();) {
    const auto end = head.find("\r\n", line);
    const auto colon = std::min(head.find(':', line), end);
    const auto value = std::min(head.find_first_not_of(": ", colon), end);
    request.headers[Lower(head.substr(line, colon - line))] = head.substr(value, end - value);
    line = end + 2;
  }
  return request;
}

// First and last byte of "bytes=A-B", cut to the object's size.
std::optional<std::pair<std::size_t, std::size_t>> ParseRange(std::string_view text,
                                                              std::size_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!text.starts_with(kUnit)) return std::nullopt;
  const char* end = text.data() + text.size();
  std::size_t first = 0;
  std::size_t last = 0;
  const auto dash = std::from_chars(text.data() + kUnit.size(), end, first);
  if (dash.ptr == end || *dash.ptr != '-') return std::nullopt;
  if (std::from_chars(dash.ptr + 1, end, last).ptr != end || last < first) return std::nullopt;
  return std::pair(first, std::min(last, size - 1));
}

std::string BucketOf(const std::string& path) { return path.substr(0, path.find('/', 1)) + "/"; }

std::optional<std::string> FileBytes(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!fs::is_regular_file(path) || !in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string_view StatusText(int status) {
  switch (status) {
    case 200: return "OK";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 416: return "Range Not Satisfiable";
    case 429: return "Too Many Requests";
    case 503: return "Slow Down";
    default: return "Internal Server Error";
  }
}

}  // namespace

struct FakeS3::Answer {
  enum class End : std::uint8_t { kKeep, kClose, kReset, kStall };

  int status = 200;
  std::map<std::string, std::string> headers;
  std::string body;
  std::size_t declared = 0;  // Content-Length
  std::size_t sent = 0;      // of the body
  End end = End::kKeep;
  bool chunked = false;
  std::size_t bytes_per_second = 0;  // 0: as fast as it goes

  void SetBody(std::string bytes) {
    body = std::move(bytes);
    declared = sent = body.size();
  }
  void EndAfter(std::size_t bytes, End how) {
    sent = std::min(bytes, body.size());
    end = how;
  }
  void Refuse(int with, const std::string& code) {
    status = with;
    headers = {{"Content-Type", "application/xml"}};
    SetBody("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" + code +
            "</Code><Message>on purpose: " + code + "</Message></Error>");
  }
};

FakeS3::FakeS3(Options options)
    : options_(std::move(options)),
      state_(State(options_.seed)),
      server_([this](ServedConnection& connection) { Serve(connection); }) {
  if (options_.fail_first_only) {
    state_.With([](State& state) { state.faults.SpareAfterFirst(); });
  }
}

void FakeS3::Put(std::string path, std::string bytes) {
  state_.With([&](State& state) { state.objects[std::move(path)] = std::move(bytes); });
}

void FakeS3::FailWhen(FaultPlan::Predicate predicate, Fault fault) {
  state_.With([&](State& state) { state.faults.When(std::move(predicate), fault); });
}

void FakeS3::FailAlways(Fault fault) {
  FailWhen([](const SeenRequest&) { return true; }, fault);
}

void FakeS3::FailSometimes(double probability, Fault fault) {
  state_.With([&](State& state) { state.faults.Sometimes(probability, fault); });
}

std::vector<SeenRequest> FakeS3::Requests() {
  return state_.With([](State& state) { return state.requests; });
}

std::map<FaultKind, std::size_t> FakeS3::Fired() {
  return state_.With([](State& state) { return state.faults.fired(); });
}

void FakeS3::Serve(ServedConnection& connection) {
  while (const auto head = connection.ReadHead()) {
    const SeenRequest request = Parse(*head, connection.number());
    const auto fault = state_.With([&](State& state) {
      state.requests.push_back(request);
      return state.faults.Choose(request);
    });
    Answer answer = Honest(request);
    if (fault) Spoil(*fault, request, answer);
    if (!Deliver(answer, connection)) return;
  }
}

FakeS3::Answer FakeS3::Honest(const SeenRequest& request) {
  Answer answer;
  auto object = Object(request.path);
  if (!object) {
    const std::string bucket = BucketOf(request.path);
    const bool there =
        fs::is_directory(options_.root.string() + bucket) || state_.With([&](State& state) {
          const auto near = state.objects.lower_bound(bucket);
          return near != state.objects.end() && near->first.starts_with(bucket);
        });
    answer.Refuse(404, there ? "NoSuchKey" : "NoSuchBucket");
    return answer;
  }
  answer.headers["Content-Type"] = "binary/octet-stream";
  if (options_.crc) {
    answer.headers["x-amz-meta-crc32c"] =
        std::to_string(juicefs::Crc32c(std::as_bytes(std::span(*object))));
  }
  const auto asked = request.headers.find("range");
  if (asked == request.headers.end()) {
    answer.SetBody(*std::move(object));
    return answer;
  }
  const auto range = ParseRange(asked->second, object->size());
  if (!range || range->first >= object->size()) {
    answer.Refuse(416, "InvalidRange");
    return answer;
  }
  const auto [first, last] = *range;
  answer.status = 206;
  answer.headers["Content-Range"] = "bytes " + std::to_string(first) + "-" + std::to_string(last) +
                                    "/" + std::to_string(object->size());
  answer.SetBody(object->substr(first, last - first + 1));
  return answer;
}

void FakeS3::Spoil(const Fault& fault, const SeenRequest& request, Answer& answer) {
  using End = Answer::End;
  const std::size_t size = answer.body.size();
  const std::size_t at = fault.argument.value_or(size / 2);
  const std::size_t some = fault.argument.value_or(1);
  switch (fault.kind) {
    case FaultKind::kInternalError: return answer.Refuse(500, "InternalError");
    case FaultKind::kSlowDown: return answer.Refuse(503, "SlowDown");
    case FaultKind::kTooManyRequests: return answer.Refuse(429, "TooManyRequests");
    case FaultKind::kAccessDenied: return answer.Refuse(403, "AccessDenied");
    case FaultKind::kNoSuchKey: return answer.Refuse(404, "NoSuchKey");
    case FaultKind::kNoSuchBucket: return answer.Refuse(404, "NoSuchBucket");
    case FaultKind::kRedirect:
      answer.Refuse(301, "PermanentRedirect");
      answer.headers["x-amz-bucket-region"] = "eu-west-7";
      return;
    case FaultKind::kReset: return answer.EndAfter(at, End::kReset);
    case FaultKind::kStall: return answer.EndAfter(at, End::kStall);
    case FaultKind::kCloseEarly: return answer.EndAfter(at, End::kClose);
    case FaultKind::kLengthTooLong:
      answer.declared = size + some;
      return answer.EndAfter(size, End::kClose);
    case FaultKind::kLengthTooShort: answer.declared = size - std::min(size, some); return;
    case FaultKind::kLongerBody: return answer.SetBody(answer.body + std::string(some, 'x'));
    case FaultKind::kShorterBody:
      return answer.SetBody(answer.body.substr(0, size - std::min(size, some)));
    case FaultKind::kChunked: answer.chunked = true; return;
    case FaultKind::kHtmlPage:
      answer.status = 200;
      answer.headers = {{"Content-Type", "text/html; charset=utf-8"}};
      return answer.SetBody("<html><body>Please log in to the network</body></html>");
    case FaultKind::kGzip: answer.headers["Content-Encoding"] = "gzip"; return;
    case FaultKind::kFlippedBit: {
      if (size == 0) return;
      const std::size_t bit = fault.argument.value_or(size * 4 + 3) % (size * 8);
      answer.body[bit / 8] = static_cast<char>(answer.body[bit / 8] ^ (1 << bit % 8));
      return;
    }
    case FaultKind::kOtherObject:
      if (auto other = Neighbour(request.path, size)) answer.SetBody(*std::move(other));
      return;
    case FaultKind::kSlow: answer.bytes_per_second = fault.argument.value_or(64 << 10); return;
    case FaultKind::kIgnoredRange:
      answer.status = 200;
      answer.headers.erase("Content-Range");
      return answer.SetBody(Object(request.path).value_or(""));
    case FaultKind::kWrongRange:
      answer.headers["Content-Range"] = "bytes " + std::to_string(some) + "-" +
                                        std::to_string(some + size - 1) + "/" +
                                        std::to_string(some + size);
      return;
  }
}

bool FakeS3::Deliver(const Answer& answer, ServedConnection& connection) {
  std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " " +
                     std::string(StatusText(answer.status)) + "\r\nServer: fake\r\n";
  for (const auto& [name, value] : answer.headers) head += name + ": " + value + "\r\n";
  head += answer.chunked ? "Transfer-Encoding: chunked\r\n\r\n"
                         : "Content-Length: " + std::to_string(answer.declared) + "\r\n\r\n";
  if (!connection.Send(head)) return false;

  const bool in_pieces = answer.chunked || answer.bytes_per_second != 0;
  const std::size_t most =
      answer.bytes_per_second == 0 ? 10000 : std::max<std::size_t>(1, answer.bytes_per_second / 20);
  const std::string_view body = std::string_view(answer.body).substr(0, answer.sent);
  for (std::size_t at = 0; at < body.size();) {
    const auto piece = in_pieces ? body.substr(at, most) : body;
    std::array<char, 20> size{};
    const auto digits = std::to_chars(size.begin(), size.end(), piece.size(), 16);
    const std::string before(size.data(), digits.ptr);
    if (answer.chunked && !connection.Send(before + "\r\n")) return false;
    if (!connection.Send(piece)) return false;
    if (answer.chunked && !connection.Send("\r\n")) return false;
    if (answer.bytes_per_second != 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    at += piece.size();
  }
  if (answer.chunked && !connection.Send("0\r\n\r\n")) return false;
  if (answer.end == Answer::End::kReset) connection.ResetAtEnd();
  if (answer.end == Answer::End::kStall) connection.StaySilent();
  return answer.end == Answer::End::kKeep;
}

std::optional<std::string> FakeS3::Object(const std::string& path) {
  auto object = state_.With([&](State& state) -> std::optional<std::string> {
    const auto found = state.objects.find(path);
    if (found == state.objects.end()) return std::nullopt;
    return found->second;
  });
  const bool climbs = (path + "/").find("/../") != std::string::npos;
  if (!object && !options_.root.empty() && !climbs)
    object = FileBytes(options_.root.string() + path);
  return object;
}

std::optional<std::string> FakeS3::Neighbour(const std::string& path, std::size_t size) {
  auto other = state_.With([&](State& state) -> std::optional<std::string> {
    for (const auto& [name, bytes] : state.objects) {
      if (name != path && bytes.size() == size) return bytes;
    }
    return std::nullopt;
  });
  if (other || options_.root.empty()) return other;
  const fs::path own = options_.root.string() + path;
  for (const auto& entry : fs::directory_iterator(own.parent_path())) {
    if (entry.is_regular_file() && entry.path() != own && entry.file_size() == size) {
      return FileBytes(entry.path());
    }
  }
  return std::nullopt;
}

}  // namespace prewarm::rig
