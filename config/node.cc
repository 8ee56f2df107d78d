#include "config/node.h"

#include <algorithm>
#include <array>
#include <exception>
#include <sstream>
#include <utility>

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

namespace stoker::config {
namespace {

constexpr int kMaxDepth = 100;
constexpr std::size_t kMaxKeyBytes = 256;
constexpr std::size_t kBytesPerNode = 64;

/// One line of text that a terminal shows as it is.
bool IsPrintable(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  });
}

/// The parser's complaint with the mend, as far as there is an obvious one.
std::string Explain(const std::string& message) {
  namespace yaml = YAML::ErrorMsg;
  const std::array<std::pair<const char*, const char*>, 11> kMends{{
      {yaml::EOF_IN_SCALAR, "a quote is not closed"},
      {yaml::DOC_IN_SCALAR, "a quote is not closed"},
      {yaml::END_OF_MAP_FLOW, "a '{' is not closed"},
      {yaml::END_OF_SEQ_FLOW, "a '[' is not closed"},
      {yaml::END_OF_MAP, "wrong indentation, or a key without ': ' behind it"},
      {yaml::END_OF_SEQ, "wrong indentation, or an entry of a list without '- '"},
      {yaml::MAP_VALUE, "wrong indentation, or a text with ': ' in it that needs quotes"},
      {yaml::UNKNOWN_TOKEN, "a text that starts like this needs quotes"},
      {yaml::UNKNOWN_ANCHOR, "an alias without its anchor; a text that starts with * needs quotes"},
      {yaml::BLOCK_ENTRY, "a list's '- ' must start a line"},
      {yaml::TAB_IN_INDENTATION, "a tab in the indentation; use spaces"},
  }};
  for (const auto& [theirs, ours] : kMends) {
    if (message == theirs) return ours;
  }
  return message;
}

/// Builds Nodes from the parser's events. Throws YAML::ParserException to stop the parse.
class Builder final : public YAML::EventHandler {
 public:
  Builder(std::shared_ptr<const std::string> source,
          Diagnostics& diagnostics,
          std::size_t max_nodes)
      : source_(std::move(source)), diagnostics_(diagnostics), budget_(max_nodes) {}

