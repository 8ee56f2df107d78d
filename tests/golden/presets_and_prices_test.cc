// docs/reference/presets-and-prices.md is generated from the built-in data and the tables that
// parse it.

#include <gtest/gtest.h>

#include <iomanip>
#include <sstream>

#include "core/text.h"
#include "core/units.h"
#include "rightsizing/catalogue.h"
#include "rightsizing/memory.h"
#include "rightsizing/presets.h"
#include "tests/golden/golden_file.h"

namespace stoker::rightsizing {
namespace {

std::string Fixed(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return text.str();
}

std::string Gibibytes(std::int64_t bytes) {
  return FormatNumber(static_cast<double>(bytes) / static_cast<double>(kGibibyte));
}

std::string PresetTable() {
  std::string table =
      "| Preset | Cores | Heap | Overhead | with PySpark | Pod | Memory a task | For |\n"
      "|---|---|---|---|---|---|---|---|\n";
  const Presets presets;
  for (const Preset& preset : presets.all()) {
    const std::int64_t overhead = OverheadBytes(preset.heap_bytes, kJvmOverheadFactor);
    table += "| `" + preset.name + "` | " + std::to_string(preset.cores) + " | " +
             FormatSparkBytes(preset.heap_bytes) + " | " + FormatSparkBytes(overhead) + " | " +
             FormatSparkBytes(OverheadBytes(preset.heap_bytes, kPythonOverheadFactor)) + " | " +
             FormatKubernetesBytes(preset.heap_bytes + overhead) + " | " +
             std::to_string(TaskMemoryBytes(preset.heap_bytes, 0, preset.cores) / kMebibyte) +
             " MiB | " + preset.description + " |\n";
  }
  return table;
}

std::string NodeTable(const std::vector<NodeShape>& all, Provider provider) {
  std::string table;
  for (const NodeShape& shape : all) {
    if (shape.provider != provider) continue;
    if (table.empty()) {
      table = "List prices of " + shape.price->region + " in US dollars by the hour, as of " +
              shape.price->as_of + ".\n\n" +
              "| Node type | vCPU | GiB | for Spark: CPU | GiB | Local disk, GB | On demand | Spot "
              "|\n|---|---|---|---|---|---|---|---|\n";
    }
    const Resources room = Allocatable(shape, {});
    table +=
        "| `" + shape.name + "` | " + FormatCpuMillis(shape.cpu_millis) + " | " +
        Gibibytes(shape.memory_bytes) + " | " + FormatCpuMillis(room.cpu_millis) + " | " +
        Fixed(static_cast<double>(room.memory_bytes) / static_cast<double>(kGibibyte), 1) + " | " +
        (shape.ephemeral_bytes > 0 ? std::to_string(shape.ephemeral_bytes / 1'000'000'000) : "") +
        " | " + FormatNumber(shape.price->on_demand_per_hour) + " | " +
        (shape.price->spot_estimated ? "about " : "") +
        Fixed(shape.price->spot_per_hour.value(), 3) + " |\n";
  }
  return table;
}

std::string Page() {
  std::string page = R"(# Presets, node types and prices

Generated from the data in the program (`config/presets`, `config/prices`) and from the tables that read it.

## Presets

)" + PresetTable() + R"(
The overhead is Spark's own rule, 10% of the heap (40% with PySpark) and 384m at least. Memory a task is what shuffles, sorts and joins of
one task may use before they spill, (heap - 300 MiB) x 0.6 / cores: the same for all but `small`. A larger preset runs more tasks in one
JVM; it does not give a task more.

Your own go into a file, or several in a folder, for `--preset-file`. A preset with a known name replaces it.

```yaml
presets:
  wide-joins: {cores: 4, memory: 24g, description: joins that spilled with large}
```

)" + PresetKeysMarkdown() +
                     R"(
## Prices and nodes of your own

Nobody with a contract pays list prices, and spot prices move. A file, or several in a folder, for `--price-file` lies over the built-in
lists: a known node type takes what the file gives and keeps the rest, a new one needs `cpu` and `memory`. Costs name the region and date
of the list that they come from.

```yaml
region: eu-west-1
priceDate: 2026-11-20
nodes:
  m5.2xlarge: {price: 0.298, spotPrice: 0.121}
  rack-7: {cpu: 32, memory: 256GiB, diskGB: 3200, price: 0.55}
```

)" + PriceListKeysMarkdown() +
                     R"(
Each of `nodes` takes

)" + NodeTypeKeysMarkdown() +
                     R"(
## What a node leaves for Spark

Less than it is sold with. `for Spark` in the tables below is an estimate, on the safe side; `kubectl get node -o yaml` shows the real
`status.allocatable`.

| | AWS (EKS) | Google Cloud (GKE), others | Azure (AKS) |
|---|---|---|---|
| memory that the node does not report | 7.5% | 3% | 7.5% |
| memory reserved | 255 MiB + 11 MiB x pods | 25% of the first 4 GiB, 20% of the next 4, 10% of the next 8, 6% of the next 112, 2% of the rest | 50 MiB + 20 MiB x pods, at most 25% |
| eviction threshold | 100 MiB | 100 MiB | 100 MiB |
| CPU reserved | 6% of the first core, 1% of the next, 0.5% of the next two, 0.25% of the rest | the same | 60, 100, 140, 180, 260, 420, 740, 1060 millicores up to 1, 2, 4, 8, 16, 32, 64 cores and beyond |
| DaemonSets, unless said otherwise | )" +
                     FormatCpuMillis(DaemonSets{}.cpu_millis) + " CPU, " +
                     FormatKubernetesBytes(DaemonSets{}.memory_bytes) + R"( | the same | the same |

Pods are the kubelet's limit (`maxPods`). Local disk keeps 10% and 1 GiB for the kubelet.

## Node types

Spot prices marked `about` are an estimate from the list's usual discount. Names are found whatever their case, Azure's also without
`Standard_`.

)";
  Catalogue catalogue;
  const std::vector<NodeShape> all = catalogue.All();
  page += "### AWS\n\n" + NodeTable(all, Provider::kAws);
  page += "\n### Google Cloud\n\n" + NodeTable(all, Provider::kGcp);
  page += "\n### Azure\n\n" + NodeTable(all, Provider::kAzure);
  return page;
}

TEST(Reference, PresetsAndPricesPageIsWhatTheDataSay) {
  golden::ExpectFile("docs/reference/presets-and-prices.md", Page());
}

}  // namespace
}  // namespace stoker::rightsizing
