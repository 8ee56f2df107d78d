#!/usr/bin/env python3
"""Does the chart make what a cluster takes, and what Stoker starts on? Prints `ok NAME` or `FAIL NAME: ...` a line.

tests/charts/stoker_test.py HELM KUBERNETES CRD...

HELM: the program. KUBERNETES: OpenAPI description (swagger.json) of a Kubernetes release. CRD: files with the
CustomResourceDefinitions of KEDA, the Prometheus operator and cert-manager. STOKER_BIN: the program that is packaged.
Needs PyYAML, jsonschema and openssl.

Every ci/*-values.yaml of a chart, and the values that documents show, is linted and rendered by helm;
every object is held against its schema, unknown keys refused; `stoker check` passes what is mounted. Stoker then starts
with the rendered command on what is rendered.
"""

import base64
import glob
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import yaml

from rendering import Helm, Schemas, chart_docs, check, golden, one, report, results, same, shown_values, workload

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
CHART = f"{ROOT}/charts/stoker"
GOLDEN = f"{ROOT}/tests/golden/charts/stoker-default.yaml"
SHOWING = [f"{ROOT}/docs/how-to/{name}.md" for name in ("install", "cluster-autoscaler")]
HELM = Helm(sys.argv[1])
STOKER = os.environ["STOKER_BIN"]
ETC = "/etc/stoker"
START = 30  # seconds; a busy machine is slow

HOURS = """
config:
  policies:
    hours:
      replicas: {min: 2, max: 9}
      signals: {day: {type: cron, timezone: UTC, start: "0 8 * * *", end: "0 18 * * *", desiredReplicas: 5}}
"""

# Values that must be refused, each with a word of the reason.
MISTAKES = {
    "adapter: {replica: 3}": "replica",
    "adapter: {replicas: 0}": "replicas",
    "adapter: {log: {level: loud}}": "level",
    "adapters: {}": "adapters",
    "image: {digest: latest}": "digest",
    "image: {repository: ''}": "repository",
    "config: {policy: {}}": "policy",
    "config: {apiVersion: stoker/v2}": "apiVersion",
    "config: {server: {http: {auth: 'off'}}}": "config.server.http: the chart sets it",
    "config: {server: {expander: {enabled: true}}}": "config.server.expander: the chart sets it",
    "expander: {enabled: true}": "set tls.certManager.enabled, or tls.secretName",
    "placeholders: {priorityClass: {value: 0}}": "value",
    "{tls: {enabled: true, secretName: a}, config: {policies: {a: {capacity: {mechanism: placeholder, executor: {cpu: 1, memory: 2Gi}}}}}}":
        "placeholders.authentication: with tls.enabled",
    "config: {policies: {a_b: {capacity: {mechanism: placeholder, executor: {cpu: 1, memory: 2Gi}}}, a-b: {capacity: "
    "{mechanism: placeholder, executor: {cpu: 1, memory: 2Gi}}}}}": "capacity.name: stoker/stoker-a-b is that of policy",
    "config: {policies: {a: {namespaces: [data], capacity: {mechanism: placeholder, executor: {cpu: 1, memory: 2Gi}}}}}":
        "config.policies.a.capacity.namespace: the policy's namespaces do not allow",
    "config: {policies: {a: {capacity: {mechanism: placeholder, executor: {preset: medium}}}}}":
        "config.policies.a.capacity.executor: set cpu and memory",
    "config: {server: {grpc: {listen: '0.0.0.0:7000'}}}": "config.server.grpc.listen: the chart sets it",
    "tls: {enabled: true}": "set tls.certManager.enabled, or tls.secretName",
    "tls: {http: true}": "do nothing until tls.enabled",
    "tls: {enabled: true, certManager: {enabled: true}}": "tls.certManager.issuerRef.name",
    "networkPolicy: {keda: {}}": "keda",
    "monitoring: {serviceMonitor: {enabled: true}, podMonitor: {enabled: true}}": "enable one",
}

def render(*values, chart=CHART):
    return HELM.render(chart, "stoker", "stoker", *values)


def selects(labels, thing):
    return labels.items() <= thing["metadata"]["labels"].items()


