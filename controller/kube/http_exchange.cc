#include "controller/kube/http_exchange.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/none.hpp>
#include <boost/system/errc.hpp>
#include <charconv>
#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include "common/base/units.h"

namespace prewarm::controller::kube {
namespace {

namespace http = boost::beast::http;
using BeastText = boost::beast::string_view;
using boost::system::error_code;

constexpr std::size_t kHeadLimit = 32_KiB;
constexpr std::size_t kReadSize = 64_KiB;
// No server of ours asks for more, and a broken one may ask for a year.
constexpr long kLongestRetryAfter = 600;

std::optional<Duration> ParseRetryAfter(std::string_view text) {
  long seconds = 0;
  const auto* begin = text.begin();
  const auto [stopped, error] = std::from_chars(begin, begin + text.size(), seconds);
  if (error != std::errc() || stopped != text.end() || seconds < 0) return std::nullopt;
  return std::chrono::seconds(std::min(seconds, kLongestRetryAfter));
}

// Beast's parser, with the pieces of the body going straight to the sink.
class AnswerParser final : public http::basic_parser<false> {
 public:
  explicit AnswerParser(AnswerSink sink) : sink_(std::move(sink)) {
    eager(true);
    header_limit(kHeadLimit);
    body_limit(boost::none);
  }
  [[nodiscard]] const Status& refusal() const { return refusal_; }

 private:
  void on_request_impl(http::verb, BeastText, BeastText, int, error_code&) override {}
  void on_response_impl(int code, BeastText, int, error_code&) override {
    head_.status = static_cast<unsigned>(code);
  }
  void on_field_impl(http::field name, BeastText, BeastText value, error_code&) override {
    const std::string_view text(value.data(), value.size());
    if (name == http::field::content_type) head_.content_type = text;
    if (name == http::field::retry_after) head_.retry_after = ParseRetryAfter(text);
  }
  void on_header_impl(error_code& error) override { Note(sink_.head(head_), error); }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(BeastText body, error_code& error) override {
    Note(sink_.piece({body.data(), body.size()}), error);
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, BeastText, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastText body, error_code& error) override {
    if (!body.empty()) Note(sink_.piece({body.data(), body.size()}), error);
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  void Note(Status status, error_code& error) {
    if (status) return;
    refusal_ = std::move(status);
    error = make_error_code(boost::system::errc::operation_canceled);
  }

  const AnswerSink sink_;
  AnswerHead head_;
  Status refusal_;
};

Error NotHttp(const error_code& error) {
  return Fail(ErrorCode::kCorrupt, "the answer is not HTTP: " + error.message(),
              Reason::kNotAnObject);
}

// Parses what is in `received` and takes it away; what is left is the begin of something.
Status Parse(AnswerParser& parser, std::vector<std::byte>& received, std::size_t& size) {
  std::size_t begin = 0;
  while (begin < size && !parser.is_done()) {
    error_code error;
    const auto parsed = parser.put({received.data() + begin, size - begin}, error);
    begin += parsed;
    if (!parser.refusal()) return parser.refusal();
    if (error == http::error::need_more) break;
    if (error) return NotHttp(error);
    if (parsed == 0) break;
  }
  std::copy(received.begin() + static_cast<std::ptrdiff_t>(begin),
            received.begin() + static_cast<std::ptrdiff_t>(size), received.begin());
  size -= begin;
  return {};
}

}  // namespace

Task<Status> Exchange(net::Stream& stream, const Clock& clock, std::string request, AnswerSink sink,
                      SteadyTime deadline, ExchangeReport& report) {
  report = {};
  const auto left = [&] { return std::max<Duration>(deadline - clock.Now(), Duration(1)); };
  CO_TRY_STATUS(co_await stream.Write(std::as_bytes(std::span(request)), left()));
  AnswerParser parser(std::move(sink));
  std::vector<std::byte> received(kReadSize);
  std::size_t size = 0;  // received and not parsed
  while (!parser.is_done()) {
    if (size == received.size()) co_return NotHttp(http::error::header_limit);
    auto more = co_await stream.ReadSome(std::span(received).subspan(size), left());
    const bool ended = !more && more.error().code == ErrorCode::kUnavailable;
    if (ended && parser.got_some() && parser.is_header_done() && parser.need_eof()) {
      error_code error;
      parser.put_eof(error);
      if (error) co_return NotHttp(error);
      break;
    }
    CO_TRY(const auto count, std::move(more));
    report.silent = false;
    size += count;
    CO_TRY_STATUS(Parse(parser, received, size));
  }
  report.reusable = parser.keep_alive() && size == 0;
  co_return Status();
}

}  // namespace prewarm::controller::kube
