#include "config/params.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

enum class Color { kRed, kGreen };

struct Inner {
  std::string name;
};

struct Settings {
  std::string query;
  std::string bucket;
  double threshold = 1;
  int count = 3;
  bool flag = false;
  Duration interval = std::chrono::seconds(15);
  Bytes size;
  Percent headroom;
  std::vector<std::string> list;
  std::map<std::string, std::string> map;
  std::optional<int> maybe;
  Color color = Color::kRed;
  std::optional<Color> other;
  std::optional<Inner> inner;
};

const ParamTable<Settings>& Table() {
  static const auto kTable =
      ParamTable<Settings>()
          .Add("query", &Settings::query, {.help = "Q.", .required = true, .non_empty = true})
          .Add("bucket", &Settings::bucket, {.help = "B.", .aliases = {"bucketName"}})
          .Add("threshold", &Settings::threshold, {.help = "T.", .min = 0, .above_min = true})
          .Add("count", &Settings::count, {.help = "C.", .min = 0, .max = 10})
          .Add("flag", &Settings::flag, {.help = "F."})
          .Add("interval", &Settings::interval, {.help = "I.", .min = 1, .max = 3600})
          .Add("size", &Settings::size, {.help = "S.", .max = 1 << 30})
          .Add("headroom", &Settings::headroom, {.help = "H.", .min = 0, .max = 1})
          .Add("list", &Settings::list, {.help = "L.", .non_empty = true})
          .Add("map", &Settings::map, {.help = "M."})
          .Add("maybe", &Settings::maybe, {.help = "O."})
          .AddChoice("color",
                     &Settings::color,
                     {{"red", Color::kRed}, {"green", Color::kGreen}},
                     {.help = "K."})
          .AddChoice("other",
                     &Settings::other,
                     {{"red", Color::kRed}, {"green", Color::kGreen}},
                     {.help = "K."})
          .AddObject(
              "inner",
              &Settings::inner,
              ParamTable<Inner>().Add("name", &Inner::name, {.help = "N.", .required = true}),
              {.help = "N."});
  return kTable;
}

/// Reads `text` and returns the mistakes, one a line.
std::string Read(std::string_view text, Settings& out) {
  Diagnostics diagnostics;
  const Result<Node> node = ParseYaml(text, "a.yaml", diagnostics);
  if (node) {
    const bool good = Table().Read(*node, out, diagnostics);
    EXPECT_EQ(good, diagnostics.empty());
  }
  return diagnostics.ToString();
}

std::string Mistakes(std::string_view text) {
  Settings out;
  return Read("query: q\n" + std::string(text), out);
}

std::string ReadMetadata(const std::map<std::string, std::string>& metadata, Settings& out) {
  Diagnostics diagnostics;
  Table().Read(Node::FromMetadata(metadata), out, diagnostics);
  return diagnostics.ToString();
}

TEST(ParamTable, FillsEveryType) {
  Settings out;
  EXPECT_EQ(Read("query: sum(x)\nbucketName: b\nthreshold: '2.5'\ncount: 4\nflag: true\n"
                 "interval: 1m\nsize: 1m\nheadroom: 25%\nlist: [a, b]\nmap: {k: 1}\nmaybe: 7\n"
                 "color: green\nother: green\ninner: {name: n}\n",
                 out),
            "");
  EXPECT_EQ(out.query, "sum(x)");
  EXPECT_EQ(out.bucket, "b");
  EXPECT_DOUBLE_EQ(out.threshold, 2.5);
  EXPECT_EQ(out.count, 4);
  EXPECT_TRUE(out.flag);
  EXPECT_EQ(out.interval, std::chrono::minutes(1));
  EXPECT_EQ(out.size.value, 1 << 20);
  EXPECT_DOUBLE_EQ(out.headroom.fraction, 0.25);
  EXPECT_THAT(out.list, ElementsAre("a", "b"));
  EXPECT_THAT(out.map, ElementsAre(Pair("k", "1")));
  EXPECT_EQ(out.maybe, 7);
  EXPECT_EQ(out.color, Color::kGreen);
  EXPECT_EQ(out.other, Color::kGreen);
  EXPECT_EQ(out.inner->name, "n");
}

