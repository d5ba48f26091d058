#include "common/net/http_session.h"

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <charconv>
#include <ctime>
#include <utility>

#include "common/async/deadline.h"
#include "common/async/task_group.h"
#include "common/base/check.h"

namespace prewarm::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

// What is read after a refusal, so that the peer gets to see it: closing a socket with unread bytes
// resets the connection, and a reset overtakes what was sent.
constexpr std::size_t kLingerBytes = 1U << 20;
constexpr auto kLinger = std::chrono::seconds(2);
// A stream's peer is not expected to say anything.
constexpr auto kStreamLife = std::chrono::hours(24);

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

// "Sun, 06 Nov 1994 08:49:37 GMT", whatever the locale.
std::string HttpDate(WallTime now) {
  constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                kDays.at(static_cast<std::size_t>(utc.tm_wday)), utc.tm_mday,
                kMonths.at(static_cast<std::size_t>(utc.tm_mon)), utc.tm_year + 1900, utc.tm_hour,
                utc.tm_min, utc.tm_sec);
  return text.data();
}

// A value cannot end its line and begin another header.
void AppendHeader(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ");
  for (const char c : value) head += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
  head += "\r\n";
}

bool HasNoBody(unsigned status) { return status / 100 == 1 || status == 204 || status == 304; }

// Counts while it lives.
class Held {
 public:
  explicit Held(std::atomic<std::uint64_t>& count) : count_(&count) { ++*count_; }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() { --*count_; }

 private:
  std::atomic<std::uint64_t>* count_;
};

}  // namespace

HttpSession::HttpSession(HttpService& service, std::unique_ptr<Stream> stream, std::string peer,
                         const asio::any_io_executor& executor)
    : service_(service),
      stream_(std::move(stream)),
      peer_(std::move(peer)),
      buffer_(service.limits.head_bytes),
      stream_end_(executor, asio::steady_timer::time_point::max()) {}

Task<void> HttpSession::Run() {
  bool more = true;
  while (more && !service_.stopping && !co_await Stopping()) more = co_await ServeOne();
  stream_->Close();
}

void HttpSession::Finish() {
  keep_open_ = false;
  if (idle_since_) stream_->Close();
  if (streaming_) EndStream();
}

Task<bool> HttpSession::ServeOne() {
  parser_.emplace();
  parser_->eager(false);
  parser_->header_limit(static_cast<std::uint32_t>(service_.limits.head_bytes));
  parser_->body_limit(service_.limits.body_bytes);
  replied_ = false;
  head_bytes_ = 0;
  auto refusal = co_await ReadHead();
  if (!refusal) refusal = CheckHead();
  if (!refusal) refusal = co_await ReadBody();
  if (refusal) {
    // Where this request ends, and what follows it, is not known.
    keep_open_ = false;
  } else {
    keep_open_ = parser_->keep_alive() && !service_.stopping;
    refusal = co_await Handle();
  }
  if (refusal) co_await Refuse(*refusal);
  co_return keep_open_ && !broken_;
}

Task<bool> HttpSession::Receive(Duration limit) {
  if (limit <= Duration::zero() || co_await Stopping()) co_return false;
  const auto space =
      buffer_.prepare(std::min<std::size_t>(4096, buffer_.max_size() - buffer_.size()));
  const auto size =
      co_await stream_->ReadSome({static_cast<std::byte*>(space.data()), space.size()}, limit);
  buffer_.commit(size.value_or(0));
  co_return size.has_value();
}

// One step of the parser over what is there.
std::optional<HttpSession::Refusal> HttpSession::Parse() {
  error_code error;
  const bool in_head = !parser_->is_header_done();
  const std::size_t parsed = parser_->put(buffer_.data(), error);
  buffer_.consume(parsed);
  // Beast's own limit is for one line where a head comes in pieces.
  if (in_head) head_bytes_ += parsed;
  if (head_bytes_ > service_.limits.head_bytes) return RefusalFor(http::error::header_limit);
  starved_ = error == http::error::need_more;
  if (error && !starved_) return RefusalFor(error);
  if (starved_ && buffer_.size() == buffer_.max_size()) {
    return RefusalFor(parser_->is_header_done() ? http::error::bad_chunk
                                                : http::error::header_limit);
  }
  return std::nullopt;
}

