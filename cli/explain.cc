#include "cli/explain.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>
#include <vector>

#include "cli/api_client.h"
#include "cli/text_table.h"
#include "core/text.h"
#include "core/units.h"
#include "upstream/http/beast_transport.h"
#include "upstream/http/url.h"

namespace stoker::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Terminal colours, or nothing.
class Paint {
 public:
  explicit Paint(bool on) : on_(on) {}
  [[nodiscard]] std::string Bold(const std::string& text) const { return With("1", text); }
  [[nodiscard]] std::string Good(const std::string& text) const { return With("32", text); }
  [[nodiscard]] std::string Warn(const std::string& text) const { return With("33", text); }
  [[nodiscard]] std::string Bad(const std::string& text) const { return With("31", text); }

 private:
  [[nodiscard]] std::string With(const char* code, const std::string& text) const {
    return on_ ? "\033[" + std::string(code) + "m" + text + "\033[0m" : text;
  }
  bool on_;
};

std::string Number(const Json& json, const char* key) {
  if (json.at(key).is_null()) return "-";
  const double value = json.at(key).get<double>();
  return FormatNumber(std::abs(value) < 1e12 ? std::round(value * 100) / 100 : value);
}

std::string SecondsText(const Json& json) {
  if (json.is_null()) return "-";
  const double seconds = std::clamp(json.get<double>(), 0.0, 1e9);
  if (seconds < 1) return FormatDuration(Duration(std::llround(seconds * 1000)));
  return FormatDuration(std::chrono::seconds(std::llround(seconds)));
}

/// A signal's line, by its state.
std::string PaintLine(const std::string& line, const std::string& state, const Paint& paint) {
  if (state == "faulted" || state == "waiting") return paint.Bad(line);
  if (state == "held" || state == "ignored" || state == "substituted") return paint.Warn(line);
  return line;
}

std::string SignalsTable(const Json& signals, const Paint& paint) {
  std::vector<std::vector<std::string>> rows{
      {" ", "SIGNAL", "TYPE", "VALUE", "AGE", "DEMAND", "STATE"}};
  std::vector<std::string> states{""};
  for (const Json& signal : signals) {
    const std::string at_least = signal.at("at_least").get<bool>() ? ">=" : "";
    std::string state = AnswerText(signal, "state");
    states.push_back(state);
    if (!signal.at("active").get<bool>() && !signal.at("value").is_null()) state += ", not active";
    rows.push_back({signal.at("winner").get<bool>() ? "*" : " ",
                    AnswerText(signal, "name"),
                    AnswerText(signal, "type"),
                    at_least + Number(signal, "value"),
                    SecondsText(signal.at("age_seconds")),
                    Number(signal, "demand_replicas"),
                    state});
  }
  const std::string table = TextTable(rows, "  ");
  const std::vector<std::string_view> lines = Split(table, '\n');
  std::string text;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    text += PaintLine(std::string(lines[i]), states[i], paint) + "\n";
  }
  return text;
}

/// The chain from the combined demand to the target, each step with what it did.
std::string Chain(const Json& definition, const Json& decision) {
  const auto value = [&](const char* key) {
    return decision.at(key).is_null() ? 0 : decision.at(key).get<double>();
  };
  std::vector<std::vector<std::string>> rows;
  const bool expression = !definition.at("expression").is_null();
  const std::string combine =
      expression ? AnswerText(definition, "expression") : AnswerText(definition, "combine");
  rows.push_back({"combined (" + combine + ")",
                  Number(decision, "combined"),
                  decision.at("gated").get<bool>() ? "no signal is above its activation" : ""});
  if (definition.at("headroom_percent").get<double>() > 0) {
    rows.push_back({"headroom " + Number(definition, "headroom_percent") + "%",
                    Number(decision, "with_headroom"),
                    ""});
  }
  const double clamped = value("clamped");
  rows.push_back(
      {"min " + Number(definition, "min_replicas") + ", max " + Number(definition, "max_replicas"),
       Number(decision, "clamped"),
       clamped < value("with_headroom")   ? "capped by max"
       : clamped > value("with_headroom") ? "raised to min"
                                          : ""});
  if (definition.at("stabilization_seconds").get<double>() > 0) {
    rows.push_back({"stabilization " + SecondsText(definition.at("stabilization_seconds")),
                    Number(decision, "stabilized"),
                    value("stabilized") > clamped ? "kept up by an earlier peak" : ""});
  }
  const bool percent = !definition.at("step_percent").is_null();
  if (!percent || definition.at("step_percent").get<double>() < 100) {
    rows.push_back({"step " +
                        (percent ? Number(definition, "step_percent") + "%"
                                 : Number(definition, "step_replicas")) +
                        "/" + SecondsText(definition.at("step_period_seconds")),
                    Number(decision, "stepped"),
                    value("stepped") > value("stabilized") ? "goes down in steps" : ""});
  }
  const bool has_target = decision.at("error").is_null();
  const bool many = definition.at("executors_per_replica").get<int>() != 1;
  rows.push_back({"target",
                  Number(decision, "target_replicas"),
                  has_target && many ? "x " + Number(definition, "executors_per_replica") + " = " +
                                           Number(decision, "target_executors") + " executors"
                                     : ""});
  return TextTable(rows, "  ");
}

