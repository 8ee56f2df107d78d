#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/environment.h"
#include "core/result.h"
#include "rightsizing/shape.h"

namespace stoker::rightsizing {

/// Node types with their sizes and list prices: those of AWS, Azure and Google Cloud that
/// config/prices holds, and what the user adds or overrides in the same form (`--price-file`).
/// Of the built-in lists only what is asked for is parsed. Immutable once filled; thread-safe to
/// read.
class Catalogue {
 public:
  Catalogue();
  ~Catalogue();
  Catalogue(Catalogue&&) noexcept;
  Catalogue& operator=(Catalogue&&) noexcept;

  /// Lays one YAML text over what is there: a known node type takes the values given and keeps the
  /// others; a new one needs `cpu` and `memory`. `source` names the text in messages. All mistakes
  /// are collected, as `FILE:LINE:COL: KEY: ...`; with any nothing is added.
  Status Add(std::string_view text, const std::string& source);

  /// The same for a file, or for every *.yaml and *.yml of a folder in name order.
  Status AddPath(const std::string& path, const FileSystem& files);

  /// The node type of this name, whatever its case; Azure's may leave out `Standard_`.
  /// kInvalidArgument, with the nearest name, when there is none.
  Result<NodeShape> Find(std::string_view name) const;

  /// All node types in the order of the lists. Parses them all.
  [[nodiscard]] std::vector<NodeShape> All() const;

 private:
  struct List;
  /// `key` is what the lists find a name by.
  [[nodiscard]] std::optional<NodeShape> Lookup(const std::string& key) const;

  std::vector<List> added_;  ///< over the built-in ones; later ones win
};

/// The keys of a price list and of a node type in it as Markdown tables, for the reference page.
std::string PriceListKeysMarkdown();
std::string NodeTypeKeysMarkdown();

}  // namespace stoker::rightsizing
