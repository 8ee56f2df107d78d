#include "core/glob.h"

#include <cstddef>
#include <vector>

namespace stoker {
namespace {

/// One step of a pattern: a star, or a test of one character.
struct Step {
  enum class Kind { kOne, kStar, kDoubleStar } kind = Kind::kOne;
  std::string_view set;  ///< for kOne: "?", a character, or "[...]" with its brackets
};

/// Where the "[...]" that starts at `open` ends (one past the bracket); `open` when it has no end.
std::size_t SetEnd(std::string_view pattern, std::size_t open) {
  std::size_t at = open + 1;
  if (at < pattern.size() && pattern[at] == '!') ++at;
  // A bracket that comes first is a member.
  const std::size_t close = pattern.find(']', at + 1);
  return close == std::string_view::npos ? open : close + 1;
}

std::vector<Step> Parse(std::string_view pattern) {
  std::vector<Step> steps;
  for (std::size_t at = 0; at < pattern.size();) {
    if (pattern[at] == '*') {
      const bool twice = at + 1 < pattern.size() && pattern[at + 1] == '*';
      steps.push_back({twice ? Step::Kind::kDoubleStar : Step::Kind::kStar, {}});
      at += twice ? 2 : 1;
      continue;
    }
    std::size_t end = pattern[at] == '[' ? SetEnd(pattern, at) : at;
    if (pattern[at] == '\\' && at + 1 < pattern.size()) end = at + 2;
    if (end == at) end = at + 1;
    steps.push_back({Step::Kind::kOne, pattern.substr(at, end - at)});
    at = end;
  }
  return steps;
}

bool InSet(std::string_view set, char c) {
  set = set.substr(1, set.size() - 2);
  const bool negated = set.starts_with('!');
  if (negated) set.remove_prefix(1);
  const auto byte = [](char x) { return static_cast<unsigned char>(x); };
  for (std::size_t i = 0; i < set.size(); ++i) {
    const bool range = i + 2 < set.size() && set[i + 1] == '-';
    const char high = range ? set[i + 2] : set[i];
    if (byte(c) >= byte(set[i]) && byte(c) <= byte(high)) return !negated && c != '/';
    if (range) i += 2;
  }
  return negated && c != '/';
}

bool Matches(std::string_view set, char c) {
  if (set == "?") return c != '/';
  if (set.size() > 2) return InSet(set, c);
  return set.back() == c;
}

}  // namespace

bool GlobMatch(std::string_view pattern, std::string_view text) {
  // The steps that may come next after each character; a set, so that nothing is tried twice.
  const std::vector<Step> steps = Parse(pattern);
  std::vector<bool> next(steps.size() + 1);
  const auto reach = [&](std::vector<bool>& states, std::size_t at) {
    for (; !states[at]; ++at) {
      states[at] = true;
      if (at == steps.size() || steps[at].kind == Step::Kind::kOne) break;
    }
  };
  reach(next, 0);
  std::vector<bool> now;
  for (const char c : text) {
    now.swap(next);
    next.assign(steps.size() + 1, false);
    for (std::size_t at = 0; at < steps.size(); ++at) {
      if (!now[at]) continue;
      const Step& step = steps[at];
      if (step.kind == Step::Kind::kOne) {
        if (Matches(step.set, c)) reach(next, at + 1);
      } else if (step.kind == Step::Kind::kDoubleStar || c != '/') {
        reach(next, at);
      }
    }
  }
  return next[steps.size()];
}

}  // namespace stoker
