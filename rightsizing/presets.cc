#include "rightsizing/presets.h"

#include <algorithm>
#include <utility>

#include "config/params.h"
#include "core/text.h"
#include "rightsizing/builtin_data.h"
#include "rightsizing/data_files.h"

namespace stoker::rightsizing {
namespace {

using config::Bytes;
using config::Diagnostics;
using config::Node;
using config::ParamTable;

/// What UnifiedMemoryManager refuses to start below: 1.5 x 300 MiB.
constexpr double kMinHeapBytes = 1.5 * 300 * (1 << 20);

struct Row {
  int cores = 0;
  Bytes heap;
  std::optional<Bytes> overhead;
  std::string description;
};

const ParamTable<Row>& RowTable() {
  static const auto kTable =
      ParamTable<Row>()
          .Add("cores",
               &Row::cores,
               {.help = "`spark.executor.cores`: tasks that an executor runs at a time.",
                .required = true,
                .min = 1,
                .max = 256,
                .example = "4"})
          .Add("memory",
               &Row::heap,
               {.help = "`spark.executor.memory`: the heap. Spark does not start below 450m.",
                .required = true,
                .min = kMinHeapBytes,
                .example = "8g"})
          .Add("memoryOverhead",
               &Row::overhead,
               {.help = "`spark.executor.memoryOverhead`: what the pod gets beyond the heap. Left "
                        "out, Spark's rule sizes it."})
          .Add("description", &Row::description, {.help = "One line for help and reports."});
  return kTable;
}

const ParamTable<std::vector<Preset>>& FileTable() {
  static const auto kTable = ParamTable<std::vector<Preset>>().AddCustom(
      "presets",
      {.help = "Presets by name.", .required = true},
      [](const Node& node, std::vector<Preset>& presets, Diagnostics& diagnostics) {
        if (!node.IsMap()) {
          config::Refuse(node, "expected a map of presets by name", diagnostics);
          return;
        }
        for (const Node::Entry& entry : node.entries()) {
          Row row;
          if (!RowTable().Read(entry.value, row, diagnostics)) continue;
          Preset preset{.name = entry.key,
                        .description = std::move(row.description),
                        .cores = row.cores,
                        .heap_bytes = row.heap.value};
          if (row.overhead) preset.overhead_bytes = row.overhead->value;
          presets.push_back(std::move(preset));
        }
      },
      config::ParamType::kObjectMap);
  return kTable;
}

}  // namespace

Presets::Presets() {
  for (const BuiltinFile& file : BuiltinPresets()) {
    // Tested to parse; were it ever not to, Find would say which names there are.
    static_cast<void>(Add(file.text, std::string(file.path)).has_value());
  }
}

Status Presets::Add(std::string_view text, const std::string& source) {
  Diagnostics diagnostics;
  const Result<Node> root = config::ParseYaml(text, source, diagnostics);
  std::vector<Preset> read;
  if (root) FileTable().Read(*root, read, diagnostics);
  if (!diagnostics.empty()) return Fail(diagnostics.ToError());
  if (!root) return Fail(root.error());
  for (Preset& preset : read) {
    const auto known = std::find_if(presets_.begin(), presets_.end(), [&](const Preset& other) {
      return other.name == preset.name;
    });
    if (known == presets_.end()) {
      presets_.push_back(std::move(preset));
    } else {
      *known = std::move(preset);
    }
  }
  return {};
}

Status Presets::AddPath(const std::string& path, const FileSystem& files) {
  return AddFiles(path, files, [this](std::string_view text, const std::string& source) {
    return Add(text, source);
  });
}

Result<Preset> Presets::Find(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const Preset& preset : presets_) {
    if (preset.name == name) return preset;
    names.push_back(preset.name);
  }
  std::string message = "unknown preset '" + std::string(name) + "'; ";
  const std::string_view nearest = NearestWord(name, names);
  if (!nearest.empty()) {
    message += "did you mean '" + std::string(nearest) + "'?";
  } else {
    message += "there are ";
    for (std::size_t i = 0; i < names.size(); ++i) {
      message += (i == 0 ? "" : ", ") + std::string(names[i]);
    }
  }
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

std::string PresetKeysMarkdown() { return config::MarkdownTable(RowTable().infos()); }

}  // namespace stoker::rightsizing
