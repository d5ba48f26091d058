// The log: one line for each change of state, `event key=value …`, to standard error. Info is what
// an operator wants to read on a good day, warn is handled but worth a look, error means that
// somebody must act. A Logger is handed to whoever logs; there is no global one. Thread-safe.
//
//   log.Info("task_done", {{"task", id}, {"bytes", bytes}});
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/process/log_field.h"

namespace spdlog {
class logger;  // NOLINT(readability-identifier-naming): the name is spdlog's
}

namespace prewarm {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };

// "debug", "info", "warn", "error"; "text", "json". kInvalidArgument names the choices.
Result<LogLevel> ParseLogLevel(std::string_view text);
Result<LogFormat> ParseLogFormat(std::string_view text);

class Logger {
 public:
  // Lines begin with the time (UTC, milliseconds) and the level. `sink` takes whole lines, without
  // a line feed, from any thread, one at a time; without one they go to standard error.
  using Sink = std::function<void(std::string_view line)>;
  explicit Logger(LogLevel level, LogFormat format = LogFormat::kText, Sink sink = nullptr);

  // The same log with fields that every line of it carries: Logger task_log = log.With({{"task",
  // id}}).
  [[nodiscard]] Logger With(LogFields fields) const;

  void Debug(std::string_view event, LogFields fields = {}) const;
  void Info(std::string_view event, LogFields fields = {}) const;
  void Warn(std::string_view event, LogFields fields = {}) const;
  void Error(std::string_view event, LogFields fields = {}) const;
  void Log(LogLevel level, std::string_view event, LogFields fields = {}) const;

  // Also for those made by With().
  void SetLevel(LogLevel level) const;
  [[nodiscard]] bool Enabled(LogLevel level) const;

 private:
  std::shared_ptr<spdlog::logger> logger_;
  LogFormat format_;
  std::string fixed_;  // fields of With, as they stand in a line
};

}  // namespace prewarm
