#include "rightsizing/catalogue.h"

#include <cmath>
#include <map>
#include <utility>

#include "config/params.h"
#include "core/text.h"
#include "core/units.h"
#include "rightsizing/builtin_data.h"
#include "rightsizing/data_files.h"

namespace stoker::rightsizing {
namespace {

using config::Bytes;
using config::Diagnostics;
using config::Node;
using config::ParamTable;
using config::Percent;

constexpr double kBytesPerGigabyte = 1e9;
constexpr std::string_view kAzurePrefix = "standard_";

/// A node type as one list gives it; what is absent comes from an earlier list.
struct Row {
  std::optional<std::int64_t> cpu_millis;
  std::optional<Bytes> memory;
  std::optional<double> disk_gb;
  std::optional<std::int64_t> max_pods;
  std::optional<double> price;
  std::optional<double> spot_price;
  std::string name;  ///< as written
  config::Position position;
};

/// A list's own values, which hold for all its rows.
struct Header {
  Provider provider = Provider::kOther;
  std::string region;
  std::string currency = "USD";
  std::string date;
  std::optional<Percent> spot_discount;
  std::optional<std::int64_t> max_pods;
};

struct PriceFile {
  Header header;
  std::vector<Row> rows;
};

const ParamTable<Row>& RowTable() {
  static const auto kTable =
      ParamTable<Row>()
          .AddCustom(
              "cpu",
              {.help = "vCPUs as sold, `8` or `7500m`. Required of a node type that no other "
                       "list has.",
               .example = "8"},
              [](const Node& node, Row& row, Diagnostics& diagnostics) {
                const Result<std::int64_t> millis = ParseCpuMillis(node.scalar());
                if (!millis || *millis <= 0) {
                  config::Refuse(node, "expected vCPUs above 0, such as 8", diagnostics);
                } else {
                  row.cpu_millis = *millis;
                }
              },
              config::ParamType::kString)
          .Add("memory",
               &Row::memory,
               {.help = "Memory as sold. Required of a node type that no other list has.",
                .min = 1,
                .example = "32GiB"})
          .Add("diskGB",
               &Row::disk_gb,
               {.help = "Local disk that pods use for scratch, in GB of 10^9 bytes as vendors "
                        "state it; left out: not known, no limit.",
                .min = 0,
                .max = 1e9})
          .Add("maxPods",
               &Row::max_pods,
               {.help = "The kubelet's limit of pods; EKS and AKS reserve memory by it.",
                .min = 1,
                .max = 10000})
          .Add("price",
               &Row::price,
               {.help = "On demand, by the hour. Without one no cost is computed.",
                .min = 0,
                .max = 1e6})
          .Add(
              "spotPrice",
              &Row::spot_price,
              {.help = "Spot, by the hour; else the list's `spotDiscount`.", .min = 0, .max = 1e6});
  return kTable;
}

const ParamTable<Header>& HeaderTable() {
  static const auto kTable =
      ParamTable<Header>()
          .AddChoice("cloud",
                     &Header::provider,
                     {{"aws", Provider::kAws},
                      {"azure", Provider::kAzure},
                      {"gcp", Provider::kGcp},
                      {"other", Provider::kOther}},
                     {.help = "Whose nodes: decides what EKS, AKS, GKE or others reserve.",
                      .fallback = "other"})
          .Add("region",
               &Header::region,
               {.help = "Where the prices hold; in every report that uses them."})
          .Add("currency",
               &Header::currency,
               {.help = "Costs are in US dollars.", .fallback = "USD", .choices = {"USD"}})
          .Add("priceDate",
               &Header::date,
               {.help = "When the prices were read, `2026`, `2026-07` or `2026-07-31`; in every "
                        "report that uses them.",
                .required = true,
                .non_empty = true})
          .Add("spotDiscount",
               &Header::spot_discount,
               {.help = "What spot costs less than on demand, about, where a node type has no "
                        "`spotPrice`. Left out: spot prices are not known.",
                .min = 0,
                .max = 1})
          .Add("maxPods",
               &Header::max_pods,
               {.help = "For node types without their own.",
                .fallback = "110",
                .min = 1,
                .max = 10000});
  return kTable;
}

const ParamTable<PriceFile>& FileTable() {
  static const auto kTable =
      ParamTable<PriceFile>()
          .Include(&PriceFile::header, HeaderTable())
          .AddCustom(
              "nodes",
              {.help = "Node types by name.", .required = true},
              [](const Node& node, PriceFile& file, Diagnostics& diagnostics) {
                if (!node.IsMap()) {
                  config::Refuse(node, "expected a map of node types by name", diagnostics);
                  return;
                }
                for (const Node::Entry& entry : node.entries()) {
                  Row row{.name = entry.key, .position = entry.key_position};
                  if (RowTable().Read(entry.value, row, diagnostics)) file.rows.push_back(row);
                }
              },
              config::ParamType::kObjectMap);
  return kTable;
}

/// The key a name is found by.
std::string Key(std::string_view name) {
  std::string key = ToLower(name);
  if (key.starts_with(kAzurePrefix)) key.erase(0, kAzurePrefix.size());
  return key;
}

/// Reads one list. What is wrong is in `diagnostics`, and then the result is not to be used.
PriceFile Parse(std::string_view text, const std::string& source, Diagnostics& diagnostics) {
  PriceFile file;
  const Result<Node> root = config::ParseYaml(text, source, diagnostics);
  if (root) FileTable().Read(*root, file, diagnostics);
  return file;
}

PriceFile ParseBuiltin(std::string_view text) {
  Diagnostics diagnostics;  // tested to stay empty
  return Parse(text, "built-in prices", diagnostics);
}

/// A built-in list with the one row that `key` finds, empty when it has none: parsing a whole list
/// takes longer than all else that a run of `rightsize` does. Such a list has a row a line,
/// indented by two.
std::string Excerpt(std::string_view list, const std::string& key) {
  std::string header;
  std::string found;
  for (const std::string_view line : Split(list, '\n')) {
    if (!line.starts_with("  ")) {
      header.append(line) += '\n';
    } else if (Key(line.substr(2, line.find(':') - 2)) == key) {
      found.append(line) += '\n';
    }
  }
  return found.empty() ? found : header + found;
}

void Lay(const Row& row, const Header& header, NodeShape& shape) {
  shape.name = row.name;
  if (header.provider != Provider::kOther) shape.provider = header.provider;
  if (row.cpu_millis) shape.cpu_millis = *row.cpu_millis;
  if (row.memory) shape.memory_bytes = row.memory->value;
  if (row.disk_gb) shape.ephemeral_bytes = std::llround(*row.disk_gb * kBytesPerGigabyte);
  if (row.max_pods || header.max_pods) {
    shape.max_pods = row.max_pods ? *row.max_pods : *header.max_pods;
  }
  if (row.price) shape.price = Price{.on_demand_per_hour = *row.price};
  if (!shape.price || (!row.price && !row.spot_price)) return;
  if (row.spot_price) {
    shape.price->spot_per_hour = *row.spot_price;
    shape.price->spot_estimated = false;
  } else if (header.spot_discount) {
    shape.price->spot_per_hour = *row.price * (1 - header.spot_discount->fraction);
    shape.price->spot_estimated = true;
  }
  shape.price->region = header.region;
  shape.price->as_of = header.date;
}

}  // namespace

struct Catalogue::List {
  PriceFile file;
};

Catalogue::Catalogue() = default;
Catalogue::~Catalogue() = default;
Catalogue::Catalogue(Catalogue&&) noexcept = default;
Catalogue& Catalogue::operator=(Catalogue&&) noexcept = default;

Status Catalogue::Add(std::string_view text, const std::string& source) {
  Diagnostics diagnostics;
  PriceFile file = Parse(text, source, diagnostics);
  for (const Row& row : file.rows) {
    NodeShape shape = Lookup(Key(row.name)).value_or(NodeShape{});
    Lay(row, file.header, shape);
    const std::string path = "nodes." + row.name;
    if (shape.cpu_millis == 0 || shape.memory_bytes == 0) {
      diagnostics.Add(row.position, path, "a new node type needs `cpu` and `memory`");
    }
    if (row.spot_price && !shape.price) {
      diagnostics.Add(row.position, path, "needs a `price` beside `spotPrice`");
    }
  }
  if (!diagnostics.empty()) return Fail(diagnostics.ToError());
  added_.push_back({std::move(file)});
  return {};
}

Status Catalogue::AddPath(const std::string& path, const FileSystem& files) {
  return AddFiles(path, files, [this](std::string_view text, const std::string& source) {
    return Add(text, source);
  });
}

std::optional<NodeShape> Catalogue::Lookup(const std::string& key) const {
  std::optional<NodeShape> shape;
  const auto look_into = [&](const PriceFile& file) {
    for (const Row& row : file.rows) {
      if (Key(row.name) != key) continue;
      if (!shape) shape.emplace();
      Lay(row, file.header, *shape);
    }
  };
  for (const BuiltinFile& file : BuiltinPrices()) {
    if (const std::string excerpt = Excerpt(file.text, key); !excerpt.empty()) {
      look_into(ParseBuiltin(excerpt));
    }
  }
  for (const List& list : added_) look_into(list.file);
  return shape;
}

Result<NodeShape> Catalogue::Find(std::string_view name) const {
  if (std::optional<NodeShape> shape = Lookup(Key(name))) return *std::move(shape);
  const std::vector<NodeShape> all = All();
  std::vector<std::string_view> names;
  for (const NodeShape& shape : all) names.push_back(shape.name);
  const std::string_view nearest = NearestWord(name, names);
  return Fail(ErrorCode::kInvalidArgument,
              "unknown node type '" + std::string(name) + "'; " +
                  (nearest.empty() ? "" : "did you mean '" + std::string(nearest) + "'? ") +
                  "--price-file adds others");
}

std::vector<NodeShape> Catalogue::All() const {
  std::vector<NodeShape> all;
  std::map<std::string, std::size_t> index;
  const auto take = [&](const PriceFile& file) {
    for (const Row& row : file.rows) {
      const auto [at, added] = index.emplace(Key(row.name), all.size());
      if (added) all.emplace_back();
      Lay(row, file.header, all[at->second]);
    }
  };
  for (const BuiltinFile& file : BuiltinPrices()) take(ParseBuiltin(file.text));
  for (const List& list : added_) take(list.file);
  return all;
}

std::string PriceListKeysMarkdown() { return config::MarkdownTable(FileTable().infos()); }
std::string NodeTypeKeysMarkdown() { return config::MarkdownTable(RowTable().infos()); }

}  // namespace stoker::rightsizing