def write_config(objects, folder):
    """The files of the ConfigMap that the pod mounts, as the kubelet lays them out; an update swaps one link."""
    data = one(objects, "ConfigMap", workload(objects)["metadata"]["name"])["data"]
    os.makedirs(folder, exist_ok=True)
    version = tempfile.mkdtemp(prefix="..", dir=folder)
    for name, text in data.items():
        with open(f"{version}/{name}", "w", encoding="utf-8") as file:
            file.write(text.replace(ETC, os.path.dirname(folder)))
        if not os.path.lexists(f"{folder}/{name}"):
            os.symlink(f"..data/{name}", f"{folder}/{name}")
    os.symlink(os.path.basename(version), f"{folder}/..next")
    os.replace(f"{folder}/..next", f"{folder}/..data")


def stoker_check(*arguments):
    """What `stoker check` has against these files, or ""."""
    done = subprocess.run([STOKER, "check", "--strict", *arguments], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def wiring(objects, given):
    """What in the objects does not fit together, or "". `given`: Secrets and ConfigMaps that values name."""
    deployment = workload(objects)
    pod = deployment["spec"]["template"]
    container = pod["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    if not selects(deployment["spec"]["selector"]["matchLabels"], pod):
        return "the Deployment does not select its pods"
    if any("version" in key or "chart" in key for key in deployment["spec"]["selector"]["matchLabels"]):
        return "the selector changes with the version"
    for thing in objects:
        spec = thing.get("spec", {})
        if thing["kind"] == "Service":
            asked = {port["name"] for port in spec["ports"]}
            if not selects(spec["selector"], pod) or (spec.get("clusterIP") == "None") == ("expander" in asked):
                return f"Service {thing['metadata']['name']}: not over the pods, or headless where it should not be"
            for port in spec["ports"]:
                if ports.get(port["targetPort"]) != port["port"]:
                    return f"Service {thing['metadata']['name']}: port {port['name']} is not the container's"
        elif thing["kind"] in ("NetworkPolicy", "PodDisruptionBudget"):
            selector = spec.get("podSelector") or spec["selector"]
            if not selects(selector["matchLabels"], pod):
                return f"{thing['kind']}: does not select the pods"
        elif thing["kind"] == "ServiceMonitor":
            services = [service for service in objects if service["kind"] == "Service"
                        and selects(spec["selector"]["matchLabels"], service)]
            if len(services) != 1:
                return f"the ServiceMonitor selects {len(services)} Services"
            job = f"{thing['metadata']['namespace']}/{thing['metadata']['name']}"
            if [(rule["targetLabel"], rule["replacement"]) for rule in spec["endpoints"][0]["relabelings"]] != [("job", job)]:
                return "the ServiceMonitor's job is that of other namespaces' releases"
        elif thing["kind"] == "PodMonitor" and not selects(spec["selector"]["matchLabels"], pod):
            return "the PodMonitor does not select the pods"
        if not all(scrape.get("honorLabels") for scrape in spec.get("endpoints", []) + spec.get("podMetricsEndpoints", [])):
            return f"the {thing['kind']} lets Prometheus rename the label `namespace`"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if ports.get(container[probe]["httpGet"]["port"]) != 8081:
            return f"{probe}: not on port 8081"
    made = {(thing["kind"], thing["metadata"]["name"]) for thing in objects}
    for thing in objects:
        if thing["kind"] == "Certificate":
            made.add(("Secret", thing["spec"]["secretName"]))
    for volume in pod["spec"]["volumes"]:
        source = ("ConfigMap", volume["configMap"]["name"]) if "configMap" in volume else (
            "Secret", volume["secret"]["secretName"])
        if source not in made and source[1] not in given:
            return f"volume {volume['name']}: nobody makes {source}"
    for thing in objects:
        if thing["kind"] == "Deployment" and thing is not deployment:
            problem = placeholder(thing, objects)
            if problem:
                return f"{thing['metadata']['name']}: {problem}"
    if {mount["name"] for mount in container["volumeMounts"]} != {volume["name"] for volume in pod["spec"]["volumes"]}:
        return "volumes and mounts differ"
    return hardening(pod["spec"], container)


def placeholder(deployment, objects):
    """What is wrong with a Deployment of placeholders, or ""."""
    pod = deployment["spec"]["template"]
    scaled = one(objects, "ScaledObject", deployment["metadata"]["name"])
    if scaled is None or scaled["metadata"]["namespace"] != deployment["metadata"]["namespace"]:
        return "nobody scales it"
    if "replicas" in deployment["spec"]:
        return "an upgrade would set its replicas"
    if scaled["spec"]["triggers"][0]["metadata"].get("output") != "headroom":
        return "scaled by something else than headroom"
    if not selects(deployment["spec"]["selector"]["matchLabels"], pod):
        return "does not select its pods"
    made = one(objects, "PriorityClass", pod["spec"]["priorityClassName"])
    if made is None or not -10 <= made["value"] < 0:
        return "not of a priority below all others for which nodes are added"
    return hardening(pod["spec"], pod["spec"]["containers"][0])


def hardening(pod, container):
    own = container["securityContext"]
    rules = {
        "runs as root": not pod["securityContext"].get("runAsNonRoot") or pod["securityContext"]["runAsUser"] == 0,
        "no seccomp profile": pod["securityContext"].get("seccompProfile") != {"type": "RuntimeDefault"},
        "writable root": own.get("readOnlyRootFilesystem") is not True,
        "privilege escalation": own.get("allowPrivilegeEscalation") is not False,
        "capabilities": own.get("capabilities") != {"drop": ["ALL"]},
        # A Service named stoker-server would set STOKER_SERVER_PORT, which reads as an override.
        "variables of Services": pod.get("enableServiceLinks") is not False,
        "a token for Kubernetes by default": "automountServiceAccountToken" not in pod,
    }
    return ", ".join(rule for rule, broken in rules.items() if broken)


def notes(values, folder):
    """The text after an installation. `helm template` leaves it out, so a copy of the chart has it as an object."""
    copy = f"{folder}/notes"
    if not os.path.exists(copy):
        shutil.copytree(CHART, copy)
        with open(f"{copy}/templates/NOTES.txt", encoding="utf-8") as file:
            text = file.read()
        os.remove(f"{copy}/templates/NOTES.txt")
        with open(f"{copy}/templates/notes.yaml", "w", encoding="utf-8") as file:
            file.write('{{- define "notes" }}' + text + '{{ end }}\nkind: Notes\nmetadata: {name: notes}\n'
                       'text: {{ include "notes" . | quote }}\n')
    return one(render(*values, chart=copy), "Notes")["text"]


def scenario(name, values, schemas, folder):
    report(f"{name}: helm lint", HELM.lint(CHART, *values))
    try:
        objects = render(*values)
    except RuntimeError as error:
        report(f"{name}: helm template", str(error))
        return []
    report(f"{name}: objects fit their schemas", schemas.problem_of(objects))
    given = "".join(open(path, encoding="utf-8").read() for path in values)
    report(f"{name}: objects fit each other", wiring(objects, re.findall(r"[\w.-]+", given)))
    config = f"{folder}/{name}/config"
    write_config(objects, config)
    report(f"{name}: stoker check", stoker_check(config))
    scaled = [thing for thing in objects if thing["kind"] == "ScaledObject"]
    if scaled:
        with open(f"{folder}/{name}/scaled.yaml", "w", encoding="utf-8") as file:
            yaml.safe_dump_all(scaled, file)
        report(f"{name}: stoker check of the ScaledObjects", stoker_check(f"{folder}/{name}/scaled.yaml", "--config", config))

    text = notes(values, folder)
    documents = [part for part in re.split(r"^---$", text, flags=re.M) if part.lstrip().startswith("apiVersion:")]
    manifests = [yaml.safe_load(part) for part in documents]
    same(f"{name}: notes show a ScaledObject", [thing["kind"] for thing in manifests][:1], ["ScaledObject"])
    report(f"{name}: what the notes show fits its schema", schemas.problem_of(manifests))
    policies = yaml.safe_load(one(objects, "ConfigMap", workload(objects)["metadata"]["name"])["data"][
        "stoker.yaml"])["policies"]
    check(f"{name}: notes say first that an image is missing, if it is",
          text.lstrip().startswith("No image") == (workload(objects)["spec"]["template"]["spec"]["containers"][0]["image"].startswith("stoker:")),
          text[:200])
    if policies:  # else the notes say first to add one
        with open(f"{folder}/{name}/scaledobject.yaml", "w", encoding="utf-8") as file:
            file.write("---\n".join(documents))
        report(f"{name}: stoker check of the notes", stoker_check(
            f"{folder}/{name}/scaledobject.yaml", "--config", config))
    address = manifests[0]["spec"]["triggers"][0]["metadata"]["scalerAddress"]
    certificate = one(objects, "Certificate")
    if certificate:
        server = yaml.safe_load(one(objects, "ConfigMap", workload(objects)["metadata"]["name"])["data"][
            "server.yaml"])["server"]
        needed = {address.split(":")[0], server["peers"]["service"]}
        same(f"{name}: the certificate is for the names in use", needed - set(certificate["spec"]["dnsNames"]), set())
    return objects


class Running:
    """Stoker on rendered objects: the command and the mounts of the container, ports of 0."""

    def __init__(self, objects, folder, secrets=()):
        self.etc = f"{folder}{ETC}"
        container = workload(objects)["spec"]["template"]["spec"]["containers"][0]
        write_config(objects, f"{self.etc}/config")
        made = {thing["metadata"]["name"]: {key: base64.b64decode(value).decode() for key, value in thing["data"].items()}
                for thing in objects if thing["kind"] == "Secret"}
        made.update(secrets)
        volumes = {volume["name"]: volume["secret"] for volume in
                   workload(objects)["spec"]["template"]["spec"]["volumes"] if "secret" in volume}
        for mount in container["volumeMounts"]:
            if mount["name"] not in volumes:
                continue
            volume = volumes[mount["name"]]
            data = made[volume["secretName"]]
            where = f"{folder}{mount['mountPath']}"
            os.makedirs(where)
            for item in volume.get("items", [{"key": key, "path": key} for key in data]):
                with open(f"{where}/{item['path']}", "w", encoding="utf-8") as file:
                    file.write(data[item["key"]])
        self.log = f"{folder}/log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("STOKER_")}
        for listener in (port["name"].upper() for port in container["ports"]):
            environment[f"STOKER_SERVER__{listener}__LISTEN"] = "127.0.0.1:0"
        environment["PATH"] = os.path.dirname(STOKER) + ":" + environment["PATH"]
        with open(self.log, "w", encoding="utf-8") as log:
            command = [part.replace(ETC, self.etc) for part in container["command"] + container["args"]]
            self.process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
        self.up = self.logged("stoker is up")

    def logged(self, message):
        """The log's line with this message, as soon as there is one; None in the end."""
        end = time.monotonic() + START
        while time.monotonic() < end and self.process.poll() is None:
            for line in self.output().splitlines():
                if message in line:
                    return json.loads(line)
            time.sleep(0.05)
        return None

    def output(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def ready(self):
        """The last answer of /readyz, 200 if there was one."""
        end = time.monotonic() + START
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", int(self.up["probes_port"]), timeout=10)
            connection.request("GET", "/readyz")
            status = connection.getresponse().status
            if status == 200 or time.monotonic() > end:
                return status
            time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def starts(folder, hours):
    """The real program on the default objects; a ConfigMap that changes is live in it."""
    with Running(render(), folder) as running:
        if not running.up:
            report("default: starts", running.output())
            return
        same("default: /readyz", running.ready(), 200)
        write_config(render(hours), f"{running.etc}/config")
        reloaded = running.logged("configuration reloaded")
        same("a changed ConfigMap is live without a restart", reloaded and reloaded["policies"], "1")
        explain = subprocess.run([STOKER, "explain", "--policy", "hours", "--token-file", f"{running.etc}/tokens/tokens",
                                  "--server", f"http://127.0.0.1:{running.up['http_port']}"],
                                 capture_output=True, text=True, check=False)
        check("the token opens the HTTP API", explain.returncode == 0, explain.stdout + explain.stderr)


def starts_with_tls(folder, hours):
    """With a certificate for the names that the chart asks cert-manager for, KEDA's address is answered."""
    expander = f"{folder}/expander.yaml"
    with open(expander, "w", encoding="utf-8") as file:
        file.write("expander: {enabled: true}")
    objects = render(f"{CHART}/ci/tls-certmanager-values.yaml", hours, expander)
    names = one(objects, "Certificate")["spec"]["dnsNames"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=stoker", "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names),
                    "-keyout", f"{folder}/tls.key", "-out", f"{folder}/tls.crt"], capture_output=True, check=True)
    files = {name: open(f"{folder}/{name}", encoding="utf-8").read() for name in ("tls.crt", "tls.key")}
    with Running(objects, folder, {"stoker-tls": {**files, "ca.crt": files["tls.crt"]}}) as running:
        if not running.up:
            report("tls: starts", running.output())
            return
        same("tls: /readyz", running.ready(), 200)
        ca = f"{folder}/tls.crt"
        query = subprocess.run([STOKER, "query", f"127.0.0.1:{running.up['grpc_port']}", "--policy", "hours", "--ca", ca,
                                "--server-name", "stoker.stoker.svc", "--timeout", "20s"],
                               capture_output=True, text=True, check=False)
        check("tls: KEDA's question is answered", query.returncode == 0, query.stdout + query.stderr)
        context = ssl.create_default_context(cafile=ca)
        with socket.create_connection(("127.0.0.1", int(running.up["expander"]))) as plain:
            with context.wrap_socket(plain, server_hostname="stoker-expander.stoker.svc") as secure:
                check("tls: the expander is who the autoscaler asks for", secure.version(), "no TLS")
        context.check_hostname = False  # the question above checked the name
        connection = http.client.HTTPSConnection("127.0.0.1", int(running.up["http_port"]), context=context, timeout=10)
        connection.request("GET", "/metrics")
        same("tls: /metrics", connection.getresponse().status, 200)


def refuses(folder):
    for number, (text, reason) in enumerate(MISTAKES.items()):
        path = f"{folder}/mistake-{number}.yaml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            render(path)
            report(f"refuses {text}", "accepted")
        except RuntimeError as error:
            check(f"refuses {text}", reason in str(error), str(error))


def odd_values(folder):
    """What Stoker takes is not always what Kubernetes does."""
    path = f"{folder}/odd.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write("adapter: {strategy: {type: Recreate}}\nconfig:\n  policies:\n    'on':\n      capacity:\n"
                   "        {mechanism: placeholder, executor: {cpu: 4, memory: 18g, ephemeralStorage: 20GiB}}\n")
    unset = f"{folder}/unset.yaml"
    with open(unset, "w", encoding="utf-8") as file:
        file.write("config: {connections: {spark: {apps: null}}, policies: {a: null, etl.v2_: {capacity: {mechanism: "
                   "placeholder, running: null, executor: {cpu: 1, memory: 2147483648b}}, signals: {b: null}}}}\n")
    objects = render(unset)
    made = one(objects, "Deployment", "stoker-etl-v2")
    same("names are Stoker's own", made["metadata"]["labels"]["stoker/policy"], "etl.v2")
    same("bytes are a number", made["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"], "2147483648")
    same("what null unsets is not there", list(yaml.safe_load(one(objects, "ConfigMap")["data"]["stoker.yaml"])["policies"]), ["etl.v2_"])
    same("classes of several namespaces do not clash", one(objects, "PriorityClass")["metadata"]["name"], "stoker-stoker-placeholder")
    objects = render(path)
    pod = one(objects, "Deployment", "stoker-on")["spec"]["template"]["spec"]
    same("sizes are written as Kubernetes reads them", pod["containers"][0]["resources"]["requests"],
         {"cpu": "4", "memory": "18Gi", "ephemeral-storage": "20Gi"})
    same("a policy's name is a text", one(objects, "ScaledObject")["spec"]["triggers"][0]["metadata"]["policy"], "on")
    named = f"{folder}/named.yaml"
    with open(named, "w", encoding="utf-8") as file:
        file.write("placeholders: {authentication: 'off', authenticationKind: ClusterTriggerAuthentication}")
    same("placeholders take a ClusterTriggerAuthentication, whatever its name",
         one(render(path, named), "ScaledObject")["spec"]["triggers"][0]["authenticationRef"],
         {"kind": "ClusterTriggerAuthentication", "name": "off"})
    same("Recreate has no rollingUpdate", one(objects, "Deployment", "stoker")["spec"]["strategy"], {"type": "Recreate"})


