// The volumes that the controller has described, each opened once, when its first task needs it,
// and anew when its description changes. Lives on the control executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/tasks/open_volume.h"
#include "common/async/signal.h"
#include "common/async/task.h"

namespace prewarm::agent {

class VolumeTable {
 public:
  // `pool` opens; it outlives the tasks that wait here.
  VolumeTable(boost::asio::any_io_executor executor, boost::asio::thread_pool& pool,
              CacheConfig config, Environment environment);

  // Tasks that began with an older description finish with it.
  void Describe(VolumeDescriptor descriptor);
  // kNotFound: not described. Else as OpenVolume::Open; a failure is tried again at the next call.
  Task<Result<std::shared_ptr<OpenVolume>>> Get(std::string name);
  // The next Get opens it anew: its directories are not what they were.
  void Close(const std::string& name);

  // Every cache directory of the configuration and of the descriptions.
  [[nodiscard]] std::vector<std::string> Directories() const;

 private:
  struct Entry {
    explicit Entry(const boost::asio::any_io_executor& executor) : opened(executor) {}
    VolumeDescriptor descriptor;
    std::shared_ptr<OpenVolume> volume;
    bool opening = false;
    Signal opened;
  };

  boost::asio::any_io_executor executor_;
  boost::asio::thread_pool& pool_;
  const CacheConfig config_;
  const Environment environment_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;
};

}  // namespace prewarm::agent