/// Room for executors to come, where the policy makes any.
std::string Headroom(const Json& decision, const Paint& paint) {
  const Json& headroom = decision.contains("headroom") ? decision.at("headroom") : Json();
  if (headroom.is_null()) return "";
  std::string text = "\n  room for executors to come\n";
  if (!headroom.at("error").is_null()) {
    text += paint.Bad("  unknown: " + AnswerText(headroom.at("error"), "message")) + "\n";
    return text;
  }
  std::vector<std::vector<std::string>> rows;
  rows.push_back({"wanted within " + SecondsText(headroom.at("lead_seconds")),
                  Number(headroom, "wanted_ahead_executors"),
                  "lead time " + AnswerText(headroom, "lead_source")});
  rows.push_back({"wanted now", Number(headroom, "wanted_executors"), ""});
  rows.push_back({"running", Number(headroom, "running_executors"), ""});
  rows.push_back({"pending",
                  Number(headroom, "pending_executors"),
                  headroom.at("held").get<bool>() ? "a last good count is held" : ""});
  rows.push_back({"room",
                  Number(headroom, "headroom_executors"),
                  headroom.at("capped").get<bool>() ? "capped by maxExecutors" : ""});
  return text + TextTable(rows, "  ");
}

/// "busy: forecast 42 (25 to 51) at 2026-01-05T08:15:00Z; used: ..."
std::string ForecastNote(const Json& signal) {
  if (!signal.contains("forecast") || signal.at("forecast").is_null()) return "";
  const Json& forecast = signal.at("forecast");
  std::string text = "forecast ";
  if (const Json& ahead = forecast.at("ahead"); !ahead.is_null()) {
    text += Number(ahead, "value") + " (" + Number(ahead, "low") + " to " + Number(ahead, "high") +
            ") at " + AnswerText(ahead, "time") + "; ";
  }
  return text + AnswerText(forecast, "summary");
}

std::string Notes(const Json& signals, const Paint& paint) {
  std::string text;
  for (const Json& signal : signals) {
    const std::string name = "  " + AnswerText(signal, "name") + ": ";
    if (const std::string error = AnswerText(signal, "error"); !error.empty()) {
      text += paint.Bad(name + error) + "\n";
    }
    for (const Json& warning : signal.at("warnings")) {
      text += paint.Warn(name + "warning: " + AnswerText(Json{{"text", warning}}, "text")) + "\n";
    }
    const std::string detail = AnswerText(signal, "detail");
    if (!detail.empty()) text += name + detail + "\n";
    const std::string forecast = ForecastNote(signal);
    if (!forecast.empty()) text += name + forecast + "\n";
    const std::string change = AnswerText(signal, "next_change");  // when empty, found at once
    if (detail.find(change) == std::string::npos) text += name + "changes next at " + change + "\n";
  }
  return text;
}