def under_a_parent(folder):
    """A parent's `condition` is a value of the chart, too, whose schema knows all values."""
    parent = f"{folder}/parent"
    charts = {name: f"{ROOT}/charts/{name}" for name in ("stoker", "spark-connect")}
    os.makedirs(f"{parent}/charts")
    dependencies = []
    for name, chart in charts.items():
        shutil.copytree(chart, f"{parent}/charts/{name}")
        with open(f"{chart}/Chart.yaml", encoding="utf-8") as file:
            dependencies.append({"name": name, "version": yaml.safe_load(file)["version"], "condition": f"{name}.enabled"})
    with open(f"{parent}/Chart.yaml", "w", encoding="utf-8") as file:
        yaml.safe_dump({"apiVersion": "v2", "name": "parent", "version": "0.1.0", "dependencies": dependencies}, file)
    for on in (["stoker"], ["stoker", "spark-connect"]):
        with open(f"{parent}/values.yaml", "w", encoding="utf-8") as file:
            yaml.safe_dump({name: {"enabled": name in on} for name in charts}, file)
        made = {thing["metadata"]["labels"]["app.kubernetes.io/name"] for thing in render(chart=parent)}
        same(f"a parent chart enables {' and '.join(on)}", made, set(on))


def rights(scenarios):
    """Per scenario and namespace what Stoker may do: verbs by resource."""
    held = {name: {} for name in scenarios}
    for name, objects in scenarios.items():
        for role in (thing for thing in objects if thing["kind"] == "Role"):
            held[name][role["metadata"]["namespace"]] = {
                "/".join([*rule["resources"], *rule.get("resourceNames", [])]): " ".join(rule["verbs"]) for rule in role["rules"]}
    same("spark discovery: pods are listed where drivers are, and no more", held["spark-discovery"],
         {namespace: {"pods": "list"} for namespace in ("data", "team-b", "team-c")})
    same("capacity: written where the policies say, by one replica; the autoscaler's status is read", held["capacity"], {
        "data": {"pods": "list", "events/resourcequotas": "list", "podtemplates": "get create patch",
                 "capacitybuffers": "get create patch"},
        "reports": {"pods": "list", "events/resourcequotas": "list", "podtemplates": "get create patch",
                    "provisioningrequests": "list create delete"},
        "kube-system": {"configmaps/cluster-autoscaler-status": "get", "events": "list"},
        "stoker": {"leases/stoker-capacity": "get update", "leases": "create"}})
    same("no other right in the cluster", [name for name, found in held.items() if found],
         [name for name in scenarios
          if name in ("capacity", "everything", "spark-discovery", "cluster-autoscaler.md expander-values")])
    same("no ClusterRole", [name for name, objects in scenarios.items() if one(objects, "ClusterRole")], [])
    same("a token for Kubernetes only with rights",
         [name for name, objects in scenarios.items()
          if workload(objects)["spec"]["template"]["spec"]["automountServiceAccountToken"]],
         [name for name, found in held.items() if found])


