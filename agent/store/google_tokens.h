// Tokens for Google Cloud Storage, got when they are needed and kept while they are good.
#pragma once

#include <memory>
#include <optional>

#include "agent/store/google_credentials.h"
#include "common/async/guarded.h"
#include "common/async/signal.h"
#include "common/async/task.h"
#include "common/net/http_client.h"

namespace prewarm::agent {

// The token of a volume, shared by its stores. Thread-safe.
class GoogleTokenCache {
 public:
  std::optional<Secret> Get(SteadyTime now);
  void Put(Secret token, SteadyTime until);
  // If it is still this one: the store did not take it.
  void Drop(const Secret& token);

 private:
  struct Kept {
    Secret token;
    SteadyTime until{};
  };
  Guarded<Kept> kept_;
};

// Of one store, on its executor; calls may overlap.
class GoogleTokens {
 public:
  GoogleTokens(GoogleCredentials credentials, std::shared_ptr<GoogleTokenCache> cache,
               const Clock& clock, net::HttpLimits limits = {});

  // kUnavailable, kTimeout: the metadata server does not answer (now). kPermission: it gives out no
  // token here. The same error for a second, so that many who ask do not ask it each.
  Task<Result<Secret>> Get();
  void Drop(const Secret& token) { cache_->Drop(token); }

 private:
  Task<Result<GoogleToken>> Fetch();
  Task<Result<GoogleToken>> Ask(const MetadataServer& server);

  const GoogleCredentials credentials_;
  const std::shared_ptr<GoogleTokenCache> cache_;
  const Clock& clock_;
  std::optional<net::HttpClient> metadata_;  // where credentials_ are a metadata server
  bool fetching_ = false;
  std::optional<Signal> fetched_;
  std::optional<Error> failure_;
  SteadyTime failure_until_{};
};

}  // namespace prewarm::agent
