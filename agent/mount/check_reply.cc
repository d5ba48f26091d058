#include "agent/mount/check_reply.h"

#include <boost/json.hpp>
#include <charconv>
#include <utility>

namespace prewarm::agent {
namespace {

namespace json = boost::json;

constexpr std::uint32_t kFillCache = 1004;  // the operation that warms, evicts or checks
constexpr std::uint8_t kForeground = 0;
constexpr std::uint8_t kCheck = 2;
// Zero would hang the job in the client, and early 1.2 clients may start the square of it. A check
// only looks at names, so few workers are fast enough.
constexpr std::uint16_t kWorkers = 8;

constexpr unsigned char kProgress = 0xfe;
constexpr unsigned char kResult = 0xff;
constexpr std::size_t kProgressFrame = 1 + 8 + 8;  // files and bytes so far
constexpr std::size_t kResultHead = 1 + 4;
constexpr std::size_t kLongestResult = 1 << 20;  // a few numbers, and one for each cache directory

template <class Number>
void Append(std::string& bytes, Number value) {
  for (int shift = (static_cast<int>(sizeof value) - 1) * 8; shift >= 0; shift -= 8) {
    bytes += static_cast<char>((value >> shift) & 0xff);
  }
}

std::uint32_t BigEndian32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

Error Odd(const std::string& what) {
  return Fail(ErrorCode::kCorrupt, "the client's answer to a check " + what);
}

Result<std::uint64_t> Number(const json::object& document, std::string_view name) {
  const json::value* value = document.if_contains(name);
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0) {
    return Odd("has no number " + std::string(name));
  }
  return static_cast<std::uint64_t>(value->get_int64());
}

Result<CacheCount> ReadResult(std::string_view text) {
  boost::system::error_code error;
  const json::value document = json::parse(text, error);
  if (error || !document.is_object()) return Odd("is not a JSON object");
  CacheCount count;
  TRY(count.files, Number(document.get_object(), "FileCount"));
  TRY(count.total_bytes, Number(document.get_object(), "TotalBytes"));
  TRY(count.missing_bytes, Number(document.get_object(), "MissBytes"));
  if (count.missing_bytes > count.total_bytes) return Odd("misses more than it counts");
  return count;
}

std::optional<unsigned> TakeNumber(std::string_view& text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool Take(std::string_view& text, char expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

bool AnswersChecks(std::string_view version) {
  const auto major = TakeNumber(version);
  if (!major || !Take(version, '.')) return false;
  const auto minor = TakeNumber(version);
  if (!minor || !Take(version, '.')) return false;
  const auto patch = TakeNumber(version);
  if (major != 1U || !patch || *minor < 2) return false;
  // Some of what was called 1.2.0-dev or -beta was built before there were checks.
  const bool before_release = *minor == 2 && *patch == 0 && version.starts_with('-');
  return !before_release;
}

std::string CheckRequest(std::span<const std::string> paths) {
  std::string list;
  for (const auto& path : paths) {
    if (!list.empty()) list += '\n';
    list += path;
  }
  std::string body;
  Append(body, static_cast<std::uint32_t>(list.size()));
  body += list;
  Append(body, kWorkers);
  Append(body, kForeground);
  Append(body, kCheck);
  std::string message;
  Append(message, kFillCache);
  Append(message, static_cast<std::uint32_t>(body.size()));
  return message + body;
}

Result<std::optional<std::size_t>> CheckReply::FrameLength() const {
  const auto kind = static_cast<unsigned char>(bytes_.front());
  if (kind == kProgress) return kProgressFrame;
  if (kind == 0) return Odd("ends without a result");
  if (kind != kResult) return ErrnoError(kind, "the client's check");
  if (bytes_.size() < kResultHead) return std::nullopt;
  const std::size_t length = BigEndian32(std::string_view(bytes_).substr(1));
  if (length > kLongestResult) return Odd("is " + std::to_string(length) + " bytes long");
  return kResultHead + length;
}

Status CheckReply::Feed(std::string_view bytes) {
  if (count_) return {};
  bytes_ += bytes;
  while (!bytes_.empty()) {
    TRY(const auto length, FrameLength());
    if (!length || bytes_.size() < *length) return {};
    if (static_cast<unsigned char>(bytes_.front()) == kResult) {
      TRY(count_, ReadResult(std::string_view(bytes_).substr(kResultHead, *length - kResultHead)));
      return {};
    }
    bytes_.erase(0, *length);
  }
  return {};
}

}  // namespace prewarm::agent
