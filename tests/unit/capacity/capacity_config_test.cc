#include "capacity/capacity_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::capacity {
namespace {

using ::testing::HasSubstr;

CapacityConfig Read(const std::string& text, std::string* mistakes = nullptr) {
  config::Diagnostics diagnostics;
  const Result<config::Node> node = config::ParseYaml(text, "c.yaml", diagnostics);
  CapacityConfig config;
  if (node) ReadCapacityConfig(*node, config, diagnostics);
  if (mistakes != nullptr) {
    *mistakes = diagnostics.ToString();
  } else {
    EXPECT_EQ(diagnostics.ToString(), "");
  }
  return config;
}

TEST(CapacityConfig, ReadsShapesByNameAndByHand) {
  const CapacityConfig config = Read(R"(
nodeShapes:
  - m5.2xlarge
  - {name: r5.4xlarge, spot: true, maxNodes: 20}
  - {name: pool-a, nodeGroup: "spot-*", cpu: 8, memory: 32GiB, spot: true, pricePerHour: 0.1}
)");
  ASSERT_EQ(config.node_shapes.size(), 3U);
  EXPECT_EQ(config.node_shapes[0].node.cpu_millis, 8000);
  EXPECT_DOUBLE_EQ(config.node_shapes[0].price_per_hour.value_or(0), 0.384);
  EXPECT_EQ(config.node_shapes[1].max_nodes, 20);
  EXPECT_LT(config.node_shapes[1].price_per_hour.value_or(9), 1.008) << "the spot price";
  EXPECT_EQ(config.node_shapes[2].node.memory_bytes, std::int64_t{32} << 30);
  EXPECT_DOUBLE_EQ(config.node_shapes[2].price_per_hour.value_or(0), 0.1);
}

TEST(CapacityConfig, PricesComeFromShapesBeforeLists) {
  const NodePrices prices = MakeExpanderRules(Read(R"(
nodeShapes:
  - {name: pool-a, nodeGroup: "team-*", cpu: 8, memory: 32GiB, pricePerHour: 0.1}
  - {name: m5.2xlarge, pricePerHour: 0.2}
)"))
                                .prices;
  const auto price = [&](const char* group, const char* type, bool spot) {
    const auto found = prices.PriceOf(group, type, spot);
    return found ? found->per_hour : -1;
  };
  EXPECT_DOUBLE_EQ(price("team-a", "", false), 0.1);
  EXPECT_DOUBLE_EQ(price("other", "M5.2XLARGE", false), 0.2);
  EXPECT_DOUBLE_EQ(price("other", "m5.4xlarge", false), 0.768);
  EXPECT_DOUBLE_EQ(price("other", "unheard-of", false), -1);
  EXPECT_DOUBLE_EQ(price("team-a", "", true), -1) << "the shape's price is not of spot";
  EXPECT_THAT(prices.PriceOf("other", "m5.4xlarge", true)->source, HasSubstr("estimated"));
}

TEST(CapacityConfig, NamesMistakes) {
  std::string mistakes;
  Read("nodeShapes: [m5.2xlrge]", &mistakes);
  EXPECT_THAT(mistakes, HasSubstr("did you mean 'm5.2xlarge'?"));
  Read("nodeShapes: m5.2xlarge", &mistakes);
  EXPECT_THAT(mistakes, HasSubstr("expected a list"));
  Read("nodeShapes: [{name: a, cpu: 8}]", &mistakes);
  EXPECT_THAT(mistakes, HasSubstr("give cpu and memory"));
  Read("expander: {spotLabel: {a: b}}", &mistakes);
  EXPECT_THAT(mistakes, HasSubstr("did you mean 'spotLabels'?"));
}

}  // namespace
}  // namespace stoker::capacity
