#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace stoker::config {

/// Where a piece of configuration stands. `line` and `column` count from 1; 0 when the source has
/// no lines (trigger metadata, an environment variable).
struct Position {
  std::shared_ptr<const std::string> source;  ///< file name, "metadata", "env STOKER_..."
  int line = 0;
  int column = 0;
};

/// "file:line:col", or the bare source name.
std::string ToString(const Position& position);

/// One complaint. Rendered by Format as `POSITION: PATH: message`.
struct Diagnostic {
  Position position;
  std::string path;     ///< dotted keys from the root, e.g. "policies.etl.signals.busy.query"
  std::string message;  ///< the problem and the mend, one line
  ErrorCode code = ErrorCode::kInvalidArgument;
};

std::string Format(const Diagnostic& diagnostic);

class Node;

/// All complaints of one load; loading goes on after each so that a person sees them together.
class Diagnostics {
 public:
  void Add(Position position,
           std::string path,
           std::string message,
           ErrorCode code = ErrorCode::kInvalidArgument);
  /// About `node`.
  void Add(const Node& node, std::string message, ErrorCode code = ErrorCode::kInvalidArgument);
  [[nodiscard]] bool empty() const { return items_.empty(); }
  [[nodiscard]] const std::vector<Diagnostic>& items() const { return items_; }
  /// One line each, in order.
  [[nodiscard]] std::string ToString() const;
  /// ToString() with the code that all share, else kInvalidArgument.
  [[nodiscard]] Error ToError() const;

 private:
  std::vector<Diagnostic> items_;
};

/// A YAML tree with positions. A value: copying copies the tree.
class Node {
 public:
  enum class Kind { kNull, kScalar, kList, kMap };
  struct Entry;

  Node() = default;
  static Node Null(Position position, std::string path);
  static Node Scalar(std::string text, Position position, std::string path);
  static Node List(std::vector<Node> items, Position position, std::string path);
  static Node Map(std::vector<Entry> entries, Position position, std::string path);
  /// Trigger metadata as a flat map. Its values never appear in a message, and every key `x` may
  /// also be given as `xFromEnv` (KEDA keeps the suffix and resolves the value).
  static Node FromMetadata(const std::map<std::string, std::string>& metadata);

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool IsNull() const { return kind_ == Kind::kNull; }
  [[nodiscard]] bool IsScalar() const { return kind_ == Kind::kScalar; }
  [[nodiscard]] bool IsList() const { return kind_ == Kind::kList; }
  [[nodiscard]] bool IsMap() const { return kind_ == Kind::kMap; }

  [[nodiscard]] const std::string& scalar() const { return scalar_; }
  [[nodiscard]] const std::vector<Node>& items() const { return items_; }
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] std::vector<Entry>& entries() { return entries_; }
  /// nullptr when this is no map or has no such key.
  [[nodiscard]] const Node* Find(std::string_view key) const;

  [[nodiscard]] const Position& position() const { return position_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  void set_path(std::string path);  ///< also of all below
  /// True when the values are not ours to show (metadata).
  [[nodiscard]] bool confidential() const { return confidential_; }
  void set_confidential();  ///< also for all below
  /// True for a tree made by FromMetadata: lists and maps come as text ("a,b", "k=v,k=v").
  [[nodiscard]] bool from_metadata() const { return from_metadata_; }

  /// `'text'` for messages, or "the value" when confidential, over 60 characters or not printable.
  [[nodiscard]] std::string Quoted() const;

 private:
  Kind kind_ = Kind::kNull;
  std::string scalar_;
  std::vector<Node> items_;
  std::vector<Entry> entries_;
  Position position_;
  std::string path_;
  bool confidential_ = false;
  bool from_metadata_ = false;
};

struct Node::Entry {
  std::string key;
  Position key_position;
  Node value;
};

/// Parses one YAML document. Refuses: syntax errors, duplicate keys, non-scalar keys, a second
/// document, nesting over 100 levels, and what grows over `max_nodes` nodes once aliases are
/// expanded (64 bytes of text count as one more). `source` names the text in messages. Total: no
/// exception leaves it.
Result<Node> ParseYaml(std::string_view text,
                       const std::string& source,
                       Diagnostics& diagnostics,
                       std::size_t max_nodes = 1'000'000);

/// Parses a stream of YAML documents (`---`), as Kubernetes manifests come; empty ones are left
/// out.
Result<std::vector<Node>> ParseYamlStream(std::string_view text,
                                          const std::string& source,
                                          Diagnostics& diagnostics,
                                          std::size_t max_nodes = 1'000'000);

}  // namespace stoker::config
