#include "config/document.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "config/params.h"
#include "core/text.h"

namespace stoker::config {
namespace {

constexpr std::string_view kApiVersion = "stoker/v1";
constexpr std::string_view kEnvPrefix = "STOKER_";

const std::vector<ParamInfo>& TopLevel() {
  static const std::vector<ParamInfo> kInfos = [] {
    std::vector<ParamInfo> infos;
    for (const char* key :
         {"apiVersion", "server", "connections", "policies", "history", "capacity"}) {
      infos.push_back({.key = key});
    }
    return infos;
  }();
  return kInfos;
}

void CheckApiVersion(const Node& root, Diagnostics& diagnostics) {
  const Node* version = root.Find("apiVersion");
  if (version == nullptr || version->IsNull()) {
    diagnostics.Add(root.position(),
                    "",
                    "missing required key 'apiVersion'; add the line 'apiVersion: stoker/v1'");
  } else if (version->scalar() != kApiVersion) {
    Refuse(*version, "expected stoker/v1, which is all that this version reads", diagnostics);
  }
}

/// Checks one file's top level and takes `apiVersion` out.
void CheckTopLevel(Node& root, Diagnostics& diagnostics) {
  if (root.IsNull()) root = Node::Map({}, root.position(), "");
  if (!root.IsMap()) {
    Refuse(root, "expected a map of keys, 'apiVersion: stoker/v1' first", diagnostics);
    root = Node::Map({}, root.position(), "");
    return;
  }
  CheckApiVersion(root, diagnostics);
  std::vector<Node::Entry> sections;
  for (Node::Entry& entry : root.entries()) {
    if (entry.key == "apiVersion") continue;
    if (FindParam(TopLevel(), entry.key, false) == nullptr) {
      diagnostics.Add(entry.key_position, "", UnknownKeyMessage(entry.key, TopLevel()));
    } else if (!entry.value.IsMap() && !entry.value.IsNull()) {
      Refuse(entry.value, "expected a map of keys", diagnostics);
    } else {
      sections.push_back(std::move(entry));
    }
  }
  root.entries() = std::move(sections);
}

/// Moves the entries of `from` into `into`. What both give is an error that names both places,
/// unless both are maps; and a policy stands in one file.
void Merge(Node& into, Node& from, Diagnostics& diagnostics) {
  const bool policies = into.path() == "policies";
  for (Node::Entry& entry : from.entries()) {
    const auto there = std::find_if(into.entries().begin(),
                                    into.entries().end(),
                                    [&](const Node::Entry& e) { return e.key == entry.key; });
    if (there == into.entries().end()) {
      into.entries().push_back(std::move(entry));
    } else if (there->value.IsNull() && !policies) {
      *there = std::move(entry);
    } else if (there->value.IsMap() && entry.value.IsMap() && !policies) {
      Merge(there->value, entry.value, diagnostics);
    } else if (!entry.value.IsNull() || policies) {
      diagnostics.Add(entry.key_position,
                      entry.value.path(),
                      "also given at " + ToString(there->key_position) + "; keep one");
    }
  }
}

/// What two spellings of one key share: MAX_AGE and maxAge are both "maxage".
std::string Normalized(std::string_view key) {
  std::string text = ToLower(key);
  std::erase_if(text, [](char c) { return c == '_' || c == '-'; });
  return text;
}

/// MAX_AGE as a key of ours: maxAge.
std::string CamelCase(std::string_view key) {
  std::string text;
  for (const std::string_view word : Split(key, '_')) {
    std::string lower = ToLower(word);
    if (!text.empty() && !lower.empty() && lower[0] >= 'a' && lower[0] <= 'z') {
      lower[0] = static_cast<char>(lower[0] - 'a' + 'A');
    }
    text += lower;
  }
  return text;
}

/// Sets the value that environment variable `name` stands for.
void Override(Node& root,
              const std::string& name,
              const std::string& value,
              Diagnostics& diagnostics) {
  const Position position{std::make_shared<const std::string>("env " + name), 0, 0};
  std::vector<std::string_view> keys;
  for (std::string_view rest = std::string_view(name).substr(kEnvPrefix.size());;) {
    const std::size_t end = rest.find("__");
    keys.push_back(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 2);
  }
  Node* node = &root;
  for (const std::string_view key : keys) {
    if (Normalized(key).empty()) {
      diagnostics.Add(position, "", "a key is empty; '__' separates keys, as in STOKER_SERVER__X");
      return;
    }
    if (node->IsNull()) *node = Node::Map({}, position, node->path());
    if (!node->IsMap()) {
      diagnostics.Add(position, node->path(), "is not a map, so it has no key to set");
      return;
    }
    Node::Entry* found = nullptr;
    for (Node::Entry& entry : node->entries()) {
      if (Normalized(entry.key) != Normalized(key)) continue;
      if (found != nullptr) {
        diagnostics.Add(position,
                        node->path(),
                        "could mean '" + found->key + "' or '" + entry.key +
                            "'; change it in the file instead");
        return;
      }
      found = &entry;
    }
    if (found == nullptr) {
      std::string made = CamelCase(key);
      std::string path = node->path().empty() ? made : node->path() + "." + made;
      node->entries().push_back({std::move(made), position, Node::Null(position, std::move(path))});
      found = &node->entries().back();
    }
    node = &found->value;
  }
  if (node->IsMap() || node->IsList()) {
    diagnostics.Add(position,
                    node->path(),
                    "holds more than one value; the environment can set single values only");
    return;
  }
  *node = Node::Scalar(value, position, node->path());
}

/// Parses one file's text into what Merge takes.
Result<Node> ParseFile(std::string_view text, const std::string& source, Diagnostics& diagnostics) {
  Result<Node> root = ParseYaml(text, source, diagnostics);
  if (root) CheckTopLevel(*root, diagnostics);
  return root;
}

/// Applies the environment and splits the sections; fails when there are diagnostics from `before`
/// on.
Result<Document> Finish(Node merged,
                        const Environment& environment,
                        std::size_t before,
                        Diagnostics& diagnostics) {
  for (const auto& [name, value] : environment.WithPrefix(kEnvPrefix)) {
    if (name.find("__") != std::string::npos) Override(merged, name, value, diagnostics);
  }
  for (const Node::Entry& entry : merged.entries()) {
    if (FindParam(TopLevel(), entry.key, false) == nullptr) {  // an override made it up
      diagnostics.Add(entry.key_position, "", UnknownKeyMessage(entry.key, TopLevel()));
    }
  }
  if (diagnostics.items().size() != before) return Fail(diagnostics.ToError());

  const auto take = [&merged](const char* key) {
    const Node* section = merged.Find(key);
    return section == nullptr ? Node::Null({}, key) : *section;
  };
  return Document{.server = take("server"),
                  .connections = take("connections"),
                  .policies = take("policies"),
                  .history = take("history"),
                  .capacity = take("capacity")};
}

}  // namespace

Result<std::vector<std::string>> ListConfigFiles(const std::vector<std::string>& paths,
                                                 const FileSystem& files) {
  std::vector<std::string> found;
  const auto add = [&found](std::string path) {
    if (std::find(found.begin(), found.end(), path) == found.end()) {
      found.push_back(std::move(path));
    }
  };
  for (const std::string& path : paths) {
    const Result<FileInfo> info = files.Stat(path);
    if (!info) return Fail(info.error());
    if (!info->is_directory) {
      add(path);
      continue;
    }
    const Result<std::vector<FileInfo>> entries = files.List(path);
    if (!entries) return Fail(entries.error());
    for (const FileInfo& entry : *entries) {
      const bool yaml = entry.name.ends_with(".yaml") || entry.name.ends_with(".yml");
      if (yaml && !entry.is_directory && !entry.name.starts_with('.')) {
        add(path + (path.ends_with('/') ? "" : "/") + entry.name);
      }
    }
  }
  return found;
}

Result<Document> LoadDocument(const std::vector<std::string>& paths,
                              const FileSystem& files,
                              const Environment& environment,
                              Diagnostics& diagnostics,
                              ParsedFiles* parsed) {
  const std::size_t before = diagnostics.items().size();
  Node merged = Node::Map({}, Position{}, "");
  ParsedFiles known;
  if (parsed != nullptr) known = std::exchange(*parsed, {});
  const Result<std::vector<std::string>> names = ListConfigFiles(paths, files);
  if (!names) {
    diagnostics.Add({}, "", names.error().message + "; check the path of the configuration");
  } else if (names->empty()) {
    diagnostics.Add({},
                    "",
                    paths.empty() ? "no configuration; name a file or a folder"
                                  : paths.front() +
                                        ": no *.yaml or *.yml file in this folder; add "
                                        "one or name a file");
  } else {
    for (const std::string& name : *names) {
      Result<std::string> text = files.Read(name);
      if (!text) {
        diagnostics.Add({}, "", text.error().message);
        continue;
      }
      auto file = known.files.extract(name);
      Result<Node> root = Node();
      if (file && file.mapped().text == *text) {
        root = file.mapped().root;
        parsed->files.insert(std::move(file));
      } else {
        const std::size_t mistakes = diagnostics.items().size();
        root = ParseFile(*text, name, diagnostics);
        if (root && parsed != nullptr && diagnostics.items().size() == mistakes) {
          parsed->files.insert_or_assign(name, ParsedFiles::File{*std::move(text), *root});
        }
      }
      if (root) Merge(merged, *root, diagnostics);
    }
  }
  return Finish(std::move(merged), environment, before, diagnostics);
}

Result<Document> ParseDocument(std::string_view text,
                               const std::string& source,
                               const Environment& environment,
                               Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.items().size();
  Node merged = Node::Map({}, Position{}, "");
  Result<Node> root = ParseFile(text, source, diagnostics);
  if (root) Merge(merged, *root, diagnostics);
  return Finish(std::move(merged), environment, before, diagnostics);
}

}  // namespace stoker::config
