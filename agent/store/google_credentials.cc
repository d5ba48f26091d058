#include "agent/store/google_credentials.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <memory>
#include <optional>
#include <vector>

namespace prewarm::agent {
namespace {

namespace json = boost::json;

constexpr const char* kFileVariable = "GOOGLE_APPLICATION_CREDENTIALS";
constexpr const char* kUserFile = "/.config/gcloud/application_default_credentials.json";
constexpr const char* kAudience = "https://storage.googleapis.com/";
constexpr auto kSelfSignedLifetime = std::chrono::hours(1);

Error Unusable(const std::string& path, const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument,
              "the Google credentials in " + path + " cannot be used: " + why +
                  "; name the key file of a service account in " + kFileVariable +
                  ", or run where a metadata server gives out tokens (Workload Identity)");
}

std::optional<json::object> ObjectIn(std::string_view text) {
  boost::system::error_code error;
  auto value = json::parse(text, error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

std::string TextOf(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : "";
}

Result<GoogleCredentials> ReadKeyFile(const std::string& path, std::string_view text) {
  const auto object = ObjectIn(text);
  if (!object) return Unusable(path, "it is not a JSON object");
  if (const auto type = TextOf(*object, "type"); type != "service_account") {
    return Unusable(path, "its type is \"" + type + "\", not service_account");
  }
  ServiceAccountKey key{TextOf(*object, "client_email"), TextOf(*object, "private_key_id"),
                        Secret(TextOf(*object, "private_key"))};
  if (key.email.empty() || key.private_key.empty()) {
    return Unusable(path, "it lacks client_email or private_key");
  }
  return GoogleCredentials(std::move(key));
}

// "host" or "host:port".
Result<GoogleCredentials> MetadataServerAt(const std::string& text) {
  MetadataServer server{text};
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return GoogleCredentials(std::move(server));
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, server.port);
  if (error != std::errc{} || stop != end || server.port == 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "GCE_METADATA_HOST: \"" + text + "\" is not HOST or HOST:PORT");
  }
  server.host = text.substr(0, colon);
  return GoogleCredentials(std::move(server));
}

// Base64 for URLs, without padding.
std::string Base64Url(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  while (text.ends_with('=')) text.pop_back();
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

// RSASSA-PKCS1-v1_5 with SHA-256; nothing if the key is none.
std::optional<std::string> SignRs256(const Secret& pem, std::string_view text) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.Reveal().data(), static_cast<int>(pem.Reveal().size())), &BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  if (key == nullptr || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) return std::nullopt;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(key.get())), '\0');
  std::size_t size = signature.size();
  const bool done =
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
  if (!done) return std::nullopt;
  signature.resize(size);
  return signature;
}

}  // namespace

Result<GoogleCredentials> FindGoogleCredentials(const Environment& environment,
                                                const ReadFile& read_file) {
  if (const auto path = environment(kFileVariable).value_or(""); !path.empty()) {
    const auto text = read_file(path);
    if (!text) return Unusable(path, std::string("there is no such file (") + kFileVariable + ")");
    return ReadKeyFile(path, *text);
  }
  const auto user_file = environment("HOME").value_or("") + kUserFile;
  if (const auto text = read_file(user_file)) return ReadKeyFile(user_file, *text);
  const auto host = environment("GCE_METADATA_HOST").value_or("");
  return MetadataServerAt(host.empty() ? "metadata.google.internal" : host);
}

Result<GoogleToken> SelfSignedToken(const ServiceAccountKey& key, WallTime now) {
  const auto issued = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  const json::object header{{"alg", "RS256"}, {"typ", "JWT"}, {"kid", key.key_id}};
  const json::object claims{{"iss", key.email},
                            {"sub", key.email},
                            {"aud", kAudience},
                            {"iat", issued.count()},
                            {"exp", (issued + kSelfSignedLifetime).count()}};
  auto token = Base64Url(json::serialize(header)) + "." + Base64Url(json::serialize(claims));
  const auto signature = SignRs256(key.private_key, token);
  if (!signature) {
    return Fail(ErrorCode::kInvalidArgument,
                "the private_key of service account " + key.email + " is not an RSA key in PEM");
  }
  return GoogleToken{Secret(token + "." + Base64Url(*signature)), kSelfSignedLifetime};
}

Result<GoogleToken> ReadMetadataToken(std::string_view body) {
  const auto object = ObjectIn(body);
  GoogleToken token;
  if (object) {
    token.text = Secret(TextOf(*object, "access_token"));
    const auto* lifetime = object->if_contains("expires_in");
    if (lifetime != nullptr && lifetime->is_int64()) {
      token.lifetime =
          std::chrono::seconds(std::clamp<std::int64_t>(lifetime->as_int64(), 0, 86400));
    }
  }
  // It becomes a header.
  const bool fit =
      std::ranges::all_of(token.text.Reveal(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (token.text.empty() || !fit || token.lifetime == std::chrono::seconds::zero()) {
    return Fail(ErrorCode::kCorrupt, "the metadata server's answer is not an access token",
                Reason::kNotAnObject);
  }
  return token;
}

}  // namespace prewarm::agent
