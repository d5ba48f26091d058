#include "agent/store/store_factory.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "agent/store/credentials.h"
#include "agent/store/file_store.h"
#include "agent/store/gcs_store.h"
#include "agent/store/s3_store.h"
#include "agent/store/sharded_store.h"

namespace prewarm::agent {
namespace {

constexpr std::string_view kAnonymous = "anonymous";

std::optional<std::string> ReadWholeFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Result<S3Credentials> FindCredentials(const StoreOptions& options) {
  S3Credentials found{options.access_key, options.secret_key, options.session_token};
  if (options.storage == "minio") {
    if (found.access_key.empty()) {
      found.access_key = options.environment("MINIO_ACCESS_KEY").value_or("");
    }
    if (found.secret_key.empty()) {
      found.secret_key = Secret(options.environment("MINIO_SECRET_KEY").value_or(""));
    }
  }
  if (!found.access_key.empty()) return found;
  return AmbientCredentials(options.environment, ReadWholeFile);
}

// They become header fields: a line break at the end of a mounted secret would end the header
// early.
bool FitForHeader(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

// Nothing: the requests are not to be signed.
Result<std::optional<S3Credentials>> CredentialsFor(const StoreOptions& options) {
  if (options.access_key == kAnonymous) return std::optional<S3Credentials>();
  TRY(auto found, FindCredentials(options));
  if (found.secret_key.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "there is no secret key for the access key " + found.access_key);
  }
  if (!FitForHeader(found.access_key) || !FitForHeader(found.session_token.Reveal())) {
    return Fail(ErrorCode::kInvalidArgument,
                "the access key or the session token contains a space or a line break");
  }
  return std::optional(std::move(found));
}

Error Unsupported(const std::string& storage) {
  return Fail(ErrorCode::kInvalidArgument,
              "storage \"" + storage +
                  "\" is not supported; s3, minio, gs and file are. Stores that speak S3 can be "
                  "read with --storage s3 --bucket <endpoint>/<bucket>");
}

// The volume's keys mean nothing here, as they mean nothing to the JuiceFS client.
Result<std::unique_ptr<ObjectStore>> MakeGcs(const StoreOptions& options, const std::string& bucket,
                                             const Clock& clock) {
  TRY(auto location, ParseGcsBucket(bucket, options.environment));
  std::unique_ptr<GoogleTokens> tokens;
  if (!HasGcsEmulator(options.environment)) {
    TRY(auto credentials, FindGoogleCredentials(options.environment, ReadWholeFile));
    tokens = std::make_unique<GoogleTokens>(std::move(credentials), options.google_tokens, clock);
  }
  return GcsStore::Create(std::move(location), std::move(tokens));
}

Result<std::unique_ptr<ObjectStore>> MakeOne(const StoreOptions& options, const std::string& bucket,
                                             boost::asio::thread_pool& pool, const Clock& clock) {
  if (options.storage == "file") {
    return std::unique_ptr<ObjectStore>(std::make_unique<FileStore>(bucket, pool));
  }
  if (options.storage == "gs") return MakeGcs(options, bucket, clock);
  if (options.storage != "s3" && options.storage != "minio") return Unsupported(options.storage);
  TRY(auto location, options.storage == "s3" ? ParseS3Bucket(bucket, options.environment)
                                             : ParseMinioBucket(bucket, options.environment));
  TRY(auto credentials, CredentialsFor(options));
  return S3Store::Create(std::move(location), std::move(credentials), clock);
}

}  // namespace

StoreOptions StoreOptionsFor(const juicefs::VolumeSettings& settings, Environment environment) {
  StoreOptions options{settings.storage,      settings.bucket,        settings.access_key,
                       settings.secret_key,   settings.session_token, settings.shards,
                       std::move(environment)};
  const auto id = options.environment("ACCESS_KEY").value_or("");
  if (!id.empty()) {
    options.access_key = id;
    options.secret_key = Secret(options.environment("SECRET_KEY").value_or(""));
    options.session_token = Secret(options.environment("SESSION_TOKEN").value_or(""));
  }
  return options;
}

Result<std::unique_ptr<ObjectStore>> MakeObjectStore(const StoreOptions& options,
                                                     boost::asio::thread_pool& pool,
                                                     const Clock& clock) {
  if (options.shards < 2) return MakeOne(options, options.bucket, pool, clock);
  const auto at = options.bucket.find("%d");
  if (at == std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "the bucket of a sharded volume must contain %d: " + options.bucket);
  }
  std::vector<std::unique_ptr<ObjectStore>> shards;
  for (std::uint32_t i = 0; i < options.shards; ++i) {
    std::string bucket = options.bucket;
    TRY(auto shard, MakeOne(options, bucket.replace(at, 2, std::to_string(i)), pool, clock));
    shards.push_back(std::move(shard));
  }
  return std::unique_ptr<ObjectStore>(std::make_unique<ShardedStore>(std::move(shards)));
}

}  // namespace prewarm::agent
