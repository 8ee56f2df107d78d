#pragma once

#include <string_view>

namespace stoker {

/// Whether `pattern` matches all of `text`: `*` stands for any run of characters but "/", `**` also
/// for
/// "/", `?` for one character but "/", `[a-z]` and `[!a-z]` for one of or none of these, `\` takes
/// the next character as it is. Byte-wise, locale-free, at most |pattern| x |text| steps, no
/// recursion: a pattern may come from anybody.
[[nodiscard]] bool GlobMatch(std::string_view pattern, std::string_view text);

}  // namespace stoker
