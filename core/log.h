#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "core/clock.h"

namespace stoker {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kText, kJson };

struct LogField {
  std::string_view key;  ///< snake_case
  std::string value;
};

/// The log. Levels by audience: debug for maintainers, info for engineers, warn and error for
/// operators, whose lines say what happened, the consequence and the remedy. A line per change of
/// state, never per poll. No secret and no value of a metadata key. Thread-safe.
class Logger {
 public:
  virtual ~Logger() = default;
  virtual void Write(LogLevel level,
                     std::string_view message,
                     std::initializer_list<LogField> fields) = 0;

  void Debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kDebug, message, fields);
  }
  void Info(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kInfo, message, fields);
  }
  void Warn(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kWarn, message, fields);
  }
  void Error(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kError, message, fields);
  }
};

/// Logs to stderr through spdlog: text `TIME LEVEL message key=value ...` or one JSON object a
/// line.
std::unique_ptr<Logger> MakeStderrLogger(LogFormat format, LogLevel minimum);

}  // namespace stoker
