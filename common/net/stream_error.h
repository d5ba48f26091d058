// What went wrong on a stream, as the caller's Error. For the streams' own files.
#pragma once

#include <boost/system/error_code.hpp>
#include <string>

#include "common/base/result.h"

namespace prewarm::net {

// An operation that failed: "<what> <peer>: <why>"; `peer` is "host:port" or a path.
Error StreamError(const boost::system::error_code& error, const std::string& what,
                  const std::string& peer);

// Nothing has come in that nobody has read.
bool NothingToRead(int socket);

}  // namespace prewarm::net
