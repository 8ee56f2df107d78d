#include "config/document.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fakes.h"

namespace stoker::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LoadDocumentTest : public ::testing::Test {
 protected:
  Document Load(const std::vector<std::string>& paths) {
    Diagnostics diagnostics;
    const Result<Document> document = LoadDocument(paths, files_, environment_, diagnostics);
    EXPECT_TRUE(document) << diagnostics.ToString();
    return document.value_or(Document{});
  }
  std::string Mistakes(const std::vector<std::string>& paths) {
    Diagnostics diagnostics;
    const Result<Document> document = LoadDocument(paths, files_, environment_, diagnostics);
    EXPECT_FALSE(document);
    if (!document) {
      EXPECT_EQ(document.error().message, diagnostics.ToString());
    }
    return diagnostics.ToString();
  }

  testing::FakeFileSystem files_;
  testing::FakeEnvironment environment_;
};

TEST_F(LoadDocumentTest, SplitsTheSections) {
  files_.Write("/etc/stoker.yaml",
               "apiVersion: stoker/v1\nserver: {grpc: {listen: 'x'}}\npolicies: {etl: {}}\n");
  const Document document = Load({"/etc/stoker.yaml"});
  EXPECT_EQ(document.server.Find("grpc")->Find("listen")->scalar(), "x");
  EXPECT_NE(document.policies.Find("etl"), nullptr);
  EXPECT_TRUE(document.connections.IsNull());
  EXPECT_TRUE(document.history.IsNull());
  EXPECT_TRUE(document.capacity.IsNull());
}

TEST_F(LoadDocumentTest, MergesAFolderInNameOrder) {
  files_.Write("/c/20-etl.yml", "apiVersion: stoker/v1\npolicies: {etl: {combine: max}}\n");
  files_.Write(
      "/c/10-base.yaml",
      "apiVersion: stoker/v1\nconnections: {s3: {lake: {region: r}}}\npolicies: {a: {}}\n");
  files_.Write("/c/30-more.yaml",
               "apiVersion: stoker/v1\nconnections: {s3: {pond: {}, lake: {pathStyle: true}}}\n");
  files_.Write("/c/.hidden.yaml", "broken: [");
  files_.Write("/c/..data/10-base.yaml", "broken: [");
  files_.Write("/c/notes.txt", "broken: [");
  EXPECT_THAT(ListConfigFiles({"/c"}, files_).value(),
              ElementsAre("/c/10-base.yaml", "/c/20-etl.yml", "/c/30-more.yaml"));
  const Document document = Load({"/c"});
  EXPECT_EQ(document.policies.entries().size(), 2U);
  const Node* lake = document.connections.Find("s3")->Find("lake");
  EXPECT_EQ(lake->Find("region")->scalar(), "r");
  EXPECT_EQ(ToString(lake->Find("pathStyle")->position()), "/c/30-more.yaml:2:48");
  EXPECT_NE(document.connections.Find("s3")->Find("pond"), nullptr);
}

TEST_F(LoadDocumentTest, NamesBothPlacesOfAConflict) {
  files_.Write("a.yaml", "apiVersion: stoker/v1\npolicies:\n  etl: {}\nserver: {x: 1, y: }\n");
  files_.Write("b.yaml", "apiVersion: stoker/v1\npolicies:\n  etl:\nserver: {x: 1, y: 2}\n");
  EXPECT_EQ(Mistakes({"a.yaml", "b.yaml"}),
            "b.yaml:3:3: policies.etl: also given at a.yaml:3:3; keep one\n"
            "b.yaml:4:10: server.x: also given at a.yaml:4:10; keep one");
  EXPECT_THAT(ListConfigFiles({"a.yaml", "a.yaml"}, files_).value(), ElementsAre("a.yaml"));
}

TEST_F(LoadDocumentTest, ParsesOnlyFilesThatChanged) {
  const std::string base = "apiVersion: stoker/v1\nserver: {x: 1}\npolicies: {a: {}}\n";
  files_.Write("/c/1.yaml", base);
  files_.Write("/c/2.yaml", "apiVersion: stoker/v1\npolicies: {b: {}}\n");
  ParsedFiles parsed;
  const auto load = [&] {
    Diagnostics diagnostics;
    return LoadDocument({"/c"}, files_, environment_, diagnostics, &parsed);
  };
  ASSERT_TRUE(load());
  ASSERT_EQ(parsed.files.size(), 2U);
  // Seen to be taken over: what it was parsed to says something its text does not.
  Diagnostics none;
  parsed.files.at("/c/1.yaml").root = ParseYaml("policies: {kept: {}}", "/c/1.yaml", none).value();

  files_.Write("/c/2.yaml", "apiVersion: stoker/v1\npolicies: {c: [}\n");
  EXPECT_FALSE(load());
  EXPECT_FALSE(parsed.files.contains("/c/2.yaml")) << "a file with a mistake is told of each time";
  EXPECT_FALSE(load());
  files_.Write("/c/2.yaml", "apiVersion: stoker/v1\npolicies: {c: {}}\n");
  Result<Document> document = load();
  ASSERT_TRUE(document);
  EXPECT_NE(document->policies.Find("kept"), nullptr);
  EXPECT_NE(document->policies.Find("c"), nullptr);
  EXPECT_EQ(document->policies.Find("b"), nullptr);

  files_.Remove("/c/2.yaml");
  files_.Write("/c/1.yaml", base + "\n");
  document = load();
  ASSERT_TRUE(document);
  EXPECT_EQ(document->policies.Find("kept"), nullptr);
  EXPECT_NE(document->policies.Find("a"), nullptr);
  EXPECT_EQ(parsed.files.size(), 1U);
}