  [[nodiscard]] Position At(const YAML::Mark& mark) const {
    if (mark.is_null()) return Position{source_, 0, 0};
    return Position{source_, mark.line + 1, mark.column + 1};
  }
  Node TakeDocument() { return std::move(document_.node); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {
    document_ = {};
    anchors_.clear();
    stack_.clear();
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    RefuseNonTextKey(mark);
    CheckDepth(mark, static_cast<int>(stack_.size()) + 1);
    Spend(mark, 1);
    Sized sized;
    sized.node = Node::Null(At(mark), "");
    Finish(mark, anchor, std::move(sized));
  }

  void OnScalar(const YAML::Mark& mark,
                const std::string& /*tag*/,
                YAML::anchor_t anchor,
                const std::string& value) override {
    if (ExpectsKey()) {
      if (value.size() > kMaxKeyBytes || !IsPrintable(value)) {
        throw YAML::ParserException(mark, "a key must be one line of at most 256 characters");
      }
      Spend(mark, 1);
      Frame& frame = stack_.back();
      frame.key = value;
      frame.key_position = At(mark);
      frame.has_key = true;
      return;
    }
    CheckDepth(mark, static_cast<int>(stack_.size()) + 1);
    Sized sized;
    sized.weight = 1 + value.size() / kBytesPerNode;
    Spend(mark, sized.weight);
    sized.node = Node::Scalar(value, At(mark), "");
    Finish(mark, anchor, std::move(sized));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    RefuseNonTextKey(mark);
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      throw YAML::ParserException(mark, "an alias may not stand inside the value it names");
    }
    Spend(mark, found->second.weight);
    CheckDepth(mark, static_cast<int>(stack_.size()) + found->second.height);
    Finish(mark, YAML::NullAnchor, found->second);
  }

  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& /*tag*/,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Start(mark, anchor, false);
  }
  void OnSequenceEnd() override {
    Frame frame = Pop();
    frame.sized.node = Node::List(std::move(frame.items), At(frame.mark), "");
    Finish(frame.mark, frame.anchor, std::move(frame.sized));
  }
  void OnMapStart(const YAML::Mark& mark,
                  const std::string& /*tag*/,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Start(mark, anchor, true);
  }
  void OnMapEnd() override {
    Frame frame = Pop();
    frame.sized.node = Node::Map(std::move(frame.entries), At(frame.mark), "");
    Finish(frame.mark, frame.anchor, std::move(frame.sized));
  }

  /// Charge for `weight` more nodes. Throws when they are too many.
  void Spend(const YAML::Mark& mark, std::size_t weight) {
    if (weight > budget_) {
      throw YAML::ParserException(mark, "too large once its aliases are expanded; make it smaller");
    }
    budget_ -= weight;
  }

 private:
  struct Sized {
    Node node;
    std::size_t weight = 1;
    int height = 1;
  };
  struct Frame {
    bool map = false;
    YAML::Mark mark;
    YAML::anchor_t anchor = YAML::NullAnchor;
    Sized sized;
    std::vector<Node> items;
    std::vector<Node::Entry> entries;
    std::map<std::string, int> lines;  // key -> line of its first use
    bool has_key = false;
    std::string key;
    Position key_position;
  };

  [[nodiscard]] bool ExpectsKey() const {
    return !stack_.empty() && stack_.back().map && !stack_.back().has_key;
  }
  void RefuseNonTextKey(const YAML::Mark& mark) const {
    if (ExpectsKey()) throw YAML::ParserException(mark, "a key must be plain text");
  }
  static void CheckDepth(const YAML::Mark& mark, int depth) {
    if (depth > kMaxDepth) {
      throw YAML::ParserException(mark, "nested too deeply; at most 100 levels");
    }
  }

  void Start(const YAML::Mark& mark, YAML::anchor_t anchor, bool map) {
    RefuseNonTextKey(mark);
    Spend(mark, 1);
    CheckDepth(mark, static_cast<int>(stack_.size()) + 1);
    Frame frame;
    frame.map = map;
    frame.mark = mark;
    frame.anchor = anchor;
    stack_.push_back(std::move(frame));
  }

  Frame Pop() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    return frame;
  }

  void Finish(const YAML::Mark& mark, YAML::anchor_t anchor, Sized sized) {
    if (anchor != YAML::NullAnchor) {
      Spend(mark, sized.weight);
      anchors_[anchor] = sized;
    }
    if (stack_.empty()) {
      document_ = std::move(sized);
      return;
    }
    Frame& parent = stack_.back();
    parent.sized.weight += sized.weight;
    parent.sized.height = std::max(parent.sized.height, sized.height + 1);
    if (!parent.map) {
      parent.items.push_back(std::move(sized.node));
      return;
    }
    parent.has_key = false;
    parent.sized.weight += 1 + parent.key.size() / kBytesPerNode;
    const auto [first, added] = parent.lines.emplace(parent.key, parent.key_position.line);
    if (!added) {
      diagnostics_.Add(parent.key_position,
                       "",
                       "key '" + parent.key + "' is given twice, first in line " +
                           std::to_string(first->second) + "; keep one");
      return;
    }
    parent.entries.push_back(
        {std::move(parent.key), std::move(parent.key_position), std::move(sized.node)});
  }

  std::shared_ptr<const std::string> source_;
  Diagnostics& diagnostics_;
  std::size_t budget_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, Sized> anchors_;
  Sized document_;
};

/// What the paths of all nodes below take together, counted before they are made.
std::size_t PathBytes(const Node& node, std::size_t own) {
  std::size_t bytes = own;
  for (const Node& item : node.items()) bytes += PathBytes(item, own + 8);
  for (const Node::Entry& entry : node.entries()) {
    bytes += PathBytes(entry.value, own + 1 + entry.key.size());
  }
  return bytes;
}

/// YAML forbids control characters, and the parser takes some for the end of the text.
bool CheckCharacters(std::string_view text, const Position& start, Diagnostics& diagnostics) {
  Position position = start;
  position.line = 1;
  position.column = 1;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      ++position.line;
      position.column = 1;
      continue;
    }
    if (byte < 0x20 && c != '\t' && c != '\r') {
      diagnostics.Add(position, "", "control characters are not allowed in YAML; save it as UTF-8");
      return false;
    }
    ++position.column;
  }
  return true;
}

}  // namespace

std::string ToString(const Position& position) {
  std::string text = position.source == nullptr ? "" : *position.source;
  if (position.line > 0) {
    text += ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
  }
  return text;
}

std::string Format(const Diagnostic& diagnostic) {
  std::string text = ToString(diagnostic.position);
  for (const std::string& part : {diagnostic.path, diagnostic.message}) {
    if (!part.empty()) text += (text.empty() ? "" : ": ") + part;
  }
  return text;
}

void Diagnostics::Add(Position position, std::string path, std::string message, ErrorCode code) {
  items_.push_back({std::move(position), std::move(path), std::move(message), code});
}

void Diagnostics::Add(const Node& node, std::string message, ErrorCode code) {
  Add(node.position(), node.path(), std::move(message), code);
}

std::string Diagnostics::ToString() const {
  std::string text;
  for (const Diagnostic& item : items_) text += (text.empty() ? "" : "\n") + Format(item);
  return text;
}

