#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/node.h"
#include "core/clock.h"

namespace stoker::config {

/// One declared parameter. Parsing, "did you mean", the JSON schema and the reference page are all
/// made from these.
struct Param {
  std::string help;  ///< one sentence for the reference page
  bool required = false;
  std::string fallback{};  ///< the default as people would write it; documentation only, the value
                           ///< is the field's own initializer
  std::vector<std::string> aliases{};
  std::vector<std::string> choices{};                     ///< for strings: the only values allowed
  double min = -std::numeric_limits<double>::infinity();  ///< numbers and durations (in seconds)
  double max = std::numeric_limits<double>::infinity();
  bool above_min = false;  ///< the bound itself is not allowed (target sizes > 0)
  bool non_empty = false;  ///< strings and lists
  std::string example{};
};

/// What a parameter takes, for schema and docs.
enum class ParamType {
  kString,
  kInteger,
  kNumber,
  kBool,
  kDuration,
  kBytes,
  kPercent,
  kStringList,
  kStringMap,
  kObject,
  kObjectMap,
  kCustom
};

/// A parameter as the generators see it.
struct ParamInfo {
  std::string key;
  ParamType type = ParamType::kString;
  Param param;
  std::vector<ParamInfo> children;  ///< of an object, or of each value of an object map
};

/// An amount of bytes / a fraction, as field types of their own so that the parser knows what to
/// read.
struct Bytes {
  std::int64_t value = 0;
};
struct Percent {
  double fraction = 0;  ///< 0.25 for "25%"
};

// Readers of one value; they add a diagnostic and return false when it does not fit.
bool ReadValue(const Node& node, const Param& param, std::string& out, Diagnostics& diagnostics);
bool ReadValue(const Node& node, const Param& param, bool& out, Diagnostics& diagnostics);
bool ReadValue(const Node& node, const Param& param, int& out, Diagnostics& diagnostics);
bool ReadValue(const Node& node, const Param& param, std::int64_t& out, Diagnostics& diagnostics);
bool ReadValue(const Node& node, const Param& param, double& out, Diagnostics& diagnostics);
bool ReadValue(const Node& node, const Param& param, Duration& out, Diagnostics& diagnostics);
bool ReadValue(const Node& node, const Param& param, Bytes& out, Diagnostics& diagnostics);
bool ReadValue(const Node& node, const Param& param, Percent& out, Diagnostics& diagnostics);
/// A YAML list, or "a,b" in metadata.
bool ReadValue(const Node& node,
               const Param& param,
               std::vector<std::string>& out,
               Diagnostics& diagnostics);
/// A YAML map of scalars, or "k=v,k=v" in metadata.
bool ReadValue(const Node& node,
               const Param& param,
               std::map<std::string, std::string>& out,
               Diagnostics& diagnostics);
template <class F>
bool ReadValue(const Node& node,
               const Param& param,
               std::optional<F>& out,
               Diagnostics& diagnostics) {
  F value{};
  if (!ReadValue(node, param, value, diagnostics)) return false;
  out = std::move(value);
  return true;
}

template <class F>
struct ParamTypeOf;
template <>
struct ParamTypeOf<std::string> {
  static constexpr auto kType = ParamType::kString;
};
template <>
struct ParamTypeOf<bool> {
  static constexpr auto kType = ParamType::kBool;
};
template <>
struct ParamTypeOf<int> {
  static constexpr auto kType = ParamType::kInteger;
};
template <>
struct ParamTypeOf<std::int64_t> {
  static constexpr auto kType = ParamType::kInteger;
};
template <>
struct ParamTypeOf<double> {
  static constexpr auto kType = ParamType::kNumber;
};
template <>
struct ParamTypeOf<Duration> {
  static constexpr auto kType = ParamType::kDuration;
};
template <>
struct ParamTypeOf<Bytes> {
  static constexpr auto kType = ParamType::kBytes;
};
template <>
struct ParamTypeOf<Percent> {
  static constexpr auto kType = ParamType::kPercent;
};
template <>
struct ParamTypeOf<std::vector<std::string>> {
  static constexpr auto kType = ParamType::kStringList;
};
template <>
struct ParamTypeOf<std::map<std::string, std::string>> {
  static constexpr auto kType = ParamType::kStringMap;
};
template <class F>
struct ParamTypeOf<std::optional<F>> : ParamTypeOf<F> {};

/// The enum that a field of an AddChoice holds.
template <class E>
struct ChoiceOf {
  using Type = E;
};
template <class E>
struct ChoiceOf<std::optional<E>> {
  using Type = E;
};

/// The parameter that `key` means: by name or alias, and in metadata also with `FromEnv` behind
/// either. nullptr when none.
const ParamInfo* FindParam(const std::vector<ParamInfo>& infos,
                           std::string_view key,
                           bool from_metadata);

/// "unknown key 'trehsold'; did you mean 'threshold'?", or the keys there are.
std::string UnknownKeyMessage(std::string_view key, const std::vector<ParamInfo>& infos);

/// Add "EXPECTED, got 'text'HINT"; without the text when the node is confidential. Returns false.
bool Refuse(const Node& node,
            const std::string& expected,
            Diagnostics& diagnostics,
            std::string_view hint = {});

/// Type-independent half of ParamTable: walks a map node against declared keys.
class ParamWalker {
 public:
  using Reader = std::function<void(const Node& value, void* out, Diagnostics& diagnostics)>;
  void Declare(ParamInfo info, Reader reader);
  /// Declares all that `part` does; `narrow` finds in our `out` what it fills.
  void Include(const ParamWalker& part, const std::function<void*(void*)>& narrow);
  /// False when a diagnostic was added. A null value counts as not given. Adds one for: not a map,
  /// unknown key (with the nearest one), a key given twice under two spellings, a required key that
  /// is missing.
  bool Walk(const Node& node, void* out, Diagnostics& diagnostics) const;
  [[nodiscard]] const std::vector<ParamInfo>& infos() const { return infos_; }

