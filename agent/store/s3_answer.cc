#include "agent/store/s3_answer.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace prewarm::agent {
namespace {

std::string_view Header(const net::HttpAnswer& answer, std::string_view name) {
  const auto found = answer.headers.find({name.data(), name.size()});
  if (found == answer.headers.end()) return {};
  return {found->value().data(), found->value().size()};
}

// The text of the first <name> element of an S3 error document.
std::string Element(std::string_view xml, const std::string& name) {
  const auto begin = xml.find("<" + name + ">");
  if (begin == std::string_view::npos) return {};
  const auto text = begin + name.size() + 2;
  const auto end = xml.find("</", text);
  return std::string(xml.substr(text, end == std::string_view::npos ? 0 : end - text));
}

// Takes a number from the front of `text`, and with it what follows if that is `end`.
std::optional<std::uint64_t> TakeNumber(std::string_view& text, std::string_view end) {
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  if (!text.starts_with(end)) return std::nullopt;
  text.remove_prefix(end.size());
  return value;
}

std::optional<std::uint32_t> DecimalCrc(std::string_view text) {
  const auto value = TakeNumber(text, "");
  if (!value || *value > UINT32_MAX || !text.empty()) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

// Four bytes, the highest first. Composite checksums of multipart uploads ("…-7") are longer; they
// do not cover the whole object.
std::optional<std::uint32_t> Base64Crc(std::string_view text) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() != 8 || !text.ends_with("==")) return std::nullopt;
  std::uint64_t bits = 0;
  for (const char c : text.substr(0, 6)) {
    const auto digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | digit;
  }
  return static_cast<std::uint32_t>(bits >> 4);
}

// GCS: "x-goog-hash: crc32c=n03x6A==,md5=…", in one header or several.
std::optional<std::uint32_t> GoogleCrc(const net::HttpAnswer& answer) {
  constexpr std::string_view kName = "crc32c=";
  const auto [begin, end] = answer.headers.equal_range("x-goog-hash");
  for (auto header = begin; header != end; ++header) {
    const std::string_view value(header->value().data(), header->value().size());
    const auto at = value.find(kName);
    if (at == std::string_view::npos) continue;
    const auto text = value.substr(at + kName.size());
    return Base64Crc(text.substr(0, text.find(',')));
  }
  return std::nullopt;
}

// What JuiceFS put beside the object, else what the store computed by itself.
std::optional<std::uint32_t> StoredCrc(const net::HttpAnswer& answer) {
  if (const auto crc = DecimalCrc(Header(answer, "x-amz-meta-crc32c"))) return crc;
  if (const auto crc = Base64Crc(Header(answer, "x-amz-checksum-crc32c"))) return crc;
  return GoogleCrc(answer);
}

Error NotAnObject(const std::string& why) {
  return Fail(ErrorCode::kCorrupt, "the answer is not the object: " + why, Reason::kNotAnObject);
}

bool IsPageType(std::string_view type) {
  return type.starts_with("text/html") || type.starts_with("text/xml") ||
         type.starts_with("application/xml") || type.starts_with("application/xhtml");
}

// Error pages of proxies, and S3's own errors that come after it has promised success.
bool LooksLikeAPage(const net::HttpAnswer& answer, std::span<const std::byte> body) {
  if (!IsPageType(Header(answer, "content-type"))) return false;
  const std::string_view text(reinterpret_cast<const char*>(body.data()),
                              std::min<std::size_t>(body.size(), 64));
  const auto first = text.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  return first != std::string_view::npos && text[first] == '<';
}

Status CheckRange(const ReadRequest& request, const net::HttpAnswer& answer) {
  const auto text = std::string(Header(answer, "content-range"));
  if (answer.status != 206) return NotAnObject("the whole instead of a range");
  std::string_view rest = text;
  const bool bytes = rest.starts_with("bytes ");
  rest.remove_prefix(bytes ? 6 : 0);
  const auto first = TakeNumber(rest, "-");
  const auto last = TakeNumber(rest, "/");
  if (!bytes || !first || !last || *first != request.offset || *last < *first ||
      *last - *first + 1 != answer.body_bytes || answer.body_bytes > *request.length) {
    return NotAnObject("the range \"" + text + "\", which was not asked for");
  }
  if (answer.body_bytes < *request.length) {
    return Fail(ErrorCode::kCorrupt, "the object ends before the range does: \"" + text + "\"",
                Reason::kWrongLength);
  }
  return {};
}