TEST(ParamTable, KeepsWhatIsNotGiven) {
  Settings out;
  EXPECT_EQ(Read("query: q\ncount:\nlist: ~\n", out), "");
  EXPECT_EQ(out.count, 3);
  EXPECT_FALSE(out.maybe.has_value());
  EXPECT_FALSE(out.other.has_value());
}

TEST(ParamTable, IncludesTheKeysOfAPart) {
  struct Whole {
    int count = 0;
    Inner part;
  };
  const auto table =
      ParamTable<Whole>()
          .Add("count", &Whole::count, {.help = "C."})
          .Include(&Whole::part,
                   ParamTable<Inner>().Add("name", &Inner::name, {.help = "N.", .required = true}));
  ASSERT_EQ(table.infos().size(), 2U);
  EXPECT_EQ(table.infos()[1].key, "name");
  Diagnostics diagnostics;
  Whole whole;
  EXPECT_TRUE(table.Read(
      ParseYaml("{name: n, count: 3}", "a.yaml", diagnostics).value(), whole, diagnostics));
  EXPECT_EQ(whole.count, 3);
  EXPECT_EQ(whole.part.name, "n");
  EXPECT_FALSE(
      table.Read(ParseYaml("count: 3", "a.yaml", diagnostics).value(), whole, diagnostics));
  EXPECT_EQ(diagnostics.ToString(), "a.yaml:1:1: missing required key 'name'");
}

TEST(ParamTable, NamesTheNearestKey) {
  EXPECT_EQ(Mistakes("trehsold: 1"),
            "a.yaml:2:1: unknown key 'trehsold'; did you mean 'threshold'?");
  EXPECT_EQ(Mistakes("bucketname: b"),
            "a.yaml:2:1: unknown key 'bucketname'; did you mean 'bucketName'?");
  EXPECT_EQ(Mistakes("inner: {name: a, zzzzzz: 1}"),
            "a.yaml:2:18: inner: unknown key 'zzzzzz'; known keys: name");
}

TEST(ParamTable, ReportsMissingKeysWhereTheMapStands) {
  Settings out;
  EXPECT_EQ(Read("count: 1", out), "a.yaml:1:1: missing required key 'query'");
  EXPECT_EQ(Read("query:\n", out), "a.yaml:1:1: missing required key 'query'");
  EXPECT_EQ(Mistakes("inner: {}"), "a.yaml:2:8: inner: missing required key 'name'");
  EXPECT_EQ(Read("", out), "a.yaml: missing required key 'query'");
}

TEST(ParamTable, RefusesTwoSpellingsOfOneKey) {
  EXPECT_EQ(Mistakes("bucketName: a\nbucket: b"),
            "a.yaml:3:1: 'bucket' and its alias 'bucketName' are both given; keep one");
}

TEST(ParamTable, CollectsAllMistakes) {
  EXPECT_EQ(Mistakes("count: x\nflag: yes\n"),
            "a.yaml:2:8: count: expected a whole number such as 3, got 'x'\n"
            "a.yaml:3:7: flag: expected true or false, got 'yes'");
}

TEST(ParamTable, SaysWhatWasExpected) {
  EXPECT_THAT(Mistakes("interval: abc"),
              HasSubstr("interval: expected a duration such as 15s, got 'abc'"));
  EXPECT_THAT(Mistakes("interval: 15"),
              HasSubstr("interval: a duration needs a unit, such as 15s or 5m, got '15'"));
  EXPECT_THAT(Mistakes("interval: [1s]"),
              HasSubstr("interval: expected a duration such as 15s, got a list"));
  EXPECT_THAT(Mistakes("threshold: {a: 1}"),
              HasSubstr("threshold: expected a number such as 2.5, got a map"));
  EXPECT_THAT(Mistakes("bucket: [a]"), HasSubstr("bucket: expected text, got a list"));
  EXPECT_THAT(Mistakes("list: a"), HasSubstr("list: expected a list such as [a, b], got 'a'"));
  EXPECT_THAT(Mistakes("list: [[a]]"), HasSubstr("list[0]: expected text, got a list"));
  EXPECT_THAT(Mistakes("map: a"), HasSubstr("map: expected a map such as {a: b}, got 'a'"));
  EXPECT_THAT(Mistakes("inner: a"), HasSubstr("inner: expected a map of keys, got 'a'"));
  EXPECT_THAT(Mistakes("color: gren"),
              HasSubstr("color: expected one of red, green, got 'gren'; did you mean 'green'?"));
  EXPECT_THAT(Mistakes("headroom: 0.25"), HasSubstr("a percentage needs its sign"));
}