TEST_F(LoadDocumentTest, WantsTheVersionInEveryFile) {
  files_.Write("a.yaml", "policies: {}\n");
  files_.Write("b.yaml", "apiVersion: stoker/v2\n");
  files_.Write("c.yaml", "# nothing\n");
  files_.Write("d.yaml", "- apiVersion: stoker/v1\n");
  EXPECT_EQ(
      Mistakes({"a.yaml", "b.yaml", "c.yaml", "d.yaml"}),
      "a.yaml:1:1: missing required key 'apiVersion'; add the line 'apiVersion: stoker/v1'\n"
      "b.yaml:1:13: apiVersion: expected stoker/v1, which is all that this version reads, got "
      "'stoker/v2'\n"
      "c.yaml: missing required key 'apiVersion'; add the line 'apiVersion: stoker/v1'\n"
      "d.yaml:1:1: expected a map of keys, 'apiVersion: stoker/v1' first, got a list");
}

TEST_F(LoadDocumentTest, RefusesOddSections) {
  files_.Write("a.yaml", "apiVersion: stoker/v1\npolicys: {}\nserver: [x]\n");
  EXPECT_EQ(Mistakes({"a.yaml"}),
            "a.yaml:2:1: unknown key 'policys'; did you mean 'policies'?\n"
            "a.yaml:3:9: server: expected a map of keys, got a list");
}

TEST_F(LoadDocumentTest, SaysWhenThereIsNothingToRead) {
  files_.AddFolder("/empty");
  EXPECT_EQ(Mistakes({"/empty"}),
            "/empty: no *.yaml or *.yml file in this folder; add one or name a file");
  EXPECT_EQ(Mistakes({}), "no configuration; name a file or a folder");
  EXPECT_THAT(Mistakes({"/none.yaml"}), HasSubstr("/none.yaml: no such file"));
  files_.Write("/c/a.yaml", "");
  files_.FailOn("/c/a.yaml", {ErrorCode::kPermissionDenied, "/c/a.yaml: permission denied"});
  EXPECT_EQ(Mistakes({"/c"}), "/c/a.yaml: permission denied");
}

TEST_F(LoadDocumentTest, TakesOverridesFromTheEnvironment) {
  files_.Write("a.yaml",
               "apiVersion: stoker/v1\nconnections: {prometheus: {main-eu: {maxAge: 2m}}}\n");
  environment_.Set("STOKER_SERVER__GRPC__LISTEN", "0.0.0.0:7000");
  environment_.Set("STOKER_CONNECTIONS__PROMETHEUS__MAIN_EU__MAX_AGE", "1m");
  environment_.Set("STOKER_CONNECTIONS__PROMETHEUS__MAIN_EU__MAX_CONCURRENT", "4");
  environment_.Set("STOKER_LOG_LEVEL", "debug");
  environment_.Set("STOKER_PORT_6000_TCP", "tcp://10.0.0.1:6000");
  const Document document = Load({"a.yaml"});
  const Node* listen = document.server.Find("grpc")->Find("listen");
  EXPECT_EQ(listen->scalar(), "0.0.0.0:7000");
  EXPECT_EQ(listen->path(), "server.grpc.listen");
  EXPECT_EQ(ToString(listen->position()), "env STOKER_SERVER__GRPC__LISTEN");
  const Node* main = document.connections.Find("prometheus")->Find("main-eu");
  EXPECT_EQ(main->entries().size(), 2U);
  EXPECT_EQ(main->Find("maxAge")->scalar(), "1m");
  EXPECT_EQ(main->Find("maxConcurrent")->scalar(), "4");
}

TEST_F(LoadDocumentTest, ReadsATextInMemoryAlike) {
  environment_.Set("STOKER_SERVER__INLINE__ENABLED", "true");
  Diagnostics diagnostics;
  const Result<Document> good =
      ParseDocument("apiVersion: stoker/v1\n", "built in", environment_, diagnostics);
  ASSERT_TRUE(good) << diagnostics.ToString();
  EXPECT_EQ(good->server.Find("inline")->Find("enabled")->scalar(), "true");
  EXPECT_FALSE(ParseDocument("server: {}", "built in", environment_, diagnostics));
  EXPECT_THAT(diagnostics.ToString(), HasSubstr("built in:1:1: missing required key"));
}

TEST_F(LoadDocumentTest, RefusesOverridesThatFitNowhere) {
  files_.Write("a.yaml",
               "apiVersion: stoker/v1\nserver: {grpc: {listen: x}}\n"
               "policies: {a_b: {combine: max}, ab: {combine: max}}\n");
  environment_.Set("STOKER_SEVER__X", "1");
  environment_.Set("STOKER_SERVER__GRPC", "1");
  environment_.Set("STOKER_SERVER__GRPC__LISTEN__PORT", "1");
  environment_.Set("STOKER_SERVER____X", "1");
  environment_.Set("STOKER_POLICIES__AB__COMBINE", "sum");
  EXPECT_EQ(
      Mistakes({"a.yaml"}),
      "env STOKER_POLICIES__AB__COMBINE: policies: could mean 'a_b' or 'ab'; change it in the "
      "file instead\n"
      "env STOKER_SERVER__GRPC: server.grpc: holds more than one value; the environment can "
      "set single values only\n"
      "env STOKER_SERVER__GRPC__LISTEN__PORT: server.grpc.listen: is not a map, so it has no "
      "key to set\n"
      "env STOKER_SERVER____X: a key is empty; '__' separates keys, as in STOKER_SERVER__X\n"
      "env STOKER_SEVER__X: unknown key 'sever'; did you mean 'server'?");
}

}  // namespace
}  // namespace stoker::config
