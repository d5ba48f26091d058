// How a program proves to Google Cloud who it is: Application Default Credentials, as the JuiceFS
// client finds them. Sources: "How Application Default Credentials works" (Google Cloud);
// google.aip.dev/auth/4111 (self-signed JWT); "About VM metadata", "Workload Identity Federation
// for GKE". Pure: environment and files are handed in.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "agent/store/credentials.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/secret.h"

namespace prewarm::agent {

// The file that "gcloud iam service-accounts keys create" writes.
struct ServiceAccountKey {
  std::string email;
  std::string key_id;
  Secret private_key;  // PEM
};

// Gives out tokens for the service account of the machine, or of the pod by Workload Identity.
struct MetadataServer {
  std::string host;
  std::uint16_t port = 80;
};

using GoogleCredentials = std::variant<ServiceAccountKey, MetadataServer>;

// The file GOOGLE_APPLICATION_CREDENTIALS, else the one that gcloud keeps for the user, else the
// metadata server at GCE_METADATA_HOST (metadata.google.internal). kInvalidArgument names the file
// that cannot be used and what would be right.
Result<GoogleCredentials> FindGoogleCredentials(const Environment& environment,
                                                const ReadFile& read_file);

struct GoogleToken {
  Secret text;  // for "Authorization: Bearer"
  std::chrono::seconds lifetime{};
};

// A token that Cloud Storage takes in place of one that Google has issued. kInvalidArgument: the
// private key is none.
Result<GoogleToken> SelfSignedToken(const ServiceAccountKey& key, WallTime now);

// What to ask the metadata server for, and its answer. kCorrupt: it is not a token; the text is not
// in the message.
inline constexpr const char* kMetadataTokenPath =
    "/computeMetadata/v1/instance/service-accounts/default/token";
Result<GoogleToken> ReadMetadataToken(std::string_view body);

}  // namespace prewarm::agent
