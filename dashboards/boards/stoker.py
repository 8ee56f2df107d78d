"""Stoker overview: what it asks for and why, and whether it can still see."""

from grafana import RED, YELLOW, GREEN, BLUE, Board, Row, graph, quantiles, stat, states

JOB = 'job=~"$job"'
OBJECT = f'{JOB}, namespace=~"$namespace", policy=~"$policy"'
POLICY = f'{JOB}, policy=~"$policy"'
PER_OBJECT = "max by (namespace, scaled_object)"  # of several triggers KEDA and the HPA take the largest
PER_TRIGGER = "max by (namespace, scaled_object, policy)"
TRIGGER = "{{namespace}}/{{scaled_object}} {{policy}}"
NO_OBJECTS = "no object has a target, or series per object are off"
SIGNAL = "(policy, signal, type)"
DECISION = [("How a decision is made", "explanation/decision.md")]


def runbook(alert):
    return [(f"Runbook: {alert}", f"how-to/runbook.md#{alert.lower()}")]


def board():
    return Board(
        "stoker-overview", "Stoker / Overview",
        "What Stoker asks for and why, whether its signals can be read, and how it answers KEDA. Replicas of Stoker "
        "give the same answers: panels show each object once.",
        [("job", "Job", "label_values(stoker_build_info, job)"),
         ("namespace", "Namespace", 'label_values(stoker_active{job=~"$job"}, namespace)'),
         ("policy", "Policy", 'label_values(stoker_signal_up{job=~"$job"}, policy)')],
        [now(), targets(), signals(), upstreams(), grpc(), itself()])


def now():
    bound = f'count(max by (job, policy) (stoker_decision_bound{{{POLICY}, bound="%s"}}))'
    there = f"0 * count(stoker_build_info{{{JOB}}})"  # nothing is 0 because Stoker cannot be scraped
    return Row("Now: what is blue is a number, what is yellow or red has a runbook", [
        stat("Replicas of Stoker", "Processes that Prometheus can scrape.", "none",
             f"count(stoker_build_info{{{JOB}}})", width=3, nothing="none",
             links=runbook("StokerDown") + runbook("StokerReplicaDown")),
        stat("Without a target", "Policies and inline objects whose decision is an error: KEDA is told UNAVAILABLE, and "
             "its fallback acts.", "none", f"{bound % 'fault'} or {there}", width=3,
             thresholds=[(1, RED)], links=runbook("StokerTargetUnavailable")),
        stat("Signals down", "Signals whose newest poll failed, or found nothing, at any replica.", "none",
             f"sum(1 - min by {SIGNAL} (stoker_signal_up{{{POLICY}}}))", width=3, thresholds=[(1, RED)],
             links=runbook("StokerSignalDown")),
        stat("On held readings", "Scaled objects whose target rests on the last good reading of a signal that "
             "cannot be read.", "none", f"sum({PER_OBJECT} (stoker_held{{{OBJECT}}}))", width=3,
             thresholds=[(1, YELLOW)], links=runbook("StokerHoldingTarget")),
        stat("At their maximum", "Policies and inline objects whose signals call for more than their max.", "none",
             f"{bound % 'max'} or {there}", width=3, thresholds=[(1, YELLOW)], links=runbook("StokerAtMaximum")),
        stat("Configuration", "Whether the configuration on disk was accepted; if not, the one before is in force.",
             "none", f"min(stoker_config_last_reload_successful{{{JOB}}})", width=3,
             mappings={1: ("good", GREEN), 0: ("refused", RED)}, links=runbook("StokerConfigRejected")),
        stat("Objects with a target", "ScaledObjects and ScaledJobs that KEDA asked about in the last ten minutes. "
             "Those whose decision is an error are not in it.", "none",
             f"count({PER_OBJECT} (stoker_active{{{OBJECT}}}))", width=3),
        stat("Executors asked for", "Sum over all scaled objects. Objects whose decision is an error are not in it.",
             "none", f"sum({PER_OBJECT} (stoker_target_executors{{{OBJECT}}}))", width=3,
             links=DECISION, boards=[("Are they there?", "stoker-spark"), ("Is there room?", "stoker-capacity")]),
    ])


def targets():
    return Row("Targets: what is asked for, and who won", [
        graph("Replicas asked for", "A line that ends is a decision that became an error: KEDA's fallback acts then.",
              "none", (f"{PER_TRIGGER} (stoker_target_replicas{{{OBJECT}}})", TRIGGER),
              nothing=NO_OBJECTS, links=DECISION, boards=[("What KEDA and the HPA make of it", "stoker-keda")]),
        graph("Replicas each signal asks for", "Before min, max, stabilization and step, and not rounded.",
              "none", (f"max by {SIGNAL} (stoker_signal_demand_replicas{{{POLICY}}})", "{{policy}}: {{signal}}"),
              links=DECISION),
        states("Who won", "The signal whose demand is the combined one, for policies that combine by max or min.",
               f"max by {SIGNAL} (stoker_signal_winner{{{POLICY}}})", "{{policy}}: {{signal}}",
               {1: ("won", BLUE), 0: ("", "transparent")}, links=DECISION),
        graph("What bound the decisions", "Decisions a second by what bound them last. fault: there is no target, and "
              "KEDA is told UNAVAILABLE. max for long: more is wanted than the policy allows. Inline objects count "
              "together, with all policies only.", "ops",
              (f"sum by (bound) (rate(stoker_decisions_total{{{POLICY}}}[$__rate_interval]))", "{{bound}}"),
              stacked=True, links=runbook("StokerAtMaximum")),
        states("Active", "Whether the target is above 0. KEDA scales from and to 0 by it.",
               f"{PER_TRIGGER} (stoker_active{{{OBJECT}}})", TRIGGER,
               {1: ("active", GREEN), 0: ("idle", "transparent")}, nothing=NO_OBJECTS),
        states("Held", "Objects whose target rests on a reading that is held while its signal fails.",
               f"{PER_TRIGGER} (stoker_held{{{OBJECT}}})", TRIGGER,
               {1: ("held", YELLOW), 0: ("fresh", GREEN)}, nothing=NO_OBJECTS, links=runbook("StokerHoldingTarget")),
    ])