HttpSession::Refusal HttpSession::RefusalFor(const error_code& error) const {
  if (error == http::error::header_limit) return {431, "the head of the request is too long"};
  if (error == http::error::body_limit) return {413, "the body of the request is too long"};
  if (error == http::error::bad_version) return {505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
  return {400, "this is not a well-formed HTTP request"};
}

Task<std::optional<HttpSession::Refusal>> HttpSession::ReadHead() {
  if (buffer_.size() == 0) {
    idle_since_ = clock_.Now();
    const bool received = co_await Receive(service_.limits.idle);
    idle_since_.reset();
    if (!received) co_return Refusal{};
  }
  const auto end = clock_.Now() + service_.limits.head;
  for (bool begun = false; !parser_->is_header_done();) {
    // Empty lines before a request are forgiven, as RFC 9112 asks.
    while (!begun && buffer_.size() > 0 &&
           std::string_view("\r\n").find(*static_cast<const char*>(buffer_.data().data())) !=
               std::string_view::npos) {
      buffer_.consume(1);
    }
    begun = buffer_.size() > 0;
    if (begun) {
      if (const auto refusal = Parse()) co_return refusal;
      if (!starved_) continue;
    }
    if (!co_await Receive(end - clock_.Now())) co_return Refusal{};
  }
  co_return std::nullopt;
}

// What the parser accepts and we do not.
std::optional<HttpSession::Refusal> HttpSession::CheckHead() const {
  const auto& head = parser_->get();
  const auto hosts = head.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && head.version() >= 11)) {
    return Refusal{400, "a request names its host once"};
  }
  // Any other coding would make the end of the body a matter of opinion.
  const auto coding = head.find(http::field::transfer_encoding);
  if (coding != head.end() && !beast::iequals(coding->value(), "chunked")) {
    return Refusal{501, "no transfer coding but chunked is understood here"};
  }
  return std::nullopt;
}

Task<std::optional<HttpSession::Refusal>> HttpSession::ReadBody() {
  const auto& head = parser_->get();
  if (!parser_->is_done() && beast::iequals(head[http::field::expect], "100-continue") &&
      buffer_.size() == 0) {
    if (!co_await WriteOut("HTTP/1.1 100 Continue\r\n\r\n")) co_return Refusal{};
  }
  const auto end = clock_.Now() + service_.limits.body;
  while (!parser_->is_done()) {
    if (buffer_.size() > 0) {
      if (const auto refusal = Parse()) co_return refusal;
      if (!starved_) continue;
    }
    if (!co_await Receive(end - clock_.Now())) co_return Refusal{};
  }
  co_return std::nullopt;
}

bool HttpSession::MustRefuse(std::string_view path) const {
  return service_.counts.requests >= service_.limits.requests &&
         std::ranges::find(service_.urgent_paths, path) == service_.urgent_paths.end();
}

Task<std::optional<HttpSession::Refusal>> HttpSession::Handle() {
  auto target = ParseHttpTarget(View(parser_->get().target()));
  if (!target) co_return Refusal{400, "the target of the request is not well-formed"};
  if (MustRefuse(target->path)) co_return Refusal{429, "too many requests are in hand"};
  const auto request = TakeRequest(*std::move(target));
  {
    const Held held(service_.counts.requests);
    // Behind what is ready already: so a flood of requests that are answered at once is seen as
    // what it is, a queue, and is bounded by the limit like any other.
    co_await asio::post(kAsTuple);
    co_await service_.handler(request, *this);
  }
  ++service_.counts.requests_handled;
  if (replied_ || co_await Stopping()) co_return std::nullopt;
  co_return Refusal{500, "the request was not answered"};
}

HttpServerRequest HttpSession::TakeRequest(HttpTarget target) {
  auto& message = parser_->get();
  HttpServerRequest request;
  request.method = View(message.method_string());
  request.target = std::move(target);
  for (const auto& field : message) {
    request.headers.emplace_back(View(field.name_string()), View(field.value()));
  }
  request.body = std::move(message.body());
  request.peer = peer_;
  return request;
}

Task<void> HttpSession::Refuse(Refusal refusal) {
  if (refusal.status == 0) co_return;
  ++service_.counts.requests_refused;
  auto problem = PlainProblem(refusal.status, refusal.why);
  if (refusal.status == 429) problem.headers.emplace_back("Retry-After", "1");
  co_await Send(std::move(problem));
  if (broken_) co_return;
  if (!keep_open_) co_await Linger();
  // A stop ends the wait, and then the connection.
  if (keep_open_ && refusal.status == 429) keep_open_ = co_await SleepFor(service_.limits.rest);
}

Task<void> HttpSession::Linger() {
  const auto end = clock_.Now() + kLinger;
  for (std::size_t total = 0; total < kLingerBytes;) {
    buffer_.clear();
    if (!co_await Receive(end - clock_.Now())) co_return;
    total += buffer_.size();
  }
}

