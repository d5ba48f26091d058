#include "agent/store/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace prewarm::agent {
namespace {

using Digest = std::array<unsigned char, 32>;

std::string Hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string AsText(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string Sha256(std::string_view text) {
  Digest digest{};
  EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return AsText(digest);
}

std::string HmacSha256(std::string_view key, std::string_view text) {
  Digest digest{};
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), nullptr);
  return AsText(digest);
}

std::string Timestamp(WallTime now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 20> text{};
  std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &utc);
  return text.data();
}

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

}  // namespace

HttpHeaders SignV4(SigningInput input, const S3Credentials& credentials, std::string_view region,
                   WallTime now) {
  const std::string timestamp = Timestamp(now);
  const std::string date = timestamp.substr(0, 8);
  const std::string scope = date + "/" + std::string(region) + "/s3/aws4_request";

  HttpHeaders sent = std::move(input.headers);
  sent.emplace_back("x-amz-content-sha256", input.payload_hash);
  sent.emplace_back("x-amz-date", timestamp);
  if (!credentials.session_token.empty()) {
    sent.emplace_back("x-amz-security-token", credentials.session_token.Reveal());
  }

  HttpHeaders canonical = sent;
  canonical.emplace_back("host", input.host);
  for (auto& [name, value] : canonical) name = Lower(name);
  std::ranges::sort(canonical);
  std::string header_lines;
  std::string signed_names;
  for (const auto& [name, value] : canonical) {
    header_lines.append(name).append(":").append(value).append("\n");
    signed_names += (signed_names.empty() ? "" : ";") + name;
  }
  const std::string request = input.method + "\n" + input.path + "\n" + input.query + "\n" +
                              header_lines + "\n" + signed_names + "\n" + input.payload_hash;
  const std::string to_sign =
      "AWS4-HMAC-SHA256\n" + timestamp + "\n" + scope + "\n" + Hex(Sha256(request));

  std::string key = HmacSha256("AWS4" + credentials.secret_key.Reveal(), date);
  key = HmacSha256(key, region);
  key = HmacSha256(key, "s3");
  key = HmacSha256(key, "aws4_request");
  sent.emplace_back("Authorization", "AWS4-HMAC-SHA256 Credential=" + credentials.access_key + "/" +
                                         scope + ",SignedHeaders=" + signed_names +
                                         ",Signature=" + Hex(HmacSha256(key, to_sign)));
  return sent;
}

std::string EncodePath(std::string_view path) {
  constexpr std::string_view kPlain = "-._~/";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text;
  text.reserve(path.size() + 16);
  for (const char c : path) {
    const bool alphanumeric =
        (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (alphanumeric || kPlain.find(c) != std::string_view::npos) {
      text += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    text += '%';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace prewarm::agent
