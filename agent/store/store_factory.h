// Makes the store of a volume from its settings and what the operator overrode.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "agent/store/google_tokens.h"
#include "agent/store/object_store.h"
#include "agent/store/s3_location.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/juicefs/volume_settings.h"

namespace prewarm::agent {

struct StoreOptions {
  std::string storage;  // lower case: "s3", "minio", "gs", "file"
  std::string bucket;   // as in the volume's setting, query parameters included
  std::string access_key;
  Secret secret_key;
  Secret session_token;
  std::uint32_t shards = 0;
  Environment environment;
  // Of the stores that are made from these options, and from copies of them.
  std::shared_ptr<GoogleTokenCache> google_tokens = std::make_shared<GoogleTokenCache>();
};

// The volume's own settings, with ACCESS_KEY, SECRET_KEY and SESSION_TOKEN of the environment
// before them, as the JuiceFS client does it.
StoreOptions StoreOptionsFor(const juicefs::VolumeSettings& settings, Environment environment);

// kInvalidArgument: a kind of store that is not supported (the message lists those that are), a
// bucket text that cannot be understood, no credentials. kInvalidConfig: unusable TLS files.
// The store lives on the executor that first calls it; `pool` does its blocking calls.
Result<std::unique_ptr<ObjectStore>> MakeObjectStore(const StoreOptions& options,
                                                     boost::asio::thread_pool& pool,
                                                     const Clock& clock);

}  // namespace prewarm::agent