std::string HttpSession::Head(const HttpResponse& response, std::string_view framing) const {
  const auto reason = http::obsolete_reason(http::int_to_status(response.status));
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head.append(View(reason)).append("\r\n");
  for (const auto& [name, value] : response.headers) AppendHeader(head, name, value);
  AppendHeader(head, "Date", HttpDate(clock_.WallNow()));
  head += framing;
  if (!keep_open_) {
    head += "Connection: close\r\n";
  } else if (parser_->get().version() < 11) {
    head += "Connection: keep-alive\r\n";
  }
  return head + "\r\n";
}

Task<Status> HttpSession::WriteOut(std::string_view bytes) {
  if (broken_) co_return Fail(ErrorCode::kUnavailable, "the connection to " + peer_ + " is lost");
  if (co_await Stopping()) co_return Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled);
  auto written = co_await stream_->Write(std::as_bytes(std::span(bytes)), service_.limits.write);
  broken_ = !written;
  co_return written;
}

Task<void> HttpSession::Send(HttpResponse response) {
  PREWARM_CHECK(!std::exchange(replied_, true), "a request is answered twice");
  const bool asked_for_head =
      parser_->is_header_done() && parser_->get().method() == http::verb::head;
  std::string framing;
  if (!HasNoBody(response.status)) {
    framing = "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  }
  if (service_.stopping) keep_open_ = false;
  std::string answer = Head(response, framing);
  if (!asked_for_head && !HasNoBody(response.status)) answer += response.body;
  broken_ = !co_await WriteOut(answer);
}

Task<void> HttpSession::SendStream(HttpResponse head, Task<void> producer) {
  if (service_.counts.streams >= service_.limits.streams) {
    auto problem = PlainProblem(429, "too many streams are open");
    problem.headers.emplace_back("Retry-After", "5");
    co_return co_await Send(std::move(problem));
  }
  PREWARM_CHECK(!std::exchange(replied_, true), "a request is answered twice");
  keep_open_ = false;
  // A peer that speaks HTTP/1.0 sees the end of the stream in the end of the connection.
  chunked_ = parser_->get().version() >= 11;
  const std::string begin = Head(head, chunked_ ? "Transfer-Encoding: chunked\r\n" : "");
  const bool only_head = parser_->get().method() == http::verb::head;
  // For its whole life a stream would hold a place among the requests.
  --service_.counts.requests;
  {
    const Held held(service_.counts.streams);
    const auto begun = co_await WriteOut(begin);
    if (begun && !only_head) co_await RunStream(std::move(producer));
  }
  ++service_.counts.requests;
  if (chunked_ && !only_head) broken_ = !co_await WriteOut("0\r\n\r\n");
}

Task<void> HttpSession::RunStream(Task<void> producer) {
  TaskGroup group(co_await asio::this_coro::executor);
  streaming_ = true;
  stream_end_.expires_at(asio::steady_timer::time_point::max());
  group.Spawn("http stream", Produce(*this, std::move(producer)));
  group.Spawn("http peer", WatchPeer(*this));
  while (streaming_ && !service_.stopping && !co_await Stopping()) {
    stream_end_.expires_at(asio::steady_timer::time_point::max());
    co_await stream_end_.async_wait(kAsTuple);
  }
  streaming_ = false;
  group.Stop();
  co_await group.Join();
}

void HttpSession::EndStream() {
  streaming_ = false;
  stream_end_.cancel();
}

Task<void> HttpSession::Produce(HttpSession& session, Task<void> producer) {
  co_await std::move(producer);
  session.EndStream();
}

// Whatever the peer says during a stream is ignored; that it leaves is not.
Task<void> HttpSession::WatchPeer(HttpSession& session) {
  std::array<std::byte, 256> ignored{};
  for (;;) {
    const auto size = co_await session.stream_->ReadSome(ignored, kStreamLife);
    if (co_await Stopping()) co_return;
    if (size) continue;
    session.broken_ = true;
    session.EndStream();
    co_return;
  }
}

Task<Status> HttpSession::Write(std::string_view piece) {
  PREWARM_CHECK(replied_, "a piece of a stream that was not begun");
  if (piece.empty()) co_return Status();  // as a chunk it would end the stream
  if (!chunked_) co_return co_await WriteOut(piece);
  std::array<char, 20> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), piece.size(), 16).ptr;
  std::string chunk(size.data(), end);
  chunk.append("\r\n").append(piece).append("\r\n");
  co_return co_await WriteOut(chunk);
}

}  // namespace prewarm::net