/// One trigger or policy; `heading` names it.
Explanation ExplainOne(const std::string& heading, const Json& item, const Paint& paint) {
  Explanation explanation;
  std::string& text = explanation.text;
  text = paint.Bold(heading) + "\n";
  const Json& decision = item.at("decision");
  if (decision.is_null()) {
    explanation.has_target = false;
    text += paint.Bad("  no decision yet: the first readings are not there") + "\n";
    return explanation;
  }
  explanation.has_target = decision.at("error").is_null();
  const std::string summary = AnswerText(decision, "summary");
  if (explanation.has_target) {
    text += "  " + paint.Good(summary) + "\n";
  } else {
    text += "  " + paint.Bad(summary) + "\n" +
            "  KEDA gets UNAVAILABLE, and the ScaledObject's fallback decides.\n";
  }
  text += "\n" + SignalsTable(decision.at("signals"), paint);
  const bool winner = std::any_of(
      decision.at("signals").begin(), decision.at("signals").end(), [](const Json& signal) {
        return signal.at("winner").get<bool>();
      });
  if (winner) text += "  * its demand is the combined one\n";
  const bool placeholders = item.value("output", "target") == "headroom";
  if (!placeholders) text += "\n" + Chain(item.at("definition"), decision);
  text += Headroom(decision, paint);
  if (const std::string notes = Notes(decision.at("signals"), paint); !notes.empty()) {
    text += "\n" + notes;
  }
  text += "\n  as of " + AnswerText(decision, "time") + ", holds until " +
          AnswerText(decision, "valid_until") + " unless a reading changes\n";
  return explanation;
}

std::string TargetName(const Json& item) {
  return AnswerText(item, "namespace") + "/" + AnswerText(item, "scaled_object");
}

/// Shields the callers from JSON that is not what was expected.
template <class Format>
Result<Explanation> Guarded(std::string_view json, const Format& format) {
  try {
    const Json document = Json::parse(json);
    return format(document);
  } catch (const Json::exception&) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "the answer is not from a Stoker HTTP API of this version; check that --server names "
        "server.http.listen");
  }
}

std::vector<std::string> OverviewRow(const std::string& name,
                                     const Json& item,
                                     Explanation& explanation) {
  const Json& decision = item.at("decision");
  if (decision.is_null()) {
    explanation.has_target = false;
    return {name, "-", "-", "no decision yet: the first readings are not there"};
  }
  if (!decision.at("error").is_null()) explanation.has_target = false;
  return {name,
          Number(decision, "target_replicas"),
          Number(decision, "target_executors"),
          AnswerText(decision, "summary")};
}