TEST(ParamTable, KeepsToBounds) {
  EXPECT_THAT(Mistakes("threshold: 0"), HasSubstr("threshold: must be above 0, got '0'"));
  EXPECT_THAT(Mistakes("count: -1"), HasSubstr("count: must be at least 0, got '-1'"));
  EXPECT_THAT(Mistakes("count: 11"), HasSubstr("count: must be at most 10, got '11'"));
  EXPECT_THAT(Mistakes("interval: 500ms"), HasSubstr("interval: must be at least 1s, got '500ms'"));
  EXPECT_THAT(Mistakes("interval: 2h"), HasSubstr("interval: must be at most 1h, got '2h'"));
  EXPECT_THAT(Mistakes("size: 2g"), HasSubstr("size: must be at most 1g, got '2g'"));
  EXPECT_THAT(Mistakes("headroom: 150%"), HasSubstr("headroom: must be at most 100%"));
  EXPECT_THAT(Mistakes("maybe: 99999999999"), HasSubstr("maybe: the number is out of range"));
  for (const char* number : {"nan", "inf", "0x10", "-.inf", ".nan", "1,5"}) {
    EXPECT_THAT(Mistakes("threshold: '" + std::string(number) + "'"),
                HasSubstr("expected a number"))
        << number;
  }
}

TEST(ParamTable, RefusesEmptyWhereAValueIsNeeded) {
  Settings out;
  EXPECT_EQ(Read("query: ' '", out), "a.yaml:1:8: query: must not be empty");
  EXPECT_THAT(Mistakes("list: []"), HasSubstr("list: must not be empty"));
}

TEST(ParamTableInMetadata, ReadsTextForms) {
  Settings out;
  EXPECT_EQ(
      ReadMetadata({{"query", "q"}, {"list", "a, b"}, {"map", "k=v, l=a=b"}, {"flag", "T"}}, out),
      "");
  EXPECT_THAT(out.list, ElementsAre("a", "b"));
  EXPECT_THAT(out.map, ElementsAre(Pair("k", "v"), Pair("l", "a=b")));
  EXPECT_TRUE(out.flag);
}

TEST(ParamTableInMetadata, TakesFromEnvForEverySpelling) {
  Settings out;
  EXPECT_EQ(ReadMetadata({{"queryFromEnv", "q"}, {"bucketNameFromEnv", "b"}}, out), "");
  EXPECT_EQ(out.query, "q");
  EXPECT_EQ(out.bucket, "b");
  EXPECT_EQ(ReadMetadata({{"query", "q"}, {"queryFromEnv", "r"}}, out),
            "metadata: 'query' and 'queryFromEnv' are both given; keep one");
  EXPECT_THAT(Mistakes("bucketFromEnv: b"), HasSubstr("unknown key 'bucketFromEnv'"));
}

TEST(ParamTableInMetadata, NeverShowsValues) {
  Settings out;
  const std::string mistakes = ReadMetadata({{"query", "q"},
                                             {"threshold", "s3cret"},
                                             {"count", "99s3cret"},
                                             {"color", "s3cret"},
                                             {"flag", "s3cret"},
                                             {"interval", "s3cret"},
                                             {"map", "s3cret"}},
                                            out);
  EXPECT_THAT(mistakes, Not(HasSubstr("s3cret")));
  EXPECT_THAT(mistakes, HasSubstr("metadata: threshold: expected a number such as 2.5"));
  EXPECT_THAT(mistakes, HasSubstr("metadata: color: expected one of red, green\n"));
}

TEST(UnknownKeyMessage, ShowsNoUnprintableKey) {
  EXPECT_EQ(UnknownKeyMessage("a\nb", {}),
            "unknown key (too long or not printable); no keys are known here");
}

}  // namespace
}  // namespace stoker::config