 private:
  std::vector<ParamInfo> infos_;
  std::vector<Reader> readers_;
};

/// Declares how a map fills a struct:
///
///   static const auto kTable = ParamTable<Query>()
///       .Add("query", &Query::text, {.help = "PromQL, an instant query.", .required = true})
///       .Add("threshold", &Query::threshold, {.help = "...", .min = 0, .above_min = true});
///   Query query;
///   kTable.Read(node, query, diagnostics);
///
/// Immutable once built; thread-safe to read with.
template <class T>
class ParamTable {
 public:
  template <class F>
  ParamTable& Add(std::string key, F T::*field, Param param) {
    walker_.Declare(ParamInfo{std::move(key), ParamTypeOf<F>::kType, param, {}},
                    [field, param](const Node& value, void* out, Diagnostics& diagnostics) {
                      ReadValue(value, param, static_cast<T*>(out)->*field, diagnostics);
                    });
    return *this;
  }

  /// An enum, or an optional one: the text must be one of `names`.
  template <class Field>
  ParamTable& AddChoice(std::string key,
                        Field T::*field,
                        std::vector<std::pair<std::string, typename ChoiceOf<Field>::Type>> names,
                        Param param) {
    for (const auto& [name, value] : names) param.choices.push_back(name);
    walker_.Declare(ParamInfo{std::move(key), ParamType::kString, param, {}},
                    [field, param, names](const Node& value, void* out, Diagnostics& diagnostics) {
                      std::string text;
                      if (!ReadValue(value, param, text, diagnostics)) return;
                      for (const auto& [name, choice] : names) {
                        if (name == text) static_cast<T*>(out)->*field = choice;
                      }
                    });
    return *this;
  }

  /// A nested map with a table of its own. `table` is copied.
  template <class U>
  ParamTable& AddObject(std::string key, U T::*field, const ParamTable<U>& table, Param param) {
    walker_.Declare(ParamInfo{std::move(key), ParamType::kObject, param, table.infos()},
                    [field, table](const Node& value, void* out, Diagnostics& diagnostics) {
                      table.Read(value, static_cast<T*>(out)->*field, diagnostics);
                    });
    return *this;
  }
  template <class U>
  ParamTable& AddObject(std::string key,
                        std::optional<U> T::*field,
                        const ParamTable<U>& table,
                        Param param) {
    walker_.Declare(ParamInfo{std::move(key), ParamType::kObject, param, table.infos()},
                    [field, table](const Node& value, void* out, Diagnostics& diagnostics) {
                      U read{};
                      if (table.Read(value, read, diagnostics)) {
                        static_cast<T*>(out)->*field = std::move(read);
                      }
                    });
    return *this;
  }

  /// The keys of `table` too, in this same map; they fill `part` of the struct. `table` is copied.
  template <class U>
  ParamTable& Include(U T::*part, const ParamTable<U>& table) {
    walker_.Include(table.walker_,
                    [part](void* out) -> void* { return &(static_cast<T*>(out)->*part); });
    return *this;
  }

  /// Anything else: `read` fills the struct and adds its own diagnostics.
  ParamTable& AddCustom(std::string key,
                        Param param,
                        std::function<void(const Node&, T&, Diagnostics&)> read,
                        ParamType type = ParamType::kCustom) {
    walker_.Declare(
        ParamInfo{std::move(key), type, std::move(param), {}},
        [read = std::move(read)](const Node& value, void* out, Diagnostics& diagnostics) {
          read(value, *static_cast<T*>(out), diagnostics);
        });
    return *this;
  }

  /// A key that people know from elsewhere and that is not taken here; `remedy` says what to do
  /// instead.
  ParamTable& AddRefused(std::string key, const std::string& remedy) {
    return AddCustom(
        std::move(key),
        {.help = "Not taken: " + remedy + "."},
        [remedy](const Node& node, T&, Diagnostics& diagnostics) {
          diagnostics.Add(node, "not taken here; " + remedy);
        },
        ParamType::kString);
  }

  /// Fill `out`; false when a diagnostic was added. Fields not given keep their value.
  bool Read(const Node& node, T& out, Diagnostics& diagnostics) const {
    return walker_.Walk(node, &out, diagnostics);
  }

  [[nodiscard]] const std::vector<ParamInfo>& infos() const { return walker_.infos(); }

 private:
  template <class U>
  friend class ParamTable;
  ParamWalker walker_;
};

/// JSON Schema (draft 2020-12) of an object with these parameters; additionalProperties is false.
std::string JsonSchema(const std::vector<ParamInfo>& infos);

/// A Markdown table "Key | Type | Default | Meaning" for the reference pages.
std::string MarkdownTable(const std::vector<ParamInfo>& infos);

}  // namespace stoker::config
