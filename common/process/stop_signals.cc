#include "common/process/stop_signals.h"

#include <csignal>
#include <cstdlib>
#include <utility>

namespace prewarm {

StopSignals::StopSignals(const boost::asio::any_io_executor& executor,
                         std::function<void()> on_stop)
    : signals_(executor, SIGINT, SIGTERM), on_stop_(std::move(on_stop)) {
  Wait();
}

void StopSignals::Wait() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (std::exchange(received_, true)) std::_Exit(128 + signal);
    on_stop_();
    Wait();
  });
}

void StopSignals::Ignore() { signals_.cancel(); }

}  // namespace prewarm
