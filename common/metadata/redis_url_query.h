// The part of a metadata URL behind "?": the JuiceFS client's own parameters, and those of its
// Redis library, which concern a pool and retries that we do not have and are passed over.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/metadata/redis_url.h"

namespace prewarm::metadata {

// Sets timeouts and TLS options of `url`; TLS options without TLS mean nothing. Names may be spelt
// with "-" or "_". The answer is the value of `db`, if given. kInvalidArgument names the parameter.
Result<std::optional<std::string>> ApplyQuery(std::string_view query, RedisUrl& url);

}  // namespace prewarm::metadata
