#include "config/node.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::config {
namespace {

using ::testing::HasSubstr;

Node Parse(std::string_view text) {
  Diagnostics diagnostics;
  Result<Node> node = ParseYaml(text, "a.yaml", diagnostics);
  EXPECT_TRUE(diagnostics.empty()) << diagnostics.ToString();
  return node.value_or(Node());
}

std::string Mistakes(std::string_view text, std::size_t max_nodes = 1000) {
  Diagnostics diagnostics;
  const Result<Node> node = ParseYaml(text, "a.yaml", diagnostics, max_nodes);
  EXPECT_EQ(node.has_value(), diagnostics.empty());
  return diagnostics.ToString();
}

TEST(ParseYaml, KeepsPositionsAndPaths) {
  const Node root = Parse("policies:\n  etl:\n    namespaces: [a, 'b']\n    combine:  max\n");
  const Node* etl = root.Find("policies")->Find("etl");
  ASSERT_NE(etl, nullptr);
  EXPECT_EQ(ToString(etl->position()), "a.yaml:3:5");
  EXPECT_EQ(etl->path(), "policies.etl");
  EXPECT_EQ(ToString(etl->entries()[1].key_position), "a.yaml:4:5");
  const Node* combine = etl->Find("combine");
  EXPECT_EQ(combine->scalar(), "max");
  EXPECT_EQ(ToString(combine->position()), "a.yaml:4:15");
  EXPECT_EQ(combine->path(), "policies.etl.combine");
  EXPECT_EQ(etl->Find("namespaces")->items()[1].path(), "policies.etl.namespaces[1]");
  EXPECT_EQ(etl->Find("min"), nullptr);
}

TEST(ParseYaml, KeepsScalarsAsWritten) {
  const Node root = Parse("a: 010\nb: '010'\nc: 1e3\nd: |\n  x\n  y\ne: yes\nf: \"a\\tb\"\n");
  EXPECT_EQ(root.Find("a")->scalar(), "010");
  EXPECT_EQ(root.Find("b")->scalar(), "010");
  EXPECT_EQ(root.Find("c")->scalar(), "1e3");
  EXPECT_EQ(root.Find("d")->scalar(), "x\ny\n");
  EXPECT_EQ(root.Find("e")->scalar(), "yes");
  EXPECT_EQ(root.Find("f")->scalar(), "a\tb");
}

TEST(ParseYaml, TellsNullFromEmptyText) {
  const Node root = Parse("a:\nb: ~\nc: null\nd: ''\ne: 'null'\n");
  EXPECT_TRUE(root.Find("a")->IsNull());
  EXPECT_TRUE(root.Find("b")->IsNull());
  EXPECT_TRUE(root.Find("c")->IsNull());
  EXPECT_TRUE(root.Find("d")->IsScalar());
  EXPECT_TRUE(root.Find("e")->IsScalar());
  EXPECT_TRUE(Parse("").IsNull());
  EXPECT_TRUE(Parse("# only a comment\n").IsNull());
}

TEST(ParseYaml, KeepsTheEndOfBlockText) {
  EXPECT_EQ(Parse("a: |\n  x\n\n").Find("a")->scalar(), "x\n");
  EXPECT_EQ(Parse("a: |+\n  x\n\n").Find("a")->scalar(), "x\n\n");
  EXPECT_EQ(Parse("a: |-\n  x\n\n").Find("a")->scalar(), "x");
  EXPECT_EQ(Parse("a: |\n  x").Find("a")->scalar(), "x\n");
  EXPECT_EQ(Parse("a: x\n...\n").Find("a")->scalar(), "x");
}

TEST(ParseYaml, ExpandsAliases) {
  const Node root = Parse("a: &x {k: [1, 2]}\nb: *x\n");
  EXPECT_EQ(root.Find("b")->Find("k")->items()[1].scalar(), "2");
  EXPECT_EQ(root.Find("b")->Find("k")->items()[1].path(), "b.k[1]");
}

TEST(ParseYaml, ReportsAllDuplicateKeys) {
  EXPECT_EQ(Mistakes("a: 1\nb: {c: 1, c: 2}\na: 2\n"),
            "a.yaml:2:11: key 'c' is given twice, first in line 2; keep one\n"
            "a.yaml:3:1: key 'a' is given twice, first in line 1; keep one");
}

TEST(ParseYaml, RefusesAliasBombs) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 9; ++j) bomb += ", " + before;
    bomb += "]\n";
  }
  EXPECT_THAT(Mistakes(bomb, 100'000), HasSubstr("too large once its aliases are expanded"));
}

TEST(ParseYaml, CountsLongTextAndLongPathsAsNodes) {
  const std::string long_text(100'000, 'x');
  EXPECT_THAT(Mistakes("a: " + long_text), HasSubstr("too large"));
  std::string wide = "k" + std::string(200, 'k') + ": [";
  for (int i = 0; i < 500; ++i) wide += "1, ";
  EXPECT_THAT(Mistakes(wide + "1]"), HasSubstr("too large"));
  EXPECT_EQ(Mistakes(wide + "1]", 10'000), "");
}

TEST(ParseYaml, RefusesAnAliasInsideItself) {
  EXPECT_THAT(Mistakes("a: &a [*a]"), HasSubstr("a.yaml:1:8: not usable YAML: an alias may not"));
}

TEST(ParseYaml, RefusesDeepNesting) {
  EXPECT_EQ(Mistakes(std::string(90, '[') + std::string(90, ']')), "");
  EXPECT_THAT(Mistakes(std::string(101, '[') + std::string(101, ']')), HasSubstr("at most 100"));
  EXPECT_THAT(Mistakes(std::string(200'000, '[')), HasSubstr("not usable YAML"));
  EXPECT_THAT(Mistakes(std::string(200'000, '{')), HasSubstr("not usable YAML"));
  std::string chain = "a0: &a0 [" + std::string(60, '[') + std::string(60, ']') + "]\n";
  chain += "a1: [" + std::string(60, '[') + "*a0" + std::string(60, ']') + "]\n";
  EXPECT_THAT(Mistakes(chain), HasSubstr("nested too deeply"));
}

TEST(ParseYaml, RefusesOddKeys) {
  EXPECT_THAT(Mistakes("[a]: 1"), HasSubstr("a key must be plain text"));
  EXPECT_THAT(Mistakes("{a: 1}: 1"), HasSubstr("a key must be plain text"));
  EXPECT_THAT(Mistakes("~: 1"), HasSubstr("a key must be plain text"));
  EXPECT_THAT(Mistakes("\"a\\nb\": 1"), HasSubstr("a key must be one line"));
}

TEST(ParseYaml, RefusesWhatIsNoYaml) {
  for (const char* text : {"a: 'x\nb: 2\n", "a: \"x\n", "a: 'x", "a: \"x\n\n"}) {
    EXPECT_THAT(Mistakes(text), HasSubstr("not usable YAML: a quote is not closed")) << text;
  }
  EXPECT_THAT(Mistakes("a: [1, 2\nb: 3\n"), HasSubstr("not usable YAML: a '[' is not closed"));
  EXPECT_THAT(Mistakes("a: {b: 1\n"), HasSubstr("a '{' is not closed"));
  EXPECT_EQ(Mistakes("a: b: c\n"),
            "a.yaml:1:5: not usable YAML: wrong indentation, or a text with ': ' in it that needs "
            "quotes");
  EXPECT_THAT(Mistakes("a:\n  b: 1\n c: 2\n"), HasSubstr("a.yaml:3:2: not usable YAML: wrong ind"));
  EXPECT_THAT(Mistakes("a: @b\n"), HasSubstr("a.yaml:1:4: not usable YAML: a text that starts"));
  EXPECT_THAT(Mistakes("a: *b\n"), HasSubstr("a text that starts with * needs quotes"));
  EXPECT_THAT(Mistakes("a:\n\t- b\n"), HasSubstr("a.yaml:2:"));
  EXPECT_EQ(Mistakes(std::string("a: b\nc: \0", 9)),
            "a.yaml:2:4: control characters are not allowed in YAML; save it as UTF-8");
}

TEST(ParseYaml, RefusesASecondDocument) {
  EXPECT_EQ(Mistakes("a: 1\n---\nb: 2\n"),
            "a.yaml:3:1: a second YAML document; keep one, without '---' in between");
  EXPECT_EQ(Mistakes("---\na: 1\n...\n"), "");
}

TEST(ParseYamlStream, LeavesOutEmptyDocuments) {
  Diagnostics diagnostics;
  const auto documents =
      ParseYamlStream("---\n---\na: 1\n---\n# none\n---\nb: 2\n", "s", diagnostics);
  ASSERT_TRUE(documents);
  ASSERT_EQ(documents->size(), 2U);
  EXPECT_EQ(ToString((*documents)[1].position()), "s:7:1");
}

TEST(Node, FromMetadataHidesValues) {
  const Node node = Node::FromMetadata({{"query", "secret"}, {"type", "prometheus"}});
  EXPECT_TRUE(node.from_metadata());
  EXPECT_TRUE(node.confidential());
  EXPECT_TRUE(node.Find("query")->from_metadata());
  EXPECT_EQ(node.Find("query")->Quoted(), "the value");
  EXPECT_EQ(node.Find("query")->path(), "query");
  EXPECT_EQ(ToString(node.position()), "metadata");
}

TEST(Node, QuotesOnlyShortPrintableText) {
  EXPECT_EQ(Node::Scalar("abc", {}, "").Quoted(), "'abc'");
  EXPECT_EQ(Node::Scalar("", {}, "").Quoted(), "''");
  EXPECT_EQ(Node::Scalar(std::string(61, 'x'), {}, "").Quoted(), "the value");
  EXPECT_EQ(Node::Scalar("a\nb", {}, "").Quoted(), "the value");
}

TEST(Node, ConfidentialReachesBelow) {
  Node node = Parse("a: {b: [x]}");
  node.set_confidential();
  EXPECT_EQ(node.Find("a")->Find("b")->items()[0].Quoted(), "the value");
}

TEST(Diagnostic, LeavesOutWhatItDoesNotKnow) {
  EXPECT_EQ(Format({{std::make_shared<const std::string>("f"), 1, 2}, "a.b", "no"}),
            "f:1:2: a.b: no");
  EXPECT_EQ(Format({{std::make_shared<const std::string>("f"), 0, 0}, "", "no"}), "f: no");
  EXPECT_EQ(Format({{}, "", "no"}), "no");
}

}  // namespace
}  // namespace stoker::config