def restarts(folder, hours):
    """What restarts pods: their own spec and listeners, not policies."""
    default = one(render(), "Deployment")
    same("a new policy restarts nothing", one(render(hours), "Deployment"), default)
    path = f"{folder}/tls.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write("tls: {enabled: true, secretName: given}")
    changed = one(render(path), "Deployment")["spec"]["template"]["metadata"]["annotations"]
    check("TLS restarts the pods", changed != default["spec"]["template"]["metadata"]["annotations"], "the same annotations")


def network(objects, capacity):
    """The default policy: who may reach which port; with the expander, the autoscaler."""
    by_port, with_expander = ({rule["ports"][0]["port"]: rule.get("from")
                               for rule in one(rendered, "NetworkPolicy")["spec"]["ingress"]} for rendered in (objects, capacity))
    same("network: the autoscaler's namespace alone reaches port 6001", with_expander.get("expander"), [{
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}])
    same("network: ports", set(by_port), {"grpc", "http", "probes"})
    same("network: KEDA's operator alone reaches port 6000", by_port.get("grpc"), [{
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}},
        "podSelector": {"matchLabels": {"app": "keda-operator"}}}])
    same("network: replicas and Prometheus reach port 8080", len(by_port.get("http") or []), 2)


def carries(objects, folder):
    """Alerts and dashboards come out as they are made, the alerts with links to their runbook."""
    done = subprocess.run([f"{ROOT}/scripts/chart-files", "--check"], capture_output=True, text=True, check=False)
    report("files: as dashboards/ has them", done.stderr)
    groups = []
    for path in sorted(glob.glob(f"{ROOT}/dashboards/alerts/*.yaml")):
        with open(path, encoding="utf-8") as file:
            groups += yaml.safe_load(file.read().replace("runbook_url: docs/", "runbook_url: https://docs.example.com/stoker/"))[
                "groups"]
    made = one(objects, "PrometheusRule")["spec"]["groups"]
    same("files: alerts", [group for group in made if group["name"] != "own"], groups)
    path = f"{folder}/unread.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write("monitoring: {prometheusRule: {enabled: true}}")
    for rule in (rule for group in groups for rule in group["rules"]):
        rule.get("annotations", {}).pop("runbook_url", None)
    same("files: alerts without a link, where nobody says to what", one(render(path), "PrometheusRule")["spec"]["groups"], groups)
    check("files: the values' own alerts", any(group["name"] == "own" for group in made), made)
    boards = {}
    for path in glob.glob(f"{ROOT}/dashboards/out/*.json"):
        with open(path, encoding="utf-8") as file:
            boards[os.path.basename(path)] = file.read()
    same("files: dashboards", {name: text for thing in objects if thing["kind"] == "ConfigMap"
                               for name, text in thing["data"].items() if name.endswith(".json")}, boards)


