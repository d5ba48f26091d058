// What the answer of an S3 server, or of Google Cloud Storage's XML API, means: the bytes of an
// object, or an Error as object_store.h promises it. Computes only.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "agent/store/object_store.h"
#include "common/base/result.h"
#include "common/net/http_client.h"

namespace prewarm::agent {

// Of a request for a range: "bytes=0-99".
std::string RangeHeader(const ReadRequest& request);

// For status 2xx; `buffer` is where the body was received. Whoever stands between us and the store
// may answer 200 with something else, so that every sign of that is looked at.
Result<ObjectBytes> AcceptObject(const ReadRequest& request, const net::HttpAnswer& answer,
                                 std::span<const std::byte> buffer, bool use_checksums);

// For any other status; `store` is named in the message.
Error RefusedObject(const net::HttpAnswer& answer, const std::string& store);

// The region in which Amazon says the bucket lives; empty if it does not say.
std::string BucketRegion(const net::HttpAnswer& answer);

}  // namespace prewarm::agent
