#include "rightsizing/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "rightsizing/memory.h"
#include "tests/testing/fakes.h"

namespace stoker::rightsizing {
namespace {

TEST(Catalogue, KnowsANodeOfEachCloud) {
  Catalogue catalogue;
  const Result<NodeShape> m5 = catalogue.Find("m5.2xlarge");
  ASSERT_TRUE(m5);
  EXPECT_EQ(m5->name, "m5.2xlarge");
  EXPECT_EQ(m5->provider, Provider::kAws);
  EXPECT_EQ(m5->cpu_millis, 8000);
  EXPECT_EQ(m5->memory_bytes, 32 * kGibibyte);
  EXPECT_EQ(m5->ephemeral_bytes, 0);
  EXPECT_EQ(m5->max_pods, 58);
  ASSERT_TRUE(m5->price);
  EXPECT_DOUBLE_EQ(m5->price->on_demand_per_hour, 0.384);
  EXPECT_DOUBLE_EQ(m5->price->spot_per_hour.value(), 0.384 * 0.4);
  EXPECT_TRUE(m5->price->spot_estimated);
  EXPECT_EQ(m5->price->region, "us-east-1");
  EXPECT_EQ(m5->price->as_of, "2026-07-06");

  const Result<NodeShape> i3 = catalogue.Find("i3.xlarge");
  ASSERT_TRUE(i3);
  EXPECT_EQ(i3->memory_bytes, 30 * kGibibyte + kGibibyte / 2);
  EXPECT_EQ(i3->ephemeral_bytes, 950'000'000'000);

  const Result<NodeShape> n2 = catalogue.Find("N2-HIGHMEM-8");
  ASSERT_TRUE(n2);
  EXPECT_EQ(n2->name, "n2-highmem-8");
  EXPECT_EQ(n2->provider, Provider::kGcp);
  EXPECT_EQ(n2->memory_bytes, 64 * kGibibyte);
  EXPECT_EQ(n2->max_pods, 110);
  EXPECT_DOUBLE_EQ(n2->price->spot_per_hour.value(), 0.314368) << "its own, not a discount";
  EXPECT_FALSE(n2->price->spot_estimated);

  const Result<NodeShape> d8 = catalogue.Find("D8s_v5");
  ASSERT_TRUE(d8);
  EXPECT_EQ(d8->name, "Standard_D8s_v5");
  EXPECT_EQ(d8->provider, Provider::kAzure);
  EXPECT_EQ(d8->max_pods, 250);
  EXPECT_DOUBLE_EQ(d8->price->on_demand_per_hour, 0.384);
}

// What would betray a slip in the data: list prices follow size within a family, closely.
TEST(Catalogue, BuiltInRowsAreWholeAndInProportion) {
  Catalogue catalogue;
  const std::vector<NodeShape> all = catalogue.All();
  EXPECT_GT(all.size(), 250u);
  std::set<std::string> names;
  std::map<std::string, double> per_core;
  std::map<std::string, double> memory_per_core;
  for (const NodeShape& shape : all) {
    EXPECT_TRUE(names.insert(shape.name).second) << shape.name << " twice";
    EXPECT_GE(shape.cpu_millis, 2000) << shape.name;
    EXPECT_NE(shape.provider, Provider::kOther) << shape.name;
    ASSERT_TRUE(shape.price) << shape.name;
    ASSERT_TRUE(shape.price->spot_per_hour) << shape.name;
    EXPECT_LT(*shape.price->spot_per_hour, shape.price->on_demand_per_hour) << shape.name;
    EXPECT_NE(shape.price->region, "") << shape.name;
    EXPECT_NE(shape.price->as_of, "") << shape.name;
    const double cores = static_cast<double>(shape.cpu_millis) / 1000;
    const double gibi = static_cast<double>(shape.memory_bytes) / static_cast<double>(kGibibyte);
    EXPECT_GE(gibi / cores, 1) << shape.name;
    EXPECT_LE(gibi / cores, 8) << shape.name;
    // m5.large -> m5, n2-highmem-8 -> n2-highmem, Standard_D8s_v5 -> Standard_Ds_v5
    std::string family = shape.name;
    if (shape.provider == Provider::kAws) {
      family.resize(family.find('.'));
    } else if (shape.provider == Provider::kGcp) {
      family.resize(family.rfind('-'));
    } else {
      std::erase_if(family, [&](const char& c) {
        return c >= '0' && c <= '9' && &c < &family[family.rfind('_')];
      });
    }
    const double price = shape.price->on_demand_per_hour / cores;
    const auto [known, first] = per_core.emplace(family, price);
    EXPECT_NEAR(price, known->second, known->second * 0.01) << shape.name;
    const auto [memory, first_memory] = memory_per_core.emplace(family, gibi / cores);
    EXPECT_DOUBLE_EQ(gibi / cores, memory->second) << shape.name;
  }
}

TEST(Catalogue, FindGivesWhatAllGives) {
  const Catalogue catalogue;
  for (const NodeShape& shape : catalogue.All()) {
    const Result<NodeShape> found = catalogue.Find(shape.name);
    ASSERT_TRUE(found) << shape.name;
    EXPECT_EQ(found->name, shape.name);
    EXPECT_EQ(found->provider, shape.provider) << shape.name;
    EXPECT_EQ(found->cpu_millis, shape.cpu_millis) << shape.name;
    EXPECT_EQ(found->memory_bytes, shape.memory_bytes) << shape.name;
    EXPECT_EQ(found->ephemeral_bytes, shape.ephemeral_bytes) << shape.name;
    EXPECT_EQ(found->max_pods, shape.max_pods) << shape.name;
    EXPECT_EQ(found->price->on_demand_per_hour, shape.price->on_demand_per_hour) << shape.name;
    EXPECT_EQ(found->price->spot_per_hour, shape.price->spot_per_hour) << shape.name;
    EXPECT_EQ(found->price->as_of, shape.price->as_of) << shape.name;
  }
}

TEST(Catalogue, APriceFileOverridesWhatItGives) {
  Catalogue catalogue;
  ASSERT_TRUE(
      catalogue.Add("region: eu-west-1\n"
                    "priceDate: 2026-11\n"
                    "nodes:\n"
                    "  m5.2xlarge: {price: 0.3}\n"
                    "  m5.xlarge: {spotPrice: 0.05}\n"
                    "  m5.large: {maxPods: 110}\n",
                    "prices.yaml"));
  const Result<NodeShape> priced = catalogue.Find("m5.2xlarge");
  ASSERT_TRUE(priced);
  EXPECT_EQ(priced->cpu_millis, 8000);
  EXPECT_EQ(priced->provider, Provider::kAws);
  EXPECT_DOUBLE_EQ(priced->price->on_demand_per_hour, 0.3);
  EXPECT_EQ(priced->price->spot_per_hour, std::nullopt) << "no spot price is invented";
  EXPECT_EQ(priced->price->region, "eu-west-1");
  EXPECT_EQ(priced->price->as_of, "2026-11");
  EXPECT_DOUBLE_EQ(catalogue.Find("m5.xlarge")->price->on_demand_per_hour, 0.192);
  EXPECT_DOUBLE_EQ(catalogue.Find("m5.xlarge")->price->spot_per_hour.value(), 0.05);
  EXPECT_EQ(catalogue.Find("m5.large")->max_pods, 110);
  EXPECT_EQ(catalogue.Find("m5.large")->price->region, "us-east-1") << "its price is ours still";
}

TEST(Catalogue, APriceFileAddsNodeTypes) {
  Catalogue catalogue;
  ASSERT_TRUE(
      catalogue.Add("priceDate: 2026-11\n"
                    "spotDiscount: 50%\n"
                    "nodes:\n"
                    "  rack-7: {cpu: 31500m, memory: 250GiB, diskGB: 1800, price: 1}\n"
                    "  unpriced: {cpu: 8, memory: 32GiB}\n",
                    "prices.yaml"));
  const Result<NodeShape> rack = catalogue.Find("rack-7");
  ASSERT_TRUE(rack);
  EXPECT_EQ(rack->provider, Provider::kOther);
  EXPECT_EQ(rack->cpu_millis, 31500);
  EXPECT_EQ(rack->ephemeral_bytes, 1'800'000'000'000);
  EXPECT_EQ(rack->max_pods, 110);
  EXPECT_DOUBLE_EQ(rack->price->spot_per_hour.value(), 0.5);
  EXPECT_EQ(catalogue.Find("unpriced")->price, std::nullopt);
}

TEST(Catalogue, AllMistakesOfAFileAreNamedWithTheirPlace) {
  Catalogue catalogue;
  const Status added = catalogue.Add(
      "priceDate: 2026-11\n"
      "cloud: amazon\n"
      "currency: EUR\n"
      "nodes:\n"
      "  m5.2xlarge: {price: -1}\n"
      "  m5.4xlarge: {prize: 1}\n"
      "  mine: {cpu: 0, memory: 32GiB}\n"
      "  other: {cpu: 8, spotPrice: 1}\n",
      "prices.yaml");
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().message,
            "prices.yaml:2:8: cloud: expected one of aws, azure, gcp, other, got 'amazon'\n"
            "prices.yaml:3:11: currency: expected one of USD, got 'EUR'\n"
            "prices.yaml:5:23: nodes.m5.2xlarge.price: must be at least 0, got '-1'\n"
            "prices.yaml:6:16: nodes.m5.4xlarge: unknown key 'prize'; did you mean 'price'?\n"
            "prices.yaml:7:15: nodes.mine.cpu: expected vCPUs above 0, such as 8, got '0'\n"
            "prices.yaml:8:3: nodes.other: a new node type needs `cpu` and `memory`\n"
            "prices.yaml:8:3: nodes.other: needs a `price` beside `spotPrice`");
  EXPECT_DOUBLE_EQ(catalogue.Find("m5.2xlarge")->price->on_demand_per_hour, 0.384);
  EXPECT_EQ(catalogue.Add("nodes: {a: {cpu: 1, memory: 4GiB}}", "undated.yaml").error().message,
            "undated.yaml:1:1: missing required key 'priceDate'");
}

TEST(Catalogue, UnknownNameIsAnsweredWithTheNearest) {
  Catalogue catalogue;
  EXPECT_EQ(catalogue.Find("m5.2xlrge").error().message,
            "unknown node type 'm5.2xlrge'; did you mean 'm5.2xlarge'? --price-file adds others");
  EXPECT_EQ(catalogue.Find("cray-1").error().message,
            "unknown node type 'cray-1'; --price-file adds others");
  EXPECT_FALSE(catalogue.Find(""));
}

TEST(Catalogue, AFolderIsReadInNameOrder) {
  testing::FakeFileSystem files;
  files.Write("/etc/prices/b.yaml", "{priceDate: 2026-02, nodes: {m5.large: {price: 2}}}");
  files.Write("/etc/prices/a.yaml", "{priceDate: 2026-01, nodes: {m5.large: {price: 1}}}");
  Catalogue catalogue;
  ASSERT_TRUE(catalogue.AddPath("/etc/prices", files));
  EXPECT_DOUBLE_EQ(catalogue.Find("m5.large")->price->on_demand_per_hour, 2);
  EXPECT_FALSE(catalogue.AddPath("/etc/absent.yaml", files));
}

}  // namespace
}  // namespace stoker::rightsizing
