#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stoker {

/// ASCII, locale-free text helpers.
[[nodiscard]] std::string ToLower(std::string_view text);
[[nodiscard]] bool EqualsIgnoreCase(std::string_view a, std::string_view b);
[[nodiscard]] std::string_view Trim(std::string_view text);
/// Split at every `separator`; empty parts are kept ("a,,b" gives three parts, "" gives one).
[[nodiscard]] std::vector<std::string_view> Split(std::string_view text, char separator);

/// The candidate nearest to `word` by edit distance, for "did you mean"; when none is near
/// (distance over a third of the word's length, and over 2) the first that starts with the word;
/// else empty.
[[nodiscard]] std::string_view NearestWord(std::string_view word,
                                           std::span<const std::string_view> candidates);

/// A finite number as short as reads back the same ("10", "0.1"), in the C locale whatever the
/// process's locale is.
[[nodiscard]] std::string FormatNumber(double value);

}  // namespace stoker
