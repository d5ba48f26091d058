#include "agent/store/s3_store.h"

#include <array>
#include <charconv>
#include <utility>

namespace prewarm::agent {
namespace {

namespace http = boost::beast::http;

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

template <class Int>
std::optional<Int> Number(std::string_view text) {
  Int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Four bytes in base64, as x-amz-checksum-crc32c has them; composite checksums of multipart uploads
// ("…-7") do not cover the whole object and are no checksum of it.
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

// What JuiceFS stored beside the object, or what the store computed by itself.
std::optional<std::uint32_t> StoredCrc(const net::HttpAnswer& answer) {
  if (const auto crc = Number<std::uint32_t>(Header(answer, "x-amz-meta-crc32c"))) return crc;
  return Base64Crc(Header(answer, "x-amz-checksum-crc32c"));
}

Error NotAnObject(const std::string& why) {
  return Fail(ErrorCode::kCorrupt, "the answer is not the object: " + why, Reason::kNotAnObject);
}

}  // namespace

Result<std::unique_ptr<ObjectStore>> S3Store::Create(S3Location location,
                                                     std::optional<S3Credentials> credentials,
                                                     const Clock& clock) {
  std::shared_ptr<boost::asio::ssl::context> tls;
  if (location.tls) {
    TRY(tls, net::MakeTlsContext({location.ca_file, location.certificate_file, location.key_file,
                                  location.verify_tls}));
  }
  std::unique_ptr<S3Store> store(
      new S3Store(std::move(location), std::move(credentials), std::move(tls), clock));
  store->MakeClient();
  return std::unique_ptr<ObjectStore>(std::move(store));
}

S3Store::S3Store(S3Location location, std::optional<S3Credentials> credentials,
                 std::shared_ptr<boost::asio::ssl::context> tls, const Clock& clock)
    : location_(std::move(location)),
      credentials_(std::move(credentials)),
      tls_(std::move(tls)),
      clock_(clock) {}

void S3Store::MakeClient() {
  client_.emplace(net::Endpoint{location_.ConnectHost(), location_.port, tls_, ""},
                  net::HttpLimits{});
}

std::string S3Store::Describe() const {
  return "bucket " + location_.bucket + " at " + location_.host + ":" +
         std::to_string(location_.port);
}

Task<Result<ObjectBytes>> S3Store::Read(ReadRequest request, std::span<std::byte> into) {
  auto answer = co_await Get(request, into);
  if (answer && answer->status / 100 != 2 && LearnRegion(*answer)) {
    answer = co_await Get(request, into);
  }
  CO_TRY(const auto got, std::move(answer));
  if (got.status / 100 != 2) co_return Refusal(got);
  co_return Accept(request, got);
}

Task<Result<net::HttpAnswer>> S3Store::Get(const ReadRequest& request, std::span<std::byte> into) {
  net::HttpRequest get;
  get.host = location_.HostHeader();
  get.target = location_.PathPrefix() + "/" + EncodePath(request.key);
  get.fresh_connection = request.fresh_connection;
  HttpHeaders headers;
  if (request.length) {
    headers.emplace_back("range", "bytes=" + std::to_string(request.offset) + "-" +
                                      std::to_string(request.offset + *request.length - 1));
  } else if (location_.aws && location_.checksums) {
    headers.emplace_back("x-amz-checksum-mode", "ENABLED");
  }
  if (credentials_) {
    SigningInput input;
    input.host = get.host;
    input.path = get.target;
    input.headers = std::move(headers);
    get.headers = SignV4(std::move(input), *credentials_, location_.region, clock_.WallNow());
  } else {
    get.headers = std::move(headers);
  }
  co_return co_await client_->Get(std::move(get), into);
}

Result<ObjectBytes> S3Store::Accept(const ReadRequest& request,
                                    const net::HttpAnswer& answer) const {
  const auto encoding = Header(answer, "content-encoding");
  if (!encoding.empty() && encoding != "identity" && encoding != "aws-chunked") {
    return NotAnObject("it is encoded as " + std::string(encoding));
  }
  ObjectBytes object;
  object.size = answer.body_bytes;
  if (request.length) {
    const std::string expected = "bytes " + std::to_string(request.offset) + "-" +
                                 std::to_string(request.offset + *request.length - 1) + "/";
    if (answer.status != 206 || !Header(answer, "content-range").starts_with(expected) ||
        answer.body_bytes != *request.length) {
      return NotAnObject("another range than was asked for");
    }
    return object;
  }
  if (answer.status != 200) return NotAnObject("status " + std::to_string(answer.status));
  // Error pages of proxies come with 200 and a type of their own; JuiceFS's objects never have one.
  const auto type = Header(answer, "content-type");
  if (type.starts_with("text/html")) return NotAnObject("a page of type text/html");
  if (location_.checksums) object.crc32c = StoredCrc(answer);
  return object;
}

bool S3Store::LearnRegion(const net::HttpAnswer& answer) {
  const std::string region(Header(answer, "x-amz-bucket-region"));
  if (!location_.aws || region.empty() || region == location_.region) return false;
  if (const auto at = location_.host.find(location_.region); at != std::string::npos) {
    location_.host.replace(at, location_.region.size(), region);
  } else {
    location_.host = "s3." + region + ".amazonaws.com";
  }
  location_.region = region;
  location_.region_known = true;
  MakeClient();
  return true;
}

Error S3Store::Refusal(const net::HttpAnswer& answer) const {
  const std::string code = Element(answer.error_body, "Code");
  const std::string text = Element(answer.error_body, "Message");
  std::string message = Describe() + " answers " + std::to_string(answer.status);
  if (!code.empty()) message += " " + code;
  if (!text.empty()) message += " (" + text + ")";
  switch (answer.status) {
    case 404:
      if (code == "NoSuchBucket") return Fail(ErrorCode::kNotFound, message);
      return Fail(ErrorCode::kNotFound, message, Reason::kNotFound);
    case 400:
    case 401:
    case 403: return Fail(ErrorCode::kPermission, message, Reason::kAccessDenied);
    case 301:
    case 302:
    case 307:
    case 308:
      return Fail(ErrorCode::kPermission,
                  message + ": the bucket is in another region or at another endpoint",
                  Reason::kAccessDenied);
    case 408: return Fail(ErrorCode::kUnavailable, message, Reason::kTimeout);
    case 429:
    case 503: return Fail(ErrorCode::kUnavailable, message, Reason::kThrottled);
    default:
      if (answer.status >= 500) return Fail(ErrorCode::kUnavailable, message, Reason::kServerError);
      return NotAnObject("status " + std::to_string(answer.status));
  }
}

}  // namespace prewarm::agent
