// SIGINT and SIGTERM as an orderly stop: the first one asks, the second one ends the process at
// once. Nothing needs cleaning up after the second: unnamed files vanish with the process.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/signal_set.hpp>
#include <functional>

namespace prewarm {

class StopSignals {
 public:
  // `on_stop` runs on the executor, once.
  StopSignals(const boost::asio::any_io_executor& executor, std::function<void()> on_stop);
  // Lets the event loop run dry.
  void Ignore();
  [[nodiscard]] bool received() const { return received_; }

 private:
  void Wait();

  boost::asio::signal_set signals_;
  std::function<void()> on_stop_;
  bool received_ = false;
};

}  // namespace prewarm
