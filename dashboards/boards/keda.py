"""What KEDA and the HPA make of Stoker's answers. Needs KEDA's own metrics and kube-state-metrics."""

from grafana import GREEN, RED, YELLOW, Board, Row, graph, quantiles, stat, states

OBJECT = 'namespace=~"$namespace", scaledObject=~"$scaled_object"'
LABELS = "(namespace, scaledObject, metric)"
NAME = "{{namespace}}/{{scaledObject}} {{metric}}"
HPA = 'namespace=~"$namespace", horizontalpodautoscaler=~"keda-hpa-($scaled_object)"'
HPA_NAME = "{{namespace}}/{{horizontalpodautoscaler}}"
MANIFEST = [("The ScaledObject", "how-to/scaledobject.md")]


def hpa(metric, more=""):
    return f"max by (namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_{metric}{{{HPA}{more}}})"


def board():
    return Board(
        "stoker-keda", "Stoker / KEDA and HPA",
        "What KEDA asks Stoker and what the HPA makes of the answers. Needs KEDA's metrics (its operator's, port 8080) "
        "and kube-state-metrics; names are KEDA 2.21's.",
        [("namespace", "Namespace", "label_values(keda_scaler_active, namespace)"),
         ("scaled_object", "Scaled object",
          'label_values(keda_scaler_active{namespace=~"$namespace"}, scaledObject)')],
        [triggers(), calls(), autoscaler()], tags=("keda",))


def triggers():
    return Row("Triggers, as KEDA sees them", [
        stat("Active triggers", "Triggers that KEDA takes for active.", "none",
             f"sum(keda_scaler_active{{{OBJECT}}})", width=6),
        stat("Paused objects", "ScaledObjects that an annotation has paused: nothing scales them.", "none",
             f"sum(keda_scaled_object_paused{{{OBJECT}}})", width=6, thresholds=[(1, YELLOW)]),
        stat("Errors", "Of scaled objects, over the chosen time.", "none",
             f"round(sum(increase(keda_scaled_object_errors_total{{{OBJECT}}}[$__range])))", width=6,
             thresholds=[(1, RED)], boards=[("What Stoker answers", "stoker-overview")]),
        stat("Late by", "The largest lateness of KEDA's scale loop now: at seconds, its operator is short of CPU or "
             "some scaler is slow.", "s",
             'max(keda_internal_scale_loop_latency_seconds{namespace=~"$namespace", resource=~"$scaled_object"})',
             width=6, thresholds=[(5, YELLOW)]),
        graph("Metric values", "What KEDA hands to the HPA. Stoker's are replicas, with a target of 1.", "none",
              (f"max by {LABELS} (keda_scaler_metrics_value{{{OBJECT}}})", NAME)),
        states("Active", "Whether KEDA takes the trigger for active: from and to 0 replicas.",
               f"max by {LABELS} (keda_scaler_active{{{OBJECT}}})", NAME,
               {1: ("active", GREEN), 0: ("idle", "transparent")}),
        graph("Errors", "A second, by trigger. KEDA's fallback acts after failureThreshold of them in a row.", "ops",
              (f"sum by {LABELS} (rate(keda_scaler_detail_errors_total{{{OBJECT}}}[$__rate_interval]))", NAME),
              nothing="no errors", links=MANIFEST, boards=[("What Stoker answers", "stoker-overview")]),
    ])


def calls():
    external = 'grpc_service="externalscaler.ExternalScaler"'
    return Row("KEDA's calls to external scalers", [
        graph("Time to get a metric", "As KEDA measures it: Stoker's answer, the network and KEDA's own work.", "s",
              (f"max by {LABELS} (keda_scaler_metrics_latency_seconds{{{OBJECT}}})", NAME), thresholds=[(1, YELLOW)]),
        graph("Calls", "By method and code, all external scalers of this KEDA together. Since KEDA 2.21.", "reqps",
              (f"sum by (grpc_method, grpc_code) (rate(keda_grpc_client_handled_total{{{external}}}[$__rate_interval]))",
               "{{grpc_method}} {{grpc_code}}")),
        graph("Time that calls take", "Quantiles without streams, all external scalers of this KEDA together. Since KEDA "
              "2.21.", "s",
              *quantiles("keda_grpc_client_handling_seconds", f'{external}, grpc_type="unary"', ("grpc_method",),
                         (0.5, 0.99))),
    ])


def autoscaler():
    return Row("HPA", [
        graph("Replicas", "Desired by the HPA, there now, and its bounds. KEDA names an HPA keda-hpa- and the "
              "ScaledObject; others are not found.", "none",
              (hpa("status_desired_replicas"), f"{HPA_NAME} desired"),
              (hpa("status_current_replicas"), f"{HPA_NAME} there"),
              (hpa("spec_max_replicas"), f"{HPA_NAME} max"), (hpa("spec_min_replicas"), f"{HPA_NAME} min")),
        graph("Stoker asks for, less what the HPA desires", "Above or below 0 for long: the HPA's tolerance, behavior "
              "or bounds keep Stoker's number from landing.", "none",
              ('max by (namespace, scaled_object) (stoker_target_replicas{namespace=~"$namespace", '
               'scaled_object=~"$scaled_object"}) - on (namespace, scaled_object) max by (namespace, scaled_object) '
               f"(label_replace(kube_horizontalpodautoscaler_status_desired_replicas{{{HPA}}}, "
               '"scaled_object", "$1", "horizontalpodautoscaler", "keda-hpa-(.+)"))', "{{namespace}}/{{scaled_object}}"),
              links=MANIFEST, minimum=None),
        states("Limited", "Whether the HPA's min or max holds the number.",
               hpa("status_condition", ', condition="ScalingLimited", status="true"'), HPA_NAME,
               {1: ("limited", YELLOW), 0: ("free", GREEN)}),
    ])
