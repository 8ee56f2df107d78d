#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/params.h"

namespace stoker::config {
namespace {

using ::testing::HasSubstr;

struct Inner {
  Duration lead{};
};
struct Settings {
  std::string bucket;
  double size = 1;
  Inner inner;
};

std::vector<ParamInfo> Infos() {
  return ParamTable<Settings>()
      .Add("bucket",
           &Settings::bucket,
           {.help = "The bucket.", .required = true, .aliases = {"bucketName"}})
      .Add("size",
           &Settings::size,
           {.help = "Objects a|replica.", .fallback = "5", .min = 0, .above_min = true})
      .AddObject(
          "inner",
          &Settings::inner,
          ParamTable<Inner>().Add("lead", &Inner::lead, {.help = "Ahead.", .fallback = "0s"}),
          {.help = "More."})
      .infos();
}

TEST(JsonSchema, DescribesEveryKeyAndNoOther) {
  const std::string schema = JsonSchema(Infos());
  EXPECT_THAT(schema, HasSubstr(R"("$schema": "https://json-schema.org/draft/2020-12/schema")"));
  EXPECT_THAT(schema, HasSubstr(R"("additionalProperties": false)"));
  EXPECT_THAT(schema, HasSubstr(R"("bucketName": {)"));
  EXPECT_THAT(schema, HasSubstr(R"("exclusiveMinimum": 0.0)"));
  EXPECT_THAT(schema, HasSubstr(R"("lead": {)"));
  EXPECT_THAT(schema, HasSubstr(R"("anyOf": [)"));
}

TEST(MarkdownTable, HasARowForEveryKey) {
  EXPECT_EQ(MarkdownTable(Infos()),
            "| Key | Type | Default | Meaning |\n|---|---|---|---|\n"
            "| `bucket` | text | required | The bucket. Also `bucketName`. |\n"
            "| `size` | number | `5` | Objects a\\|replica. |\n"
            "| `inner` | map |  | More. |\n"
            "| `inner.lead` | duration | `0s` | Ahead. |\n");
}

}  // namespace
}  // namespace stoker::config
