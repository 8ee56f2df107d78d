#include "core/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace stoker {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

void AppendJsonString(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xFU];
    } else {
      out += c;
    }
  }
  out += '"';
}

/// Values with a space, quote or control character are quoted, so that a line stays one line.
void AppendTextValue(std::string& out, std::string_view value) {
  const bool plain =
      !value.empty() && value.find_first_of(" \"\t\r\n\\=") == std::string_view::npos;
  if (plain) {
    out += value;
  } else {
    AppendJsonString(out, value);
  }
}

class StderrLogger final : public Logger {
 public:
  StderrLogger(LogFormat format, LogLevel minimum)
      : format_(format), sink_("stoker", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    sink_.set_level(ToSpdlog(minimum));
    if (format == LogFormat::kJson) {
      // The message is the inner part of the object; see Write.
      sink_.set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})",
                        spdlog::pattern_time_type::utc);
    } else {
      sink_.set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-5l %v", spdlog::pattern_time_type::utc);
    }
    sink_.flush_on(spdlog::level::debug);
  }

  void Write(LogLevel level,
             std::string_view message,
             std::initializer_list<LogField> fields) override {
    std::string line;
    if (format_ == LogFormat::kJson) {
      line += "\"message\":";
      AppendJsonString(line, message);
      for (const LogField& field : fields) {
        line += ',';
        AppendJsonString(line, field.key);
        line += ':';
        AppendJsonString(line, field.value);
      }
    } else {
      line += message;
      for (const LogField& field : fields) {
        line += ' ';
        line += field.key;
        line += '=';
        AppendTextValue(line, field.value);
      }
    }
    sink_.log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
  }

 private:
  LogFormat format_;
  spdlog::logger sink_;
};

}  // namespace

std::unique_ptr<Logger> MakeStderrLogger(LogFormat format, LogLevel minimum) {
  return std::make_unique<StderrLogger>(format, minimum);
}

}  // namespace stoker
