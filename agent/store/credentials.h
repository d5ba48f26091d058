// Where the keys of an S3-like store come from.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/store/s3_location.h"
#include "agent/store/sigv4.h"
#include "common/base/result.h"

namespace prewarm::agent {

using ReadFile = std::function<std::optional<std::string>(const std::string& path)>;

// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the environment, else the
// profile AWS_PROFILE ("default") of AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials).
// kInvalidArgument says which ways there are.
Result<S3Credentials> AmbientCredentials(const Environment& environment, const ReadFile& read_file);

}  // namespace prewarm::agent