Error Diagnostics::ToError() const {
  ErrorCode code = ErrorCode::kInvalidArgument;
  const bool shared = std::all_of(items_.begin(), items_.end(), [this](const Diagnostic& item) {
    return item.code == items_.front().code;
  });
  if (shared && !items_.empty()) code = items_.front().code;
  return Error{code, ToString()};
}

Node Node::Null(Position position, std::string path) {
  Node node;
  node.position_ = std::move(position);
  node.path_ = std::move(path);
  return node;
}

Node Node::Scalar(std::string text, Position position, std::string path) {
  Node node = Null(std::move(position), std::move(path));
  node.kind_ = Kind::kScalar;
  node.scalar_ = std::move(text);
  return node;
}

Node Node::List(std::vector<Node> items, Position position, std::string path) {
  Node node = Null(std::move(position), std::move(path));
  node.kind_ = Kind::kList;
  node.items_ = std::move(items);
  return node;
}

Node Node::Map(std::vector<Entry> entries, Position position, std::string path) {
  Node node = Null(std::move(position), std::move(path));
  node.kind_ = Kind::kMap;
  node.entries_ = std::move(entries);
  return node;
}

Node Node::FromMetadata(const std::map<std::string, std::string>& metadata) {
  const Position position{std::make_shared<const std::string>("metadata"), 0, 0};
  std::vector<Entry> entries;
  entries.reserve(metadata.size());
  for (const auto& [key, value] : metadata) {
    Node node = Scalar(value, position, key);
    node.from_metadata_ = true;
    entries.push_back({key, position, std::move(node)});
  }
  Node node = Map(std::move(entries), position, "");
  node.from_metadata_ = true;
  node.set_confidential();
  return node;
}

const Node* Node::Find(std::string_view key) const {
  for (const Entry& entry : entries_) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

void Node::set_confidential() {
  confidential_ = true;
  for (Node& item : items_) item.set_confidential();
  for (Entry& entry : entries_) entry.value.set_confidential();
}

void Node::set_path(std::string path) {
  path_ = std::move(path);
  for (std::size_t i = 0; i < items_.size(); ++i) {
    items_[i].set_path(path_ + "[" + std::to_string(i) + "]");
  }
  for (Entry& entry : entries_) {
    entry.value.set_path(path_.empty() ? entry.key : path_ + "." + entry.key);
  }
}

std::string Node::Quoted() const {
  if (confidential_ || scalar_.size() > 60 || !IsPrintable(scalar_)) return "the value";
  return "'" + scalar_ + "'";
}

Result<std::vector<Node>> ParseYamlStream(std::string_view text,
                                          const std::string& source,
                                          Diagnostics& diagnostics,
                                          std::size_t max_nodes) {
  const Position start{std::make_shared<const std::string>(source), 0, 0};
  const std::size_t before = diagnostics.items().size();
  std::vector<Node> documents;
  if (CheckCharacters(text, start, diagnostics)) {
    Builder builder(start.source, diagnostics, max_nodes);
    try {
      // The parser closes a quote that is open at the end of the text, but not at the end of a
      // document.
      std::istringstream stream(std::string(text) + (text.ends_with('\n') ? "...\n" : "\n...\n"));
      YAML::Parser parser(stream);
      while (parser.HandleNextDocument(builder)) {
        Node document = builder.TakeDocument();
        if (document.IsNull()) continue;
        builder.Spend(YAML::Mark::null_mark(), PathBytes(document, 0) / kBytesPerNode);
        document.set_path("");
        documents.push_back(std::move(document));
      }
    } catch (const YAML::Exception& e) {
      diagnostics.Add(builder.At(e.mark), "", "not usable YAML: " + Explain(e.msg));
    } catch (const std::exception&) {
      diagnostics.Add(start, "", "not usable YAML: the parser gave up");
    }
  }
  if (diagnostics.items().size() == before) return documents;
  return Fail(ErrorCode::kInvalidArgument, Format(diagnostics.items()[before]));
}

Result<Node> ParseYaml(std::string_view text,
                       const std::string& source,
                       Diagnostics& diagnostics,
                       std::size_t max_nodes) {
  Result<std::vector<Node>> documents = ParseYamlStream(text, source, diagnostics, max_nodes);
  if (!documents) return Fail(std::move(documents).error());
  if (documents->empty()) {
    return Node::Null(Position{std::make_shared<const std::string>(source), 0, 0}, "");
  }
  if (documents->size() > 1) {
    diagnostics.Add((*documents)[1].position(),
                    "",
                    "a second YAML document; keep one, without '---' in between");
    return Fail(ErrorCode::kInvalidArgument, Format(diagnostics.items().back()));
  }
  return std::move(documents->front());
}

}  // namespace stoker::config
