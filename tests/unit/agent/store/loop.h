// What tests of stores share: runs what a store does, one call after the other, on one event loop
// of the test's thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/store/object_store.h"
#include "common/async/task_group.h"

namespace prewarm::agent {

// What a call gave, with the bytes in it.
struct Got {
  Result<ObjectBytes> result;
  std::string bytes;
};

class Loop {
 public:
  // `space` is the size of the buffer.
  Got Read(ObjectStore& store, const ReadRequest& request, std::size_t space = 1 << 20) {
    return std::move(ReadAll(store, {request}, space).front());
  }

  // All at once.
  std::vector<Got> ReadAll(ObjectStore& store, const std::vector<ReadRequest>& requests,
                           std::size_t space = 1 << 20) {
    std::vector<Got> got(requests.size(), Got{ObjectBytes{}, std::string(space, '\0')});
    TaskGroup group(context_.get_executor());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      group.Spawn("read", Call(store, requests[i], got[i]));
    }
    context_.restart();
    context_.run();
    return got;
  }

  boost::asio::io_context& context() { return context_; }

 private:
  static Task<void> Call(ObjectStore& store, ReadRequest request, Got& got) {
    got.result = co_await store.Read(request, std::as_writable_bytes(std::span(got.bytes)));
    got.bytes.resize(got.result ? got.result->size : 0);
  }

  boost::asio::io_context context_{1};
};

// Bytes that differ from place to place.
inline std::string SomeBytes(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 1;
  for (auto& byte : bytes) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

inline ReadRequest Whole(std::string_view key) {
  ReadRequest request;
  request.key = key;
  return request;
}

inline ReadRequest Range(std::string_view key, std::uint64_t offset, std::uint64_t length) {
  ReadRequest request = Whole(key);
  request.offset = offset;
  request.length = length;
  return request;
}

}  // namespace prewarm::agent
