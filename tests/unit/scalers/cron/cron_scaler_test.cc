#include "scalers/cron/cron_scaler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "config/node.h"
#include "config/params.h"
#include "core/environment.h"
#include "core/units.h"
#include "tests/testing/signal_test.h"

namespace stoker::scalers {
namespace {

using testing::At;

class CronScaler : public testing::SignalTest {
 protected:
  CronScaler() { RegisterCron(registry_); }

  std::optional<SignalDefinition> ParseYaml(const std::string& yaml) {
    return ParseSignal("type: cron\n" + yaml);
  }
  std::optional<SignalDefinition> ParseMetadata(std::map<std::string, std::string> metadata) {
    metadata["type"] = "cron";
    return ParseSignal(config::Node::FromMetadata(metadata));
  }
  std::string errors() const { return diagnostics_.ToString(); }

  static Observation Poll(Source& source, std::string_view slot) {
    return source.Poll({.slot = At(slot)}).value();
  }
};

constexpr char kOfficeHours[] =
    "timezone: America/New_York\n"
    "start: 0 8 * * MON-FRI\n"
    "end: 0 18 * * MON-FRI\n"
    "desiredReplicas: 10\n";

TEST_F(CronScaler, OpensAndCloses) {
  const auto definition = ParseYaml(kOfficeHours);
  ASSERT_TRUE(definition) << errors();
  EXPECT_EQ(definition->demand.target_size, 1);
  EXPECT_EQ(definition->demand.activation, 0);
  EXPECT_EQ(definition->timing.interval, std::chrono::seconds(15));
  const auto source = definition->make_source();

  Observation closed = Poll(*source, "2026-01-05T12:59:45Z");
  EXPECT_EQ(closed.value, 0);
  EXPECT_FALSE(closed.empty);
  EXPECT_EQ(closed.next_change, At("2026-01-05T13:00:00Z"));
  Observation open = Poll(*source, "2026-01-05T13:00:00Z");
  EXPECT_EQ(open.value, 10);
  EXPECT_EQ(open.next_change, At("2026-01-05T23:00:00Z"));
  EXPECT_EQ(open.detail, "window open, changes at 2026-01-05T23:00:00Z");
}

TEST_F(CronScaler, DependsOnTheSlotAlone) {
  const auto source = ParseYaml(kOfficeHours)->make_source();
  // Forwards, backwards and by leaps: what it remembers must not show.
  for (const char* slot : {"2026-01-05T13:00:00Z",
                           "2026-01-05T12:00:00Z",
                           "2026-07-06T12:00:00Z",
                           "2026-01-05T22:59:59Z",
                           "2026-01-10T15:00:00Z",
                           "2026-01-05T13:00:00Z"}) {
    const auto fresh = ParseYaml(kOfficeHours)->make_source();
    EXPECT_EQ(Poll(*source, slot).value, Poll(*fresh, slot).value) << slot;
    EXPECT_EQ(Poll(*source, slot).next_change, Poll(*fresh, slot).next_change) << slot;
  }
}

TEST_F(CronScaler, TellsWhatIsToCome) {
  const auto source = ParseYaml(kOfficeHours)->make_source();
  using Changes = std::vector<ScheduledChange>;
  const ScheduledChange opens{At("2026-01-05T13:00:00Z"), 10};
  const ScheduledChange closes{At("2026-01-05T23:00:00Z"), 0};
  EXPECT_EQ(*Poll(*source, "2026-01-05T12:00:00Z").upcoming, (Changes{opens, closes}));
  EXPECT_EQ(*Poll(*source, "2026-01-06T01:00:00Z").upcoming,
            (Changes{{At("2026-01-06T13:00:00Z"), 10}}));
  EXPECT_TRUE(Poll(*source, "2026-01-10T15:00:00Z").upcoming->empty()) << "on Saturday";
}

// What replicas that polled at different times tell is the same, as far as it is looked at.
TEST_F(CronScaler, TellsTheSameFromAnyPoll) {
  const auto source = ParseYaml(kOfficeHours)->make_source();
  const auto ahead = [](const Observation& observation, WallTime slot) {
    std::vector<ScheduledChange> changes;
    for (const ScheduledChange& change : *observation.upcoming) {
      if (change.time > slot && change.time <= slot + kScheduleAhead) changes.push_back(change);
    }
    return changes;
  };
  std::size_t told = 0;
  for (WallTime slot = At("2026-01-08T00:00:00Z"); slot < At("2026-01-13T00:00:00Z");
       slot += std::chrono::minutes(17)) {
    const auto fresh = ParseYaml(kOfficeHours)->make_source();
    const auto changes = ahead(Poll(*source, FormatTime(slot)), slot);
    ASSERT_EQ(changes, ahead(Poll(*fresh, FormatTime(slot)), slot)) << FormatTime(slot);
    told += changes.size();
  }
  EXPECT_GT(told, 50U);
}

TEST_F(CronScaler, SeveralWindows) {
  const auto definition = ParseYaml(
      "timezone: UTC\n"
      "desiredReplicas: 4\n"
      "lead: 10m\n"
      "skipDates: [2026-01-06]\n"
      "windows:\n"
      "  - {start: 0 8 * * *, end: 0 18 * * *}\n"
      "  - {start: 0 12 * * *, end: 0 13 * * *, desiredReplicas: 9}\n");
  ASSERT_TRUE(definition) << errors();
  const auto source = definition->make_source();
  EXPECT_EQ(Poll(*source, "2026-01-05T07:49:45Z").value, 0);
  EXPECT_EQ(Poll(*source, "2026-01-05T07:50:00Z").value, 4);
  EXPECT_EQ(Poll(*source, "2026-01-05T11:50:00Z").value, 9);
  EXPECT_EQ(Poll(*source, "2026-01-05T13:00:00Z").value, 4);
  EXPECT_EQ(Poll(*source, "2026-01-06T12:30:00Z").value, 0);
}

TEST_F(CronScaler, TakesKedasMetadata) {
  const auto definition = ParseMetadata({{"timezone", "Asia/Kolkata"},
                                         {"start", "30 * * * *"},
                                         {"end", "45 * * * *"},
                                         {"desiredReplicas", "3"},
                                         {"skipDates", "2026-12-25, 2027-01-01"},
                                         {"lead", "0s"}});
  ASSERT_TRUE(definition) << errors();
  EXPECT_EQ(Poll(*definition->make_source(), "2026-01-05T00:01:00Z").value, 3);
}

TEST_F(CronScaler, OneSourceForEqualSignals) {
  const std::string key = ParseYaml(kOfficeHours)->source_key;
  EXPECT_EQ(key, ParseYaml(kOfficeHours + std::string("maxAge: 5m\n"))->source_key);
  for (const char* other :
       {"timezone: America/Toronto\nstart: 0 8 * * MON-FRI\n"
        "end: 0 18 * * MON-FRI\ndesiredReplicas: 10\n",
        "timezone: America/New_York\nstart: 0 9 * * MON-FRI\n"
        "end: 0 18 * * MON-FRI\ndesiredReplicas: 10\n",
        "timezone: America/New_York\nstart: 0 8 * * MON-FRI\n"
        "end: 0 18 * * MON-FRI\ndesiredReplicas: 11\n",
        "timezone: America/New_York\nstart: 0 8 * * MON-FRI\n"
        "end: 0 18 * * MON-FRI\ndesiredReplicas: 10\nlead: 5m\n",
        "timezone: America/New_York\nstart: 0 8 * * MON-FRI\n"
        "end: 0 18 * * MON-FRI\ndesiredReplicas: 10\nskipDates: [2026-12-25]\n"}) {
    EXPECT_NE(key, ParseYaml(other)->source_key) << other;
  }
}

TEST_F(CronScaler, RefusesWithPlaceAndMend) {
  struct Case {
    const char* yaml;
    const char* message;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"start: 0 8 * * *\nend: 0 9 * * *\ndesiredReplicas: 1\n",
            "missing required key 'timezone'"},
           {"timezone: Mars/Olympus\nstart: 0 8 * * *\nend: 0 9 * * *\ndesiredReplicas: 1\n",
            "a.yaml:2:11: timezone: unknown time zone; use an IANA name"},
           {"timezone: UTC\nend: 0 9 * * *\ndesiredReplicas: 1\n", "every window needs 'start'"},
           {"timezone: UTC\nstart: 0 9 * * *\ndesiredReplicas: 1\n", "every window needs 'end'"},
           {"timezone: UTC\nstart: 0 8 * * *\nend: 0 9 * * *\n", "'desiredReplicas' is missing"},
           {"timezone: UTC\nstart: 0 8 * * *\nend: 0 9 * * *\ndesiredReplicas: 0\n",
            "a.yaml:5:18: desiredReplicas: "},
           {"timezone: UTC\nstart: 0 24 * * *\nend: 0 9 * * *\ndesiredReplicas: 1\n",
            "a.yaml:3:8: start: start is not a cron expression that can be used: the hour "
            "field"},
           {"timezone: UTC\nstart: 0 8 * * *\nend: 0 0 30 2 *\ndesiredReplicas: 1\n",
            "a.yaml:4:6: end: end is not a cron expression that can be used: it never fires"},
           {"timezone: UTC\nstart: 0 8 * * *\nend: 00 08 * * ?\ndesiredReplicas: 1\n",
            "the window would always be open"},
           {"timezone: UTC\nstart: 0 8 * * *\nend: 0 9 * * *\ndesiredReplicas: 1\n"
            "skipDates: [2026-02-29]\n",
            "write each date as YYYY-MM-DD"},
           {"timezone: UTC\nstart: 0 8 * * *\nend: 0 9 * * *\ndesiredReplicas: 1\nlead: 25h\n",
            "lead: "},
           {"timezone: UTC\ndesiredReplicas: 1\nwindows: []\n", "write a list of one to 100"},
           {"timezone: UTC\ndesiredReplicas: 1\nwindows: [{start: 0 8 * * *}]\n",
            "every window needs 'end'"},
           {"timezone: UTC\ndesiredReplicas: 1\nwindows: [{start: 0 8 * * *, ends: 0 9 * * *}]\n",
            "did you mean 'end'?"},
           {"timezone: UTC\nstart: 0 8 * * *\nend: 0 9 * * *\ndesiredReplicas: 1\n"
            "windows: [{start: 0 8 * * *, end: 0 9 * * *}]\n",
            "not both"},
       }) {
    EXPECT_FALSE(ParseYaml(c.yaml)) << c.yaml;
    EXPECT_NE(errors().find(c.message), std::string::npos) << c.yaml << "says " << errors();
  }
}

