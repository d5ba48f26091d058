// A real server started by a test: killed with the test, output kept in a file.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace prewarm::rig {

class ChildProcess {
 public:
  // Starts argv[0] (searched in PATH) with extra environment "NAME=value"; stdout and stderr go to
  // `log_path`. The child dies with this process.
  ChildProcess(std::vector<std::string> argv, std::string log_path,
               std::vector<std::string> environment = {});
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();  // SIGKILL

  void Signal(int signal);
  int Wait();  // exit code, or 128 + signal
  [[nodiscard]] bool Running();
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string Log() const;

 private:
  pid_t pid_ = -1;
  int exit_code_ = -1;
  std::string log_path_;
};

// A port that was free a moment ago, for servers that cannot take port 0 and tell. Below those that
// the kernel hands out: one of these would be somebody else's by the time that a slow server
// listens.
std::uint16_t FreePort();
bool AcceptsConnections(std::uint16_t port);
// Polls until `ready` or the deadline; false at the deadline.
bool WaitFor(const std::function<bool()>& ready,
             std::chrono::milliseconds deadline = std::chrono::seconds(10));

}  // namespace prewarm::rig
