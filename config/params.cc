#include "config/params.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "core/units.h"

namespace stoker::config {
namespace {

constexpr std::string_view kFromEnv = "FromEnv";
constexpr char kQuote = '\'';

const char* KindName(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kScalar:
      return "text";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "a map";
  }
  return "nothing";
}

template <class Names>
std::string Join(const Names& names) {
  std::string text;
  for (const auto& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

/// `key` for a message; keys come from callers too.
std::string QuotedKey(std::string_view key) {
  const std::string quoted = Node::Scalar(std::string(key), {}, "").Quoted();
  return quoted.starts_with(kQuote) ? quoted : "(too long or not printable)";
}

bool WithinBounds(const Node& node,
                  const Param& param,
                  double value,
                  const std::function<std::string(double)>& render,
                  Diagnostics& diagnostics) {
  if (param.above_min && value <= param.min) {
    return Refuse(node, "must be above " + render(param.min), diagnostics);
  }
  if (value < param.min) {
    return Refuse(node, "must be at least " + render(param.min), diagnostics);
  }
  if (value > param.max) {
    return Refuse(node, "must be at most " + render(param.max), diagnostics);
  }
  return true;
}

/// Reads a scalar with `parse` and checks its bounds as a double made by `measure`.
template <class F, class Parse, class Measure>
bool ReadBounded(const Node& node,
                 const Param& param,
                 Parse parse,
                 Measure measure,
                 const std::function<std::string(double)>& render,
                 F& out,
                 Diagnostics& diagnostics) {
  // A list or map has no text, and "" makes every parser say what it expects.
  const auto parsed = parse(node.scalar());
  if (!parsed) return Refuse(node, parsed.error().message, diagnostics);
  if (!WithinBounds(node, param, measure(*parsed), render, diagnostics)) return false;
  out = F(*parsed);
  return true;
}

bool CheckChoice(const Node& node,
                 const Param& param,
                 const std::string& text,
                 Diagnostics& diagnostics) {
  const auto& choices = param.choices;
  if (choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end()) {
    return true;
  }
  const std::vector<std::string_view> candidates(choices.begin(), choices.end());
  const std::string_view nearest = NearestWord(text, candidates);
  // A confidential text must not be guessed at either.
  const std::string hint = node.confidential() || nearest.empty()
                               ? ""
                               : "; did you mean '" + std::string(nearest) + "'?";
  return Refuse(node, "expected one of " + Join(choices), diagnostics, hint);
}

}  // namespace

bool Refuse(const Node& node,
            const std::string& expected,
            Diagnostics& diagnostics,
            std::string_view hint) {
  std::string message = expected;
  if (!node.IsScalar()) {
    message += std::string(", got ") + KindName(node.kind());
  } else if (const std::string quoted = node.Quoted(); quoted.starts_with('\'')) {
    message += ", got " + quoted;
  }
  diagnostics.Add(node, message.append(hint));
  return false;
}

bool ReadValue(const Node& node, const Param& param, std::string& out, Diagnostics& diagnostics) {
  if (!node.IsScalar()) {
    return Refuse(
        node,
        param.choices.empty() ? "expected text" : "expected one of " + Join(param.choices),
        diagnostics);
  }
  if (param.non_empty && Trim(node.scalar()).empty()) {
    diagnostics.Add(node, "must not be empty");
    return false;
  }
  if (!CheckChoice(node, param, node.scalar(), diagnostics)) return false;
  out = node.scalar();
  return true;
}

bool ReadValue(const Node& node, const Param& /*param*/, bool& out, Diagnostics& diagnostics) {
  const Result<bool> parsed = ParseBool(node.scalar());
  if (!node.IsScalar() || !parsed) return Refuse(node, "expected true or false", diagnostics);
  out = *parsed;
  return true;
}

bool ReadValue(const Node& node, const Param& param, int& out, Diagnostics& diagnostics) {
  std::int64_t wide = 0;
  if (!ReadValue(node, param, wide, diagnostics)) return false;
  if (wide < std::numeric_limits<int>::min() || wide > std::numeric_limits<int>::max()) {
    return Refuse(node, "the number is out of range", diagnostics);
  }
  out = static_cast<int>(wide);
  return true;
}

bool ReadValue(const Node& node, const Param& param, std::int64_t& out, Diagnostics& diagnostics) {
  return ReadBounded(
      node,
      param,
      ParseInteger,
      [](std::int64_t value) { return static_cast<double>(value); },
      FormatNumber,
      out,
      diagnostics);
}

bool ReadValue(const Node& node, const Param& param, double& out, Diagnostics& diagnostics) {
  return ReadBounded(
      node, param, ParseNumber, [](double value) { return value; }, FormatNumber, out, diagnostics);
}

bool ReadValue(const Node& node, const Param& param, Duration& out, Diagnostics& diagnostics) {
  return ReadBounded(
      node,
      param,
      ParseDuration,
      [](Duration value) { return std::chrono::duration<double>(value).count(); },
      [](double seconds) { return FormatDuration(Duration(std::llround(seconds * 1000))); },
      out,
      diagnostics);
}

bool ReadValue(const Node& node, const Param& param, Bytes& out, Diagnostics& diagnostics) {
  return ReadBounded(
      node,
      param,
      ParseBytes,
      [](std::int64_t value) { return static_cast<double>(value); },
      [](double bytes) { return FormatSparkBytes(std::llround(bytes)); },
      out,
      diagnostics);
}

bool ReadValue(const Node& node, const Param& param, Percent& out, Diagnostics& diagnostics) {
  return ReadBounded(
      node,
      param,
      ParsePercent,
      [](double fraction) { return fraction; },
      [](double fraction) { return FormatNumber(fraction * 100) + "%"; },
      out,
      diagnostics);
}

bool ReadValue(const Node& node,
               const Param& param,
               std::vector<std::string>& out,
               Diagnostics& diagnostics) {
  std::vector<std::string> read;
  if (node.from_metadata() && node.IsScalar()) {
    for (const std::string_view part : Split(node.scalar(), ',')) {
      if (const std::string_view item = Trim(part); !item.empty()) read.emplace_back(item);
    }
  } else if (node.IsList()) {
    for (const Node& item : node.items()) {
      if (!item.IsScalar()) return Refuse(item, "expected text", diagnostics);
      read.push_back(item.scalar());
    }
  } else {
    return Refuse(node, "expected a list such as [a, b]", diagnostics);
  }
  if (param.non_empty && read.empty()) {
    diagnostics.Add(node, "must not be empty");
    return false;
  }
  for (const std::string& item : read) {
    if (!CheckChoice(node, param, item, diagnostics)) return false;
  }
  out = std::move(read);
  return true;
}

bool ReadValue(const Node& node,
               const Param& param,
               std::map<std::string, std::string>& out,
               Diagnostics& diagnostics) {
  std::map<std::string, std::string> read;
  if (node.from_metadata() && node.IsScalar()) {
    for (const std::string_view part : Split(node.scalar(), ',')) {
      if (Trim(part).empty()) continue;
      const std::size_t equals = part.find('=');
      const std::string_view key = Trim(part.substr(0, equals));
      if (equals == std::string_view::npos || key.empty() ||
          !read.emplace(key, Trim(part.substr(equals + 1))).second) {
        return Refuse(node, "expected pairs such as a=1,b=2, each key once", diagnostics);
      }
    }
  } else if (node.IsMap()) {
    for (const Node::Entry& entry : node.entries()) {
      if (!entry.value.IsScalar()) return Refuse(entry.value, "expected text", diagnostics);
      read.emplace(entry.key, entry.value.scalar());
    }
  } else {
    return Refuse(node, "expected a map such as {a: b}", diagnostics);
  }
  if (param.non_empty && read.empty()) {
    diagnostics.Add(node, "must not be empty");
    return false;
  }
  out = std::move(read);
  return true;
}

const ParamInfo* FindParam(const std::vector<ParamInfo>& infos,
                           std::string_view key,
                           bool from_metadata) {
  const auto find = [&infos](std::string_view name) -> const ParamInfo* {
    for (const ParamInfo& info : infos) {
      const auto& aliases = info.param.aliases;
      if (info.key == name || std::find(aliases.begin(), aliases.end(), name) != aliases.end()) {
        return &info;
      }
    }
    return nullptr;
  };
  const ParamInfo* found = find(key);
  if (found == nullptr && from_metadata && key.ends_with(kFromEnv)) {
    found = find(key.substr(0, key.size() - kFromEnv.size()));
  }
  return found;
}

std::string UnknownKeyMessage(std::string_view key, const std::vector<ParamInfo>& infos) {
  std::vector<std::string_view> names;
  for (const ParamInfo& info : infos) names.push_back(info.key);
  std::vector<std::string_view> spellings = names;
  for (const ParamInfo& info : infos) {
    spellings.insert(spellings.end(), info.param.aliases.begin(), info.param.aliases.end());
  }
  const std::string start = "unknown key " + QuotedKey(key);
  const std::string_view nearest = NearestWord(key, spellings);
  if (!nearest.empty()) return start + "; did you mean '" + std::string(nearest) + "'?";
  if (names.empty()) return start + "; no keys are known here";
  return start + "; known keys: " + Join(names);
}

void ParamWalker::Declare(ParamInfo info, Reader reader) {
  infos_.push_back(std::move(info));
  readers_.push_back(std::move(reader));
}

void ParamWalker::Include(const ParamWalker& part, const std::function<void*(void*)>& narrow) {
  for (std::size_t i = 0; i < part.infos_.size(); ++i) {
    Declare(
        part.infos_[i],
        [read = part.readers_[i], narrow](const Node& value, void* out, Diagnostics& diagnostics) {
          read(value, narrow(out), diagnostics);
        });
  }
}

bool ParamWalker::Walk(const Node& node, void* out, Diagnostics& diagnostics) const {
  const std::size_t before = diagnostics.items().size();
  if (!node.IsMap() && !node.IsNull()) {
    return Refuse(node, "expected a map of keys", diagnostics);
  }
  std::vector<const Node::Entry*> given(infos_.size(), nullptr);
  for (const Node::Entry& entry : node.entries()) {
    const ParamInfo* info = FindParam(infos_, entry.key, node.from_metadata());
    if (info == nullptr) {
      diagnostics.Add(entry.key_position, node.path(), UnknownKeyMessage(entry.key, infos_));
      continue;
    }
    if (entry.value.IsNull()) continue;
    const auto index = static_cast<std::size_t>(info - infos_.data());
    if (given[index] == nullptr) {
      given[index] = &entry;
      readers_[index](entry.value, out, diagnostics);
      continue;
    }
    std::string first = given[index]->key;
    std::string second = entry.key;
    if (second == info->key) std::swap(first, second);
    const auto& aliases = info->param.aliases;
    const bool alias =
        first == info->key && std::find(aliases.begin(), aliases.end(), second) != aliases.end();
    diagnostics.Add(entry.key_position,
                    node.path(),
                    "'" + first + "' and " + (alias ? "its alias '" : "'") + second +
                        "' are both given; keep one");
  }
  for (std::size_t i = 0; i < infos_.size(); ++i) {
    if (infos_[i].param.required && given[i] == nullptr) {
      diagnostics.Add(node, "missing required key '" + infos_[i].key + "'");
    }
  }
  return diagnostics.items().size() == before;
}

}  // namespace stoker::config