TEST_F(CronScaler, NeverRepeatsAMetadataValue) {
  const std::map<std::string, std::string> good = {{"timezone", "UTC"},
                                                   {"start", "0 8 * * *"},
                                                   {"end", "0 9 * * *"},
                                                   {"desiredReplicas", "1"},
                                                   {"lead", "1m"},
                                                   {"skipDates", "2026-12-25"}};
  ASSERT_TRUE(ParseMetadata(good)) << errors();
  for (const auto& [key, value] : good) {
    for (const char* bad : {"s3cr3t", "s3cr3t 8 * * *", "0 8 s3cr3t * *"}) {
      auto metadata = good;
      metadata[key] = bad;
      EXPECT_FALSE(ParseMetadata(metadata)) << key;
      EXPECT_EQ(errors().find("s3cr3t"), std::string::npos) << errors();
      EXPECT_NE(errors().find(key), std::string::npos) << errors();
    }
  }
  EXPECT_FALSE(ParseMetadata({{"timezone", "UTC"}, {"windows", "s3cr3t"}}));
  EXPECT_EQ(errors().find("s3cr3t"), std::string::npos) << errors();
}

// docs/reference/signals/cron.md: its table is the declared one, and its examples work.
TEST_F(CronScaler, IsDocumented) {
  const std::string page = SystemFileSystem().Read("docs/reference/signals/cron.md").value();
  EXPECT_THAT(page,
              ::testing::HasSubstr(config::MarkdownTable(registry_.signal_types()[0].params)));

  const std::string fence = "```yaml\n";
  int examples = 0;
  for (std::size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at + 1)) {
    const std::size_t begin = at + fence.size();
    config::Diagnostics none;
    const auto example =
        config::ParseYaml(page.substr(begin, page.find("```", begin) - begin), "cron.md", none);
    ASSERT_TRUE(example) << none.ToString();
    for (const auto& signal : example->Find("signals")->entries()) {
      EXPECT_TRUE(ParseSignal(signal.value)) << errors();
      ++examples;
    }
  }
  EXPECT_EQ(examples, 2);
}

TEST_F(CronScaler, TellsThePastByArithmetic) {
  const auto definition = ParseYaml(kOfficeHours);
  ASSERT_TRUE(definition) << errors();
  const auto source = definition->make_source();
  const auto asked_before = Poll(*source, "2026-06-01T00:00:00Z");
  const SlotSpan span{
      At("2026-03-06T00:00:00Z"), At("2026-03-09T23:45:00Z"), std::chrono::minutes(15)};
  const auto past = source->PastReadings(span, MonoTime{}, {});
  ASSERT_TRUE(past) << past.error().message;
  ASSERT_EQ(past->size(), 4 * 24 * 4);
  const auto other = definition->make_source();
  for (const Reading& reading : *past) {
    const auto polled = other->Poll({.slot = reading.time});
    EXPECT_EQ(reading, ToReading(reading.time, polled)) << FormatTime(reading.time);
  }
  EXPECT_EQ(Poll(*source, "2026-06-01T00:00:00Z").value, asked_before.value);
}

}  // namespace
}  // namespace stoker::scalers
