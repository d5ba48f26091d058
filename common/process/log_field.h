// The fields of a log line, and how they are written: `key=value` with quotes where they are
// needed, or as members of a JSON object. Pure. What others told us cannot end a line or begin a
// field.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/base/strong.h"

namespace prewarm {

enum class LogFormat : std::uint8_t { kText, kJson };

// What may stand behind a key. Texts are referred to: a value lives as long as the call. Durations
// are told in seconds, an Error by its message. A Secret does not compile.
class LogValue {
 public:
  LogValue(std::string_view text) : value_(text) {}                      // NOLINT: written in place
  LogValue(const std::string& text) : value_(std::string_view(text)) {}  // NOLINT
  LogValue(const char* text) : value_(std::string_view(text)) {}         // NOLINT
  LogValue(bool value) : value_(value) {}                                // NOLINT
  LogValue(const Error& error) : value_(std::string_view(error.message)) {}  // NOLINT
  template <std::signed_integral T>
  LogValue(T value) : value_(static_cast<std::int64_t>(value)) {}  // NOLINT
  template <std::unsigned_integral T>
  LogValue(T value) : value_(static_cast<std::uint64_t>(value)) {}  // NOLINT
  template <std::floating_point T>
  LogValue(T value) : value_(static_cast<double>(value)) {}  // NOLINT
  template <class Rep, class Period>
  LogValue(std::chrono::duration<Rep, Period> time)  // NOLINT
      : value_(std::chrono::duration<double>(time).count()) {}
  template <class Tag, class Int>
  LogValue(Strong<Tag, Int> id) : LogValue(id.value) {}  // NOLINT
  LogValue(const Secret&) = delete;

  using Value = std::variant<std::string_view, bool, std::int64_t, std::uint64_t, double>;
  [[nodiscard]] const Value& value() const { return value_; }

 private:
  Value value_;
};

struct LogField {
  std::string_view key;
  LogValue value;
};
using LogFields = std::initializer_list<LogField>;

// Appends " key=value" or ",\"key\":value".
void AppendLogField(LogFormat format, const LogField& field, std::string& line);
// The value alone: a text is quoted in JSON always, else if it is empty or has anything in it that
// could be misread.
void AppendLogValue(LogFormat format, const LogValue& value, std::string& line);

}  // namespace prewarm
