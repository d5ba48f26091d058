#include "common/net/http_client.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/optional.hpp>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace prewarm::net {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr std::size_t kHeadSpace = 16 << 10;
constexpr std::size_t kErrorBodySpace = 16 << 10;

std::string Serialize(const HttpRequest& request) {
  std::string text = "GET " + request.target + " HTTP/1.1\r\nHost: " + request.host + "\r\n";
  for (const auto& [name, value] : request.headers) text += name + ": " + value + "\r\n";
  text += "\r\n";
  return text;
}

Error NotHttp(const boost::system::error_code& error) {
  return Fail(ErrorCode::kCorrupt, "the answer is not HTTP: " + error.message(),
              Reason::kNotAnObject);
}

Error TooLong(std::size_t space) {
  return Fail(ErrorCode::kCorrupt,
              "the body is longer than the " + std::to_string(space) + " bytes asked for",
              Reason::kWrongLength);
}

}  // namespace

// One request and its answer on one connection.
class HttpClient::Exchange {
 public:
  Exchange(Stream& stream, const HttpLimits& limits) : stream_(stream), limits_(limits) {
    parser_.eager(false);
    parser_.header_limit(kHeadSpace);
    parser_.body_limit(boost::none);
  }

  Task<Status> Send(const std::string& text) {
    co_return co_await stream_.Write(std::as_bytes(std::span(text)), limits_.progress);
  }

  // True in `silent` as long as the server has not sent a byte.
  Task<Status> ReadHead(bool& silent) {
    while (!parser_.is_header_done()) {
      if (head_end_ == head_.size()) co_return NotHttp(http::error::header_limit);
      CO_TRY(const auto size,
             co_await stream_.ReadSome(std::as_writable_bytes(std::span(head_)).subspan(head_end_),
                                       silent ? limits_.first_byte : limits_.progress));
      silent = false;
      head_end_ += size;
      boost::system::error_code error;
      head_begin_ += parser_.put(Unparsed(), error);
      if (error && error != http::error::need_more) co_return NotHttp(error);
    }
    co_return Status();
  }

  enum class IfLonger : std::uint8_t { kRefuse, kCut };

  Task<Result<std::size_t>> ReadBody(std::span<std::byte> into, IfLonger if_longer) {
    const auto length = parser_.content_length();
    if (!length || parser_.chunked()) co_return co_await ReadDecoded(into, if_longer);
    if (*length > into.size() && if_longer == IfLonger::kRefuse) co_return TooLong(into.size());
    body_done_ = *length <= into.size();
    const auto wanted = std::min<std::uint64_t>(*length, into.size());
    co_return co_await ReadExactly(into.first(static_cast<std::size_t>(wanted)));
  }

  // May the connection serve another request?
  [[nodiscard]] bool Reusable() const {
    return body_done_ && parser_.keep_alive() && head_begin_ == head_end_;
  }
  const auto& message() const { return parser_.get(); }

 private:
  [[nodiscard]] asio::const_buffer Unparsed() const {
    return {head_.data() + head_begin_, head_end_ - head_begin_};
  }

  Task<Result<std::size_t>> ReadExactly(std::span<std::byte> into) {
    std::size_t done = std::min(into.size(), head_end_ - head_begin_);
    std::copy_n(std::as_bytes(std::span(head_)).begin() + static_cast<std::ptrdiff_t>(head_begin_),
                done, into.begin());
    head_begin_ += done;
    while (done < into.size()) {
      CO_TRY(const auto size, co_await stream_.ReadSome(into.subspan(done), limits_.progress));
      done += size;
    }
    co_return done;
  }

