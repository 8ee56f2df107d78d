#include "tests/contract/scaler_contract.h"

#include <cmath>
#include <ostream>
#include <utility>

#include "tests/testing/fake_waiter.h"

namespace stoker::testing {
namespace {

using scalers::Observation;
using scalers::SignalDefinition;
using scalers::Source;

std::string Yaml(const ScalerFixture::Keys& keys) {
  std::string yaml;
  for (const auto& [key, value] : keys) {
    yaml += key + ": '";
    for (const char c : value) yaml += c == '\'' ? std::string("''") : std::string(1, c);
    yaml += "'\n";
  }
  return yaml;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const ScalerFixture* fixture) {
  return out << fixture->type;
}

ScalerContract::ScalerContract() {
  fixture().add(registry_, std::make_shared<FakeWaiter>(world_.clock));
  fixture().healthy(world_);
  if (fixture().connections.empty()) return;
  EXPECT_EQ(ParseConnections(fixture().connections), "");
}

std::optional<SignalDefinition> ScalerContract::ParseNode(const config::Node& node,
                                                          bool inline_object) {
  auto definition = ParseSignal(node, inline_object ? "team" : "", inline_object);
  if (definition) timeout_ = definition->timing.timeout;
  return definition;
}

std::optional<SignalDefinition> ScalerContract::Parse(const ScalerFixture::Keys& changes) {
  ScalerFixture::Keys keys = fixture().signal;
  keys["type"] = fixture().type;
  for (const auto& [key, value] : changes) keys[key] = value;
  config::Diagnostics none;
  return ParseNode(config::ParseYaml(Yaml(keys), "contract.yaml", none).value(), false);
}

std::optional<SignalDefinition> ScalerContract::ParseWithout(const std::string& key) {
  ScalerFixture::Keys keys = fixture().signal;
  keys["type"] = fixture().type;
  keys.erase(key);
  config::Diagnostics none;
  return ParseNode(config::ParseYaml(Yaml(keys), "contract.yaml", none).value(), false);
}

std::optional<SignalDefinition> ScalerContract::ParseMetadata(const ScalerFixture::Keys& keys) {
  ScalerFixture::Keys metadata = keys;
  metadata["type"] = fixture().type;
  return ParseNode(config::Node::FromMetadata(metadata), true);
}

std::unique_ptr<Source> ScalerContract::MakeSource() {
  const auto definition = Parse();
  EXPECT_TRUE(definition) << diagnostics_.ToString();
  return definition ? definition->make_source() : nullptr;
}

Result<Observation> ScalerContract::Poll(Source& source, std::stop_token stop) {
  return source.Poll({.slot = world_.clock.WallNow(),
                      .deadline = world_.clock.MonotonicNow() + timeout_,
                      .stop = std::move(stop)});
}

Result<std::vector<Reading>> ScalerContract::Past(Source& source, const std::stop_token& stop) {
  const WallTime now = world_.clock.WallNow();
  return source.PastReadings({now - 9 * std::chrono::minutes(1), now, std::chrono::minutes(1)},
                             world_.clock.MonotonicNow() + timeout_,
                             stop);
}

void ScalerContract::ExpectNoSecret(const std::string& text) {
  for (const std::string& secret : fixture().secrets) {
    EXPECT_EQ(text.find(secret), std::string::npos) << "a secret shows in: " << text;
    EXPECT_EQ(world_.logger.text().find(secret), std::string::npos) << "a secret is logged";
  }
}

TEST_P(ScalerContract, ReadsANumber) {
  const auto source = MakeSource();
  ASSERT_TRUE(source);
  for (int i = 0; i < 3; ++i) {
    const auto observation = Poll(*source);
    ASSERT_TRUE(observation) << observation.error().message;
    EXPECT_FALSE(observation->empty);
    EXPECT_EQ(observation->value, fixture().value);
    EXPECT_FALSE(observation->at_least) << "counted less than everything, unasked";
    ExpectNoSecret(observation->detail);
  }
}

TEST_P(ScalerContract, FaultIsAnErrorAndHeals) {
  for (const Upstream& fault : fixture().faults) {
    SCOPED_TRACE(fault.name);
    fixture().healthy(world_);
    const auto source = MakeSource();
    ASSERT_TRUE(source);
    ASSERT_TRUE(Poll(*source));
    fault.set(world_);
    for (int i = 0; i < 2; ++i) {
      const auto observation = Poll(*source);
      ASSERT_FALSE(observation) << "a fault must not read as " << observation->value
                                << (observation->empty ? " (empty)" : "");
      EXPECT_NE(observation.error().code, ErrorCode::kInternal) << observation.error().message;
      EXPECT_FALSE(observation.error().message.empty());
      EXPECT_EQ(observation.error().message.find('\n'), std::string::npos) << "more than a line";
      ExpectNoSecret(observation.error().message);
    }
    fixture().healthy(world_);
    world_.clock.Advance(std::chrono::minutes(10));  // Whatever it holds back for has passed.
    const auto healed = Poll(*source);
    ASSERT_TRUE(healed) << healed.error().message;
    EXPECT_EQ(healed->value, fixture().value);
  }
}

TEST_P(ScalerContract, NothingToSayIsEmptyAndNotZero) {
  for (const Upstream& nothing : fixture().empties) {
    SCOPED_TRACE(nothing.name);
    nothing.set(world_);
    const auto source = MakeSource();
    ASSERT_TRUE(source);
    const auto observation = Poll(*source);
    ASSERT_TRUE(observation) << observation.error().message;
    EXPECT_TRUE(observation->empty) << "reads as " << observation->value;
  }
}

TEST_P(ScalerContract, OddAnswersAreNeverANumber) {
  for (const Upstream& odd : fixture().odd) {
    SCOPED_TRACE(odd.name);
    odd.set(world_);
    const auto source = MakeSource();
    ASSERT_TRUE(source);
    const auto observation = Poll(*source);
    EXPECT_TRUE(!observation || observation->empty) << "reads as " << observation->value;
    if (observation) {
      EXPECT_TRUE(std::isfinite(observation->value));
    }
  }
}

TEST_P(ScalerContract, KeepsItsDeadline) {
  const auto source = MakeSource();
  ASSERT_TRUE(source);
  const MonoTime deadline = world_.clock.MonotonicNow() + timeout_;
  int requests = 0;
  world_.transport->set_handler([&](const HttpRequest& request) -> Result<HttpResponse> {
    ++requests;
    EXPECT_LE(request.deadline, deadline);
    EXPECT_LE(world_.clock.MonotonicNow(), deadline) << "sent too late";
    // An upstream that never answers.
    if (request.deadline > world_.clock.MonotonicNow()) {
      world_.clock.Advance(request.deadline - world_.clock.MonotonicNow());
    }
    return Fail(ErrorCode::kDeadlineExceeded, "no answer in time");
  });
  const auto observation = Poll(*source);
  EXPECT_LE(world_.clock.MonotonicNow(), deadline);
  EXPECT_EQ(fixture().has_upstream, requests > 0);
  EXPECT_EQ(fixture().has_upstream, !observation);
}

TEST_P(ScalerContract, RetriesKeepTheDeadlineToo) {
  const auto source = MakeSource();
  ASSERT_TRUE(source);
  const MonoTime deadline = world_.clock.MonotonicNow() + timeout_;
  world_.transport->set_handler([&](const HttpRequest&) -> Result<HttpResponse> {
    EXPECT_LE(world_.clock.MonotonicNow(), deadline) << "sent too late";
    world_.clock.Advance(std::chrono::milliseconds(300));
    return HttpResponse{.status = 503, .headers = {}, .body = ""};
  });
  EXPECT_EQ(fixture().has_upstream, !Poll(*source));
  EXPECT_LE(world_.clock.MonotonicNow(), deadline + std::chrono::milliseconds(300));
}

TEST_P(ScalerContract, ThePastIsWhatPollsWouldHaveFound) {
  const auto source = MakeSource();
  ASSERT_TRUE(source);
  const auto past = Past(*source);
  ASSERT_TRUE(past) << past.error().message;
  EXPECT_EQ(past->size(), fixture().tells_past ? 10 : 0);
  WallTime slot = world_.clock.WallNow() - 9 * std::chrono::minutes(1);
  for (const Reading& reading : *past) {
    EXPECT_EQ(reading.time, slot);
    const auto polled = source->Poll(
        {.slot = slot, .deadline = world_.clock.MonotonicNow() + timeout_, .stop = {}});
    EXPECT_EQ(reading, scalers::ToReading(slot, polled));
    slot += std::chrono::minutes(1);
  }
}

TEST_P(ScalerContract, AFaultHidesThePastAndInventsNone) {
  for (const Upstream& fault : fixture().faults) {
    SCOPED_TRACE(fault.name);
    fault.set(world_);
    const auto source = MakeSource();
    ASSERT_TRUE(source);
    const auto past = Past(*source);
    EXPECT_EQ(!past, fixture().tells_past);
    if (past) {
      EXPECT_TRUE(past->empty());
    } else {
      ExpectNoSecret(past.error().message);
    }
    world_.clock.Advance(std::chrono::minutes(10));
  }
}

TEST_P(ScalerContract, ThePastKeepsTheDeadlineAndStopsWhenTold) {
  const auto source = MakeSource();
  ASSERT_TRUE(source);
  const MonoTime deadline = world_.clock.MonotonicNow() + timeout_;
  world_.transport->set_handler([&](const HttpRequest& request) -> Result<HttpResponse> {
    EXPECT_LE(request.deadline, deadline);
    EXPECT_LE(world_.clock.MonotonicNow(), deadline) << "sent too late";
    world_.clock.Advance(std::chrono::milliseconds(300));
    return HttpResponse{.status = 503, .headers = {}, .body = ""};
  });
  static_cast<void>(Past(*source));
  EXPECT_LE(world_.clock.MonotonicNow(), deadline + std::chrono::milliseconds(300));

  std::stop_source stop;
  stop.request_stop();
  world_.transport->set_handler([](const HttpRequest&) -> Result<HttpResponse> {
    return HttpResponse{.status = 503, .headers = {}, .body = ""};
  });
  const MonoTime before = world_.clock.MonotonicNow();
  static_cast<void>(Past(*source, stop.get_token()));
  EXPECT_EQ(world_.clock.MonotonicNow(), before) << "waited although told to stop";
}

TEST_P(ScalerContract, StopsWhenTold) {
  const auto source = MakeSource();
  ASSERT_TRUE(source);
  std::stop_source stop;
  stop.request_stop();
  const MonoTime before = world_.clock.MonotonicNow();
  static_cast<void>(Poll(*source, stop.get_token()));
  EXPECT_EQ(world_.clock.MonotonicNow(), before) << "waited although told to stop";
}

TEST_P(ScalerContract, SourcesAreIndependent) {
  const auto definition = Parse();
  ASSERT_TRUE(definition) << diagnostics_.ToString();
  static_cast<void>(definition->make_source());  // Destroyed before its first poll.
  auto first = definition->make_source();
  const auto second = definition->make_source();
  const auto of_first = Poll(*first);
  first.reset();
  const auto of_second = Poll(*second);
  ASSERT_TRUE(of_first && of_second);
  EXPECT_EQ(of_first->value, of_second->value);
}

TEST_P(ScalerContract, EqualQueriesShareASource) {
  const auto definition = Parse();
  ASSERT_TRUE(definition) << diagnostics_.ToString();
  const std::string key = definition->source_key;
  EXPECT_FALSE(key.empty());
  for (const ScalerFixture::Keys& changes : fixture().same) {
    const auto other = Parse(changes);
    ASSERT_TRUE(other) << diagnostics_.ToString();
    EXPECT_EQ(key, other->source_key) << Yaml(changes);
  }
  std::map<std::string, std::string> seen = {{key, "the fixture's signal"}};
  for (const ScalerFixture::Keys& changes : fixture().different) {
    const auto other = Parse(changes);
    ASSERT_TRUE(other) << Yaml(changes) << diagnostics_.ToString();
    const auto [place, fresh] = seen.emplace(other->source_key, Yaml(changes));
    EXPECT_TRUE(fresh) << Yaml(changes) << "has the key of " << place->second;
  }
}

TEST_P(ScalerContract, DefinitionIsComplete) {
  const auto definition = Parse();
  ASSERT_TRUE(definition) << diagnostics_.ToString();
  EXPECT_EQ(definition->type, fixture().type);
  EXPECT_GT(definition->demand.target_size, 0);
  EXPECT_GE(definition->timing.interval, std::chrono::seconds(1));
  EXPECT_GT(definition->timing.timeout, Duration::zero());
  EXPECT_LE(definition->timing.timeout, definition->timing.interval);
  EXPECT_GE(definition->timing.max_age, definition->timing.interval);
  EXPECT_GE(definition->max_concurrent, 1);
}

TEST_P(ScalerContract, MissingKeysAreNamed) {
  for (const std::string& key : fixture().required) {
    EXPECT_FALSE(ParseWithout(key)) << key;
    EXPECT_NE(diagnostics_.ToString().find("'" + key + "'"), std::string::npos)
        << key << ": " << diagnostics_.ToString();
  }
}

TEST_P(ScalerContract, UnknownKeysAreRefused) {
  EXPECT_FALSE(Parse({{"noSuchKey", "1"}}));
  EXPECT_NE(diagnostics_.ToString().find("noSuchKey"), std::string::npos);
}

TEST_P(ScalerContract, MetadataMeansTheSame) {
  const auto definition = Parse();
  ASSERT_TRUE(definition) << diagnostics_.ToString();
  if (!registry_.signal_types().front().allowed_inline) {
    EXPECT_FALSE(ParseMetadata(fixture().signal));
    EXPECT_NE(diagnostics_.ToString().find("not allowed inline"), std::string::npos);
    return;
  }
  const auto inline_definition = ParseMetadata(fixture().signal);
  ASSERT_TRUE(inline_definition) << diagnostics_.ToString();
  EXPECT_EQ(definition->source_key, inline_definition->source_key);
  EXPECT_EQ(definition->demand.target_size, inline_definition->demand.target_size);

  ScalerFixture::Keys from_env;
  for (const auto& [key, value] : fixture().signal) from_env[key + "FromEnv"] = value;
  const auto from_environment = ParseMetadata(from_env);
  ASSERT_TRUE(from_environment) << diagnostics_.ToString();
  EXPECT_EQ(definition->source_key, from_environment->source_key);
}

TEST_P(ScalerContract, MetadataValuesNeverShow) {
  const std::string canary = "c4n4ry";
  for (const auto& [key, value] : fixture().signal) {
    SCOPED_TRACE(key);
    for (const std::string& bad : {canary, "sum(" + canary + ")", canary + "/", "-" + canary}) {
      ScalerFixture::Keys metadata = fixture().signal;
      metadata[key] = bad;
      const auto definition = ParseMetadata(metadata);
      EXPECT_EQ(diagnostics_.ToString().find(canary), std::string::npos) << diagnostics_.ToString();
      if (!definition) continue;
      // It will do as a value; then it must not show when the upstream fails either.
      const auto source = definition->make_source();
      for (const Upstream& fault : fixture().faults) {
        fault.set(world_);
        const auto observation = Poll(*source);
        if (!observation) {
          EXPECT_EQ(observation.error().message.find(canary), std::string::npos)
              << fault.name << ": " << observation.error().message;
        }
      }
      fixture().healthy(world_);
    }
  }
  EXPECT_EQ(world_.logger.text().find(canary), std::string::npos) << world_.logger.text();
}

}  // namespace stoker::testing
