#include "common/process/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <utility>

#include "common/async/guarded.h"

namespace prewarm {
namespace {

constexpr std::array<std::string_view, 4> kLevelNames{"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 2> kFormatNames{"text", "json"};

template <class Choice, std::size_t kCount>
Result<Choice> ParseChoice(std::string_view text, const std::array<std::string_view, kCount>& all) {
  std::string choices;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (text == all[i]) return static_cast<Choice>(i);
    choices.append(i == 0 ? "" : ", ").append(all[i]);
  }
  return Fail(ErrorCode::kInvalidArgument, "\"" + std::string(text) + "\" is none of " + choices);
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  constexpr std::array kLevels{spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                               spdlog::level::err};
  return kLevels.at(static_cast<std::size_t>(level));
}

class FunctionSink final : public spdlog::sinks::sink {
 public:
  explicit FunctionSink(Logger::Sink sink) {
    state_.With([&sink](State& state) { state.sink = std::move(sink); });
  }

  void log(const spdlog::details::log_msg& message) override {
    state_.With([&message](const State& state) {
      spdlog::memory_buf_t line;
      state.formatter->format(message, line);
      state.sink({line.data(), line.size()});
    });
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    state_.With([&formatter](State& state) { state.formatter = std::move(formatter); });
  }

 private:
  struct State {
    Logger::Sink sink;
    std::unique_ptr<spdlog::formatter> formatter;  // of use by one thread at a time
  };
  Guarded<State> state_;
};

// The time is spdlog's, the rest of the line is ours.
std::unique_ptr<spdlog::formatter> MakeFormatter(LogFormat format, bool line_feed) {
  const std::string pattern = format == LogFormat::kJson ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})"
                                                         : "%Y-%m-%dT%H:%M:%S.%eZ %v";
  return std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc,
                                                     line_feed ? "\n" : "");
}

std::string BeginLine(LogFormat format, LogLevel level, std::string_view event) {
  const std::string_view name = kLevelNames.at(static_cast<std::size_t>(level));
  std::string line;
  if (format == LogFormat::kJson) {
    line.append(R"("level":")").append(name).append(R"(","event":)");
  } else {
    line.append(name).append(" ");
  }
  AppendLogValue(format, event, line);
  return line;
}

}  // namespace

Result<LogLevel> ParseLogLevel(std::string_view text) {
  return ParseChoice<LogLevel>(text, kLevelNames);
}

Result<LogFormat> ParseLogFormat(std::string_view text) {
  return ParseChoice<LogFormat>(text, kFormatNames);
}

Logger::Logger(LogLevel level, LogFormat format, Sink sink) : format_(format) {
  const bool to_stderr = !sink;
  std::shared_ptr<spdlog::sinks::sink> target;
  if (to_stderr) {
    target = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    target = std::make_shared<FunctionSink>(std::move(sink));
  }
  target->set_formatter(MakeFormatter(format, to_stderr));
  logger_ = std::make_shared<spdlog::logger>("", std::move(target));
  SetLevel(level);
}

Logger Logger::With(LogFields fields) const {
  Logger narrower(*this);
  for (const LogField& field : fields) AppendLogField(format_, field, narrower.fixed_);
  return narrower;
}

void Logger::Log(LogLevel level, std::string_view event, LogFields fields) const {
  if (!Enabled(level)) return;
  std::string line = BeginLine(format_, level, event);
  line += fixed_;
  for (const LogField& field : fields) AppendLogField(format_, field, line);
  logger_->log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

void Logger::Debug(std::string_view event, LogFields fields) const {
  Log(LogLevel::kDebug, event, fields);
}
void Logger::Info(std::string_view event, LogFields fields) const {
  Log(LogLevel::kInfo, event, fields);
}
void Logger::Warn(std::string_view event, LogFields fields) const {
  Log(LogLevel::kWarn, event, fields);
}
void Logger::Error(std::string_view event, LogFields fields) const {
  Log(LogLevel::kError, event, fields);
}

void Logger::SetLevel(LogLevel level) const { logger_->set_level(ToSpdlog(level)); }
bool Logger::Enabled(LogLevel level) const { return logger_->should_log(ToSpdlog(level)); }

}  // namespace prewarm
