// Objects in a folder: JuiceFS's `file` storage.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <string>

#include "agent/store/object_store.h"

namespace prewarm::agent {

class FileStore final : public ObjectStore {
 public:
  // `folder` is the volume's Bucket. Blocking calls run on `pool`.
  FileStore(std::string folder, boost::asio::thread_pool& pool);

  // Keys with ".." components are refused: kInvalidArgument.
  Task<Result<ObjectBytes>> Read(ReadRequest request, std::span<std::byte> into) override;
  [[nodiscard]] std::string Describe() const override;

 private:
  [[nodiscard]] Result<ObjectBytes> ReadHere(const ReadRequest& request,
                                             std::span<std::byte> into) const;

  const std::string folder_;
  boost::asio::thread_pool& pool_;
};

}  // namespace prewarm::agent