  // Chunked bodies and bodies that end with the connection: through the parser, with a copy.
  Task<Result<std::size_t>> ReadDecoded(std::span<std::byte> into, IfLonger if_longer) {
    auto& body = parser_.get().body();
    std::byte beyond{};  // a byte too many lands here
    std::size_t done = 0;
    while (!parser_.is_done()) {
      const bool full = done == into.size();
      const std::size_t space = full ? 1 : into.size() - done;
      body.data = full ? &beyond : into.data() + done;
      body.size = space;
      body.more = true;
      boost::system::error_code error;
      const std::size_t parsed = parser_.put(Unparsed(), error);
      head_begin_ += parsed;
      done += space - body.size;
      if (done > into.size() && if_longer == IfLonger::kRefuse) co_return TooLong(into.size());
      if (done > into.size()) co_return into.size();
      // One call takes one piece of the body: there may be another in what was received.
      if (error == http::error::need_buffer || (!error && parsed > 0)) continue;
      if (error && error != http::error::need_more) co_return NotHttp(error);
      CO_TRY(const bool more, co_await ReceiveMore());
      if (!more) break;
    }
    body_done_ = parser_.is_done();
    co_return done;
  }

  // Room is made by moving what is unparsed to the front. False at the end of a body that ends with
  // the connection.
  Task<Result<bool>> ReceiveMore() {
    std::memmove(head_.data(), head_.data() + head_begin_, head_end_ - head_begin_);
    head_end_ -= std::exchange(head_begin_, 0);
    if (head_end_ == head_.size()) co_return NotHttp(http::error::bad_chunk);
    auto size = co_await stream_.ReadSome(
        std::as_writable_bytes(std::span(head_)).subspan(head_end_), limits_.progress);
    if (!size && size.error().code == ErrorCode::kUnavailable && parser_.need_eof()) {
      co_return false;
    }
    CO_TRY(const auto received, std::move(size));
    head_end_ += received;
    co_return true;
  }

  Stream& stream_;
  const HttpLimits& limits_;
  http::response_parser<http::buffer_body> parser_;
  std::array<char, kHeadSpace> head_{};
  std::size_t head_begin_ = 0;  // parsed or copied up to here
  std::size_t head_end_ = 0;    // received up to here
  bool body_done_ = false;
};

HttpClient::HttpClient(Endpoint endpoint, HttpLimits limits)
    : endpoint_(std::move(endpoint)), limits_(limits) {}

Task<Result<HttpClient::Connection>> HttpClient::Take(bool fresh) {
  while (!fresh && !idle_.empty()) {
    auto stream = std::move(idle_.back());
    idle_.pop_back();
    if (stream->IdleAndOpen()) co_return Connection{std::move(stream), true};
  }
  CO_TRY(auto stream, co_await Connect(endpoint_, limits_.connect));
  co_return Connection{std::move(stream), false};
}

void HttpClient::Keep(std::unique_ptr<Stream> stream) {
  if (idle_.size() < limits_.idle_connections) idle_.push_back(std::move(stream));
}

Task<Result<HttpAnswer>> HttpClient::Get(HttpRequest request, std::span<std::byte> into) {
  const std::string text = Serialize(request);
  for (bool fresh = request.fresh_connection;; fresh = true) {
    CO_TRY(auto connection, co_await Take(fresh));
    auto exchange = std::make_unique<Exchange>(*connection.stream, limits_);
    bool silent = true;
    auto head = co_await exchange->Send(text);
    if (head) head = co_await exchange->ReadHead(silent);
    if (!head) {
      const bool went_stale =
          connection.reused && silent && head.error().code == ErrorCode::kUnavailable;
      if (went_stale && !co_await Stopping()) continue;
      co_return std::move(head).error();
    }
    HttpAnswer answer;
    answer.status = exchange->message().result_int();
    answer.headers = exchange->message();
    const bool success = answer.status / 100 == 2;
    std::vector<std::byte> error_space(success ? 0 : kErrorBodySpace);
    auto body = success ? co_await exchange->ReadBody(into, Exchange::IfLonger::kRefuse)
                        : co_await exchange->ReadBody(error_space, Exchange::IfLonger::kCut);
    if (success) {
      CO_TRY(answer.body_bytes, std::move(body));
    } else if (!body && body.error().code == ErrorCode::kCancelled) {
      co_return std::move(body).error();
    } else if (body) {  // else the status alone must do
      answer.error_body.assign(reinterpret_cast<const char*>(error_space.data()), *body);
    }
    if (exchange->Reusable()) Keep(std::move(connection.stream));
    co_return answer;
  }
}

}  // namespace prewarm::net