// Else it is the bucket, or something that some server needs to find anything at all: versitygw
// says 404 XAdminUserNotFound for an unknown access key.
bool IsMissingObject(std::string_view code) {
  return code.empty() || code == "NotFound" ||
         (code.starts_with("NoSuch") && code != "NoSuchBucket");
}

Error BadRequest(const std::string& code, std::string message) {
  if (code == "RequestTimeout") {
    return Fail(ErrorCode::kUnavailable, std::move(message), Reason::kTimeout);
  }
  return Fail(ErrorCode::kPermission, std::move(message), Reason::kAccessDenied);
}

// Redirects are not followed: who can redirect us could send us anywhere.
Error Elsewhere(const net::HttpAnswer& answer, std::string message) {
  message += ": the bucket is not here";
  if (const auto region = BucketRegion(answer); !region.empty()) {
    message += ", but in region " + region;
  } else if (const auto endpoint = Element(answer.error_body, "Endpoint"); !endpoint.empty()) {
    message += ", but at " + endpoint;
  } else if (const auto location = Header(answer, "location"); !location.empty()) {
    message += ", but at " + std::string(location);
  }
  return Fail(ErrorCode::kPermission, std::move(message), Reason::kAccessDenied);
}

}  // namespace

std::string RangeHeader(const ReadRequest& request) {
  return "bytes=" + std::to_string(request.offset) + "-" +
         std::to_string(request.offset + *request.length - 1);
}

Result<ObjectBytes> AcceptObject(const ReadRequest& request, const net::HttpAnswer& answer,
                                 std::span<const std::byte> buffer, bool use_checksums) {
  const auto encoding = Header(answer, "content-encoding");
  // "aws-chunked" is left behind by uploads that were signed in chunks; it says nothing of the
  // bytes.
  if (!encoding.empty() && encoding != "identity" && encoding != "aws-chunked") {
    return NotAnObject("it is encoded as " + std::string(encoding));
  }
  ObjectBytes object;
  object.size = answer.body_bytes;
  if (request.length) {
    TRY_STATUS(CheckRange(request, answer));
    return object;
  }
  if (answer.status != 200) return NotAnObject("status " + std::to_string(answer.status));
  const auto crc = StoredCrc(answer);
  if (!crc && LooksLikeAPage(answer, buffer.first(answer.body_bytes))) {
    return NotAnObject("a page of type " + std::string(Header(answer, "content-type")));
  }
  if (use_checksums) object.crc32c = crc;
  return object;
}

Error RefusedObject(const net::HttpAnswer& answer, const std::string& store) {
  const std::string code = Element(answer.error_body, "Code");
  const std::string text = Element(answer.error_body, "Message");
  std::string message = store + " answers " + std::to_string(answer.status);
  if (!code.empty()) message += " " + code;
  if (!text.empty()) message += " (" + text + ")";
  switch (answer.status) {
    case 404:
      return Fail(ErrorCode::kNotFound, std::move(message),
                  IsMissingObject(code) ? Reason::kNotFound : Reason::kUnspecified);
    case 400: return BadRequest(code, std::move(message));
    case 401:
    case 403: return Fail(ErrorCode::kPermission, std::move(message), Reason::kAccessDenied);
    case 301:
    case 302:
    case 303:
    case 307:
    case 308: return Elsewhere(answer, std::move(message));
    case 408: return Fail(ErrorCode::kUnavailable, std::move(message), Reason::kTimeout);
    case 416:
      return Fail(ErrorCode::kCorrupt, message + ": the object ends before the range begins",
                  Reason::kWrongLength);
    case 429:
    case 503: return Fail(ErrorCode::kUnavailable, std::move(message), Reason::kThrottled);
    default:
      if (answer.status >= 500) {
        return Fail(ErrorCode::kUnavailable, std::move(message), Reason::kServerError);
      }
      return Fail(ErrorCode::kCorrupt, std::move(message), Reason::kNotAnObject);
  }
}

std::string BucketRegion(const net::HttpAnswer& answer) {
  std::string region(Header(answer, "x-amz-bucket-region"));
  if (region.empty()) region = Element(answer.error_body, "Region");
  // It becomes part of a host's name.
  const bool plain = std::ranges::all_of(
      region, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  return plain ? region : "";
}

}  // namespace prewarm::agent