def documents():
    report("README.md and schema say what values.yaml says", chart_docs(ROOT, CHART))
    with open(f"{ROOT}/VERSION", encoding="utf-8") as file:
        version = file.read().strip()
    with open(f"{CHART}/Chart.yaml", encoding="utf-8") as file:
        same("appVersion is Stoker's version", yaml.safe_load(file)["appVersion"], version)
    with open(f"{CHART}/README.md", encoding="utf-8") as readme, open(SHOWING[0], encoding="utf-8") as install:
        same("README.md and install.md name the same oldest KEDA", re.search(r"KEDA (\d+\.\d+)", readme.read())[1],
             re.search(r"\[KEDA\]\(\S+\) (\d+\.\d+) or later", install.read())[1])


def main():
    schemas = Schemas(sys.argv[2], sys.argv[3:])
    with tempfile.TemporaryDirectory() as folder:
        hours = f"{folder}/hours.yaml"
        with open(hours, "w", encoding="utf-8") as file:
            file.write(HOURS)
        cases = {os.path.basename(path).removesuffix("-values.yaml"): [path]
                 for path in sorted(glob.glob(f"{CHART}/ci/*-values.yaml"))}
        cases.update((name, [path]) for document in SHOWING for name, path in shown_values(document, folder))
        scenarios = {name: scenario(name, values, schemas, folder) for name, values in cases.items()}
        if not all(scenarios.values()):
            return 1
        rights(scenarios)
        network(scenarios["default"], scenarios["capacity"])
        same("networkpolicy-off has none", one(scenarios["networkpolicy-off"], "NetworkPolicy"), None)
        restarts(folder, hours)
        refuses(folder)
        odd_values(folder)
        under_a_parent(folder)
        carries(scenarios["monitoring"], folder)
        documents()
        starts(tempfile.mkdtemp(dir=folder), hours)
        starts_with_tls(tempfile.mkdtemp(dir=folder), hours)
        text = HELM.text(CHART, "stoker", "stoker")
        golden(GOLDEN, re.sub(r"(\n  tokens: ).*", r"\1...", text))  # made anew each time
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