def signals():
    return Row("Signals", [
        graph("Values", "The readings that decisions use, in the signals' own units.", "short",
              (f"max by {SIGNAL} (stoker_signal_value{{{POLICY}}})", "{{policy}}: {{signal}}")),
        graph("Age of readings", "Rises while a signal fails. Past the hold time the decision is an error.", "s",
              (f"max by {SIGNAL} (stoker_signal_age_seconds{{{POLICY}}})", "{{policy}}: {{signal}}"),
              thresholds=[(120, YELLOW)], links=runbook("StokerSignalDown")),
        states("Readable", "Whether the newest poll brought a reading of use, at every replica: it succeeded, and found "
               "something, or onEmpty is zero.",
               f"min by {SIGNAL} (stoker_signal_up{{{POLICY}}})", "{{policy}}: {{signal}}",
               {1: ("up", GREEN), 0: ("down", RED)}, links=runbook("StokerSignalDown")),
    ])


def upstreams():
    connection = "connection, type"
    polls = f"sum by ({connection}) (rate(stoker_polls_total{{{JOB}%s}}[$__rate_interval]))"
    return Row("Upstreams", [
        graph("Polls", "Polls a second by outcome. Policies that ask the same share one poll.", "ops",
              (f"sum by ({connection}, result) (rate(stoker_polls_total{{{JOB}}}[$__rate_interval]))",
               "{{type}} {{connection}} {{result}}")),
        graph("Polls that fail", "Share of polls with an error.", "percentunit",
              (f"""({polls % ', result="error"'} or 0 * {polls % ''}) / {polls % ''}""", "{{type}} {{connection}}"),
              maximum=1, thresholds=[(0.1, RED)], links=runbook("StokerSignalDown")),
        graph("Time that polls take", "Quantiles, retries included. A poll that takes as long as its interval leaves "
              "readings old.", "s", *quantiles("stoker_poll_duration_seconds", JOB, ("type", "connection"), (0.5, 0.95)),
              thresholds=[(2, YELLOW)], links=runbook("StokerPollsSlow")),
        graph("Upstream answers", "HTTP requests a second by status; 0: there was no answer.", "reqps",
              (f"sum by (connection, code) (rate(stoker_upstream_requests_total{{{JOB}}}[$__rate_interval]))",
               "{{connection}} {{code}}"), width=24, height=6, links=runbook("StokerSignalDown")),
    ])


def grpc():
    unary = f'{JOB}, method!~"Stream.*"'  # a stream lives for hours, and ends when KEDA wants
    calls = f"sum by (method) (rate(stoker_grpc_requests_total{{{unary}%s}}[$__rate_interval]))"
    return Row("gRPC: what KEDA sees", [
        graph("Calls", "Calls a second by method and status code.", "reqps",
              (f"sum by (method, code) (rate(stoker_grpc_requests_total{{{JOB}}}[$__rate_interval]))",
               "{{method}} {{code}}"), nothing="no calls seen",
              links=runbook("StokerNotAsked") + runbook("StokerGrpcErrors")),
        graph("Calls that are not OK", "Share by method, without streams and what KEDA cancels. UNAVAILABLE means that there "
              "is no target; other codes are mistakes in a ScaledObject, missing rights or limits.", "percentunit",
              (f"""({calls % ', code!~"OK|CANCELLED"'} or 0 * {calls % ''}) / {calls % ''}""", "{{method}}"),
              maximum=1, links=runbook("StokerGrpcErrors")),
        graph("Time to answer", "Quantiles by method, without streams. Answers come from memory; KEDA sets no deadline and "
              "waits.", "s",
              *quantiles("stoker_grpc_request_duration_seconds", unary, ("method",), (0.5, 0.99)),
              thresholds=[(0.5, YELLOW)], nothing="no calls seen", links=runbook("StokerGrpcSlow")),
    ])


def itself():
    return Row("Configuration and replicas", [
        states("Configuration", "Whether the configuration was accepted the last time it was read.",
               f"max by (instance) (stoker_config_last_reload_successful{{{JOB}}})", "{{instance}}",
               {1: ("accepted", GREEN), 0: ("refused", RED)}, links=runbook("StokerConfigRejected")),
        graph("Age of the configuration", "Time since a configuration was last accepted.", "s",
              (f"time() - max by (instance) (stoker_config_last_reload_success_timestamp_seconds{{{JOB}}} > 0)",
               "{{instance}}")),
        graph("Sibling replicas", "By whether they answer, as each replica sees them.", "none",
              (f"sum by (instance, state) (stoker_peers{{{JOB}}})", "{{instance}} {{state}}"),
              nothing="no siblings configured", links=runbook("StokerPeersUnreachable")),
    ])