/// The JSON to show: one object's or policy's, or everybody's.
Fetched<std::string> Fetch(const ExplainOptions& options, const ApiClient& client) {
  if (!options.policy.empty()) {
    return client.Get("/api/v1/policies/" + http::PercentEncode(options.policy));
  }
  if (!options.target.empty()) {
    const std::vector<std::string_view> parts = Split(options.target, '/');
    if (parts.size() != 2 || parts[0].empty() || parts[1].empty()) {
      return Wrong(kUsage, "give the ScaledObject as NAMESPACE/NAME, e.g. team-a/nightly");
    }
    return client.Get("/api/v1/targets/" + http::PercentEncode(parts[0]) + "/" +
                      http::PercentEncode(parts[1]));
  }
  Fetched<Json> targets = client.GetAll("/api/v1/targets");
  if (!targets) return tl::make_unexpected(targets.error());
  Fetched<Json> policies = client.GetAll("/api/v1/policies");
  if (!policies) return tl::make_unexpected(policies.error());
  Json all;
  all["targets"] = std::move(*targets);
  all["policies"] = std::move(*policies);
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

Result<Explanation> FormatExplanation(std::string_view json, bool colour) {
  const Paint paint(colour);
  return Guarded(json, [&](const Json& document) {
    if (!document.contains("items")) {
      const bool retired = document.at("retired").get<bool>();
      return ExplainOne("policy " + AnswerText(document, "name") +
                            (retired ? " (no longer in the configuration)" : ""),
                        document,
                        paint);
    }
    Explanation all;
    for (const Json& item : document.at("items")) {
      const Explanation one =
          ExplainOne(TargetName(item) + ", policy " + AnswerText(item, "policy"), item, paint);
      all.text += (all.text.empty() ? "" : "\n") + one.text;
      all.has_target = all.has_target && one.has_target;
    }
    return all;
  });
}

Result<Explanation> FormatOverview(std::string_view json, bool colour) {
  const Paint paint(colour);
  return Guarded(json, [&](const Json& document) {
    Explanation all;
    std::vector<std::vector<std::string>> targets{{"TARGET", "REPLICAS", "EXECUTORS", "WHY"}};
    for (const Json& item : document.at("targets")) {
      targets.push_back(
          OverviewRow(TargetName(item) + " (" + AnswerText(item, "policy") + ")", item, all));
    }
    std::vector<std::vector<std::string>> policies{{"POLICY", "REPLICAS", "EXECUTORS", "WHY"}};
    for (const Json& item : document.at("policies")) {
      policies.push_back(OverviewRow(AnswerText(item, "name"), item, all));
    }
    all.text = targets.size() > 1 ? TextTable(targets, "  ")
                                  : "  no ScaledObject was asked about in the last 10 minutes\n";
    all.text += "\n";
    all.text +=
        policies.size() > 1 ? TextTable(policies, "  ") : "  the configuration has no policies\n";
    all.text += "\n  " + paint.Bold("stoker explain NAMESPACE/NAME") + " or " +
                paint.Bold("stoker explain --policy NAME") + " shows the whole why\n";
    return all;
  });
}

int Explain(const ExplainOptions& options,
            HttpTransport& transport,
            const Clock& clock,
            const FileSystem& files,
            Terminal& terminal) {
  const auto fail = [&](const Failure& failure) {
    terminal.err << "stoker explain: " << failure.message << '\n';
    return failure.exit_code;
  };
  const Fetched<std::string> token = ReadToken(options.token_file, files);
  if (!token) return fail(token.error());
  const Fetched<std::string> json =
      Fetch(options, ApiClient(transport, clock, options.server, *token));
  if (!json) return fail(json.error());
  const bool one = !options.policy.empty() || !options.target.empty();
  const Result<Explanation> explanation =
      one ? FormatExplanation(*json, options.colour) : FormatOverview(*json, options.colour);
  if (!explanation) return fail({kUpstream, explanation.error().message});
  terminal.out << (options.output == "json" ? *json : explanation->text);
  return explanation->has_target ? kOk : kNo;
}

void AddExplainCommand(CLI::App& app, Terminal& terminal, Run& run) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* command = app.add_subcommand(
      "explain", "Show why a target is what it is: signals, who won, what bound it");
  CLI::Option* target = command->add_option("target",
                                            options->target,
                                            "NAMESPACE/NAME of a ScaledObject or ScaledJob. "
                                            "Without it: a line for each, and each policy");
  command->add_option("--policy", options->policy, "Explain this policy of the configuration")
      ->excludes(target);
  command->add_option("--server", options->server, "The server's HTTP address")
      ->capture_default_str();
  command->add_option("--token-file",
                      options->token_file,
                      "File with a bearer token (see server.http.auth.tokensFile)");
  command->add_option("--ca", options->ca_file, "PEM file to verify an https server with");
  command->add_option("-o,--output", options->output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->footer(
      "Exit codes: 0 there is a target, 1 there is none (a decision is an error, or the object is "
      "unknown),\n2 bad usage or no access, 3 the server cannot be reached.\n\n"
      "Examples:\n"
      "  stoker explain\n"
      "  stoker explain team-a/nightly\n"
      "  stoker explain --policy etl --output json\n"
      "In a cluster: kubectl port-forward service/stoker 8080, then the same with --token-file.");
  command->callback([options, &terminal, &run] {
    run = [options, &terminal] {
      const SystemClock clock;
      const SystemFileSystem files;
      const SystemEnvironment environment;
      options->colour = terminal.out_is_terminal && !environment.Get("NO_COLOR");
      http::BeastTransportFactory factory(clock, files);
      const Result<std::shared_ptr<HttpTransport>> transport =
          factory.Create({.ca_file = options->ca_file});
      if (!transport) {
        terminal.err << "stoker explain: " << transport.error().message << '\n';
        return static_cast<int>(kUsage);
      }
      return Explain(*options, **transport, clock, files, terminal);
    };
  });
}

}  // namespace stoker::cli
