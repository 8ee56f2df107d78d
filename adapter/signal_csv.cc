#include "adapter/signal_csv.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "core/text.h"
#include "core/units.h"

namespace stoker::adapter {
namespace {

/// The cells of a line, without blanks and quotes around them.
std::vector<std::string_view> Cells(std::string_view line) {
  std::vector<std::string_view> cells = Split(line, ',');
  for (std::string_view& cell : cells) {
    cell = Trim(cell);
    if (cell.size() >= 2 && cell.starts_with('"') && cell.ends_with('"')) {
      cell = Trim(cell.substr(1, cell.size() - 2));
    }
  }
  return cells;
}

std::optional<WallTime> ReadTime(std::string_view cell) {
  if (const Result<WallTime> time = ParseTime(cell)) return *time;
  constexpr double kFarthest = 1e11;  // some 3,000 years either way
  const Result<double> seconds = ParseNumber(cell);
  if (!seconds || std::abs(*seconds) > kFarthest) return std::nullopt;
  return WallTime(Duration(std::llround(*seconds * 1000)));
}

std::optional<Reading> ReadCell(std::string_view cell, WallTime time) {
  Reading reading;
  reading.time = time;
  if (cell.empty()) {
    reading.kind = Reading::Kind::kEmpty;
  } else if (!EqualsIgnoreCase(cell, "fault") && !EqualsIgnoreCase(cell, "nan")) {
    const Result<double> value = ParseNumber(cell);
    if (!value) return std::nullopt;
    reading.kind = Reading::Kind::kValue;
    reading.value = *value;
  }
  return reading;
}

}  // namespace

Result<SignalColumns> ParseSignalCsv(std::string_view text, const std::string& source) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::size_t number = 0;
  const auto fail = [&](const std::string& problem) {
    return Fail(ErrorCode::kInvalidArgument,
                source + ":" + std::to_string(number) + ": " + problem);
  };
  std::vector<std::string> names;
  std::vector<std::vector<Reading>> columns;
  for (const std::string_view line : Split(text, '\n')) {
    ++number;
    if (Trim(line).empty()) continue;
    const std::vector<std::string_view> cells = Cells(line);
    if (names.empty()) {
      if (cells.size() < 2 || cells[0] != "time") {
        return fail("expected a header such as `time,backlog`; name the columns after the signals");
      }
      names.assign(cells.begin() + 1, cells.end());
      for (auto name = names.begin(); name != names.end(); ++name) {
        if (name->empty()) return fail("a column has no name");
        if (std::find(names.begin(), name, *name) != name) {
          return fail("column '" + *name + "' is there twice; remove one");
        }
      }
      columns.resize(names.size());
      continue;
    }
    if (cells.size() != names.size() + 1) {
      return fail(std::to_string(cells.size()) + " cells where the header has " +
                  std::to_string(names.size() + 1));
    }
    const std::optional<WallTime> time = ReadTime(cells[0]);
    if (!time) return fail("expected a time as 2026-01-05T08:00:00Z or in seconds since 1970");
    if (!columns[0].empty() && *time <= columns[0].back().time) {
      return fail("its time is not after that of the row before; sort the rows");
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::optional<Reading> reading = ReadCell(cells[i + 1], *time);
      if (!reading) {
        return fail("column '" + names[i] + "': expected a number, nothing, or `fault`");
      }
      columns[i].push_back(*reading);
    }
  }
  if (names.empty() || columns[0].empty()) {
    number = std::max<std::size_t>(number, 1);
    return fail("no rows; expected a header such as `time,backlog` and rows under it");
  }
  SignalColumns result;
  for (std::size_t i = 0; i < names.size(); ++i) result[names[i]] = std::move(columns[i]);
  return result;
}

std::vector<Reading> ReadingsAt(const std::vector<Reading>& rows,
                                const scalers::SlotSpan& span,
                                Duration row_age) {
  std::vector<Reading> readings;
  std::size_t after = 0;  // rows before it are at or before the slot
  for (WallTime slot = span.first; slot <= span.last; slot += span.interval) {
    while (after < rows.size() && rows[after].time <= slot) ++after;
    if (after == 0) continue;
    Reading reading = rows[after - 1];
    if (slot - reading.time > row_age) reading = Reading{};
    reading.time = slot;
    readings.push_back(reading);
  }
  return readings;
}

}  // namespace stoker::adapter
