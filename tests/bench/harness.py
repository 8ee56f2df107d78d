"""What the benchmarks and the soak share: processes, a stand-in Prometheus, and what /proc says of a process."""

import collections
import dataclasses
import http.server
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("STOKER_BENCH_BUILD", f"{ROOT}/build/bench")
STOKER = f"{BUILD}/cli/stoker"


def tool(name):
    return f"{BUILD}/tests/bench/bench_{name}"


class Child:
    """A process whose output goes to a file; killed at the end of `with`."""

    def __init__(self, command, log, environment=None):
        self.log = log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output,
                                            env={**os.environ, **(environment or {})})
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as text:
            return text.read()

    def wait_for(self, pattern, seconds=60):
        """The match of `pattern` in its output."""
        compiled = re.compile(pattern)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = compiled.search(self.output())
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"{self.process.args[0]}: no '{pattern}' in its output:\n{self.output()[-2000:]}")

    def stop(self, number=signal.SIGTERM):
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.stdin.close()
        return self.process.wait()


class Stoker(Child):
    """`stoker serve` on a configuration of files or folders, up and past its first polls."""

    def __init__(self, configs, log, environment=None):
        command = [STOKER, "serve"]
        for config in configs:
            command += ["--config", config]
        super().__init__(command, log, environment)
        up = self.wait_for(r"stoker is up.*").group(0)
        ports = dict(re.findall(r"(\w+)_port=\"?(\d+)", up))
        self.grpc = f"127.0.0.1:{ports['grpc']}"
        self.http = f"http://127.0.0.1:{ports['http']}"
        self.probes = f"http://127.0.0.1:{ports['probes']}"

    def wait_until_ready(self, seconds=120):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"{self.probes}/readyz", timeout=5):
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"stoker is not ready after {seconds} s:\n{self.output()[-2000:]}")

    def metrics(self):
        with urllib.request.urlopen(f"{self.http}/metrics", timeout=60) as response:
            return response.read().decode()


SERVER = """apiVersion: stoker/v1
server:
  grpc: {listen: "127.0.0.1:0"%(grpc)s}
  http: {listen: "127.0.0.1:%(http_port)d", auth: off}
  probes: {listen: "127.0.0.1:0"}
%(more)s"""


def server_config(grpc="", http_port=0, more=""):
    return SERVER % {"grpc": grpc, "http_port": http_port, "more": more}


def free_port():
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclasses.dataclass
class Answer:
    """What the stand-in does with one query."""
    value: float | None = 0  # None: an empty vector
    status: int = 200
    delay: float = 0
    fault: str = ""  # "refuse": the connection is reset; "cut": the body ends in the middle; "nan": NaN


class StandInPrometheus:
    """Answers instant queries as `plan(query, slot)` says, and counts them by the slot they are for.

    `served(tenant, query, slot, value)` is told of each sound answer just before it goes out; the tenant is the
    request's X-Scope-OrgID.
    """

    def __init__(self, plan, served=lambda *_: None):
        self.plan = plan
        self.served = served
        self.by_slot = collections.Counter()
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.serve(self, urllib.parse.urlsplit(self.path).query)

            def do_POST(self):
                outer.serve(self, self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_):
                pass  # connections that break are what it is for

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, handler, parameters):
        fields = urllib.parse.parse_qs(parameters)
        query = fields.get("query", [""])[0]
        path = urllib.parse.urlsplit(handler.path).path
        if not path.endswith("/query"):  # a range: this Prometheus is too young to have a past
            return self.reply(handler, 200, {"status": "success", "data": {"resultType": "matrix", "result": []}})
        slot = float(fields.get("time", [str(time.time())])[0])
        with self.lock:
            self.by_slot[slot] += 1
        answer = self.plan(query, slot)
        if answer.delay:
            time.sleep(answer.delay)
        if answer.fault == "refuse":
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.close_connection = True
            handler.connection.close()
            return None
        if answer.status != 200:
            return self.reply(handler, answer.status, {"status": "error", "errorType": "internal", "error": "stand-in"})
        result = []
        if answer.value is not None:
            if not answer.fault and not answer.delay:
                self.served(handler.headers.get("X-Scope-OrgID", ""), query, slot, answer.value)
            text = "NaN" if answer.fault == "nan" else repr(answer.value)
            result = [{"metric": {}, "value": [slot, text]}]
        return self.reply(handler, 200, {"status": "success", "data": {"resultType": "vector", "result": result}},
                          cut=answer.fault == "cut")

    @staticmethod
    def reply(handler, status, message, cut=False):
        body = json.dumps(message).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:len(body) // 2] if cut else body)
        if cut:
            handler.close_connection = True


def run_load(target, objects, **options):
    """The load tool's JSON; options become --options."""
    command = [tool("load"), target, "--objects", objects]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return json.loads(done.stdout)


def write_objects(path, objects):
    """`objects`: (namespace, name, metadata, metric)."""
    with open(path, "w", encoding="utf-8") as out:
        for namespace, name, metadata, metric in objects:
            out.write(json.dumps({"namespace": namespace, "name": name, "metadata": metadata,
                                  "metric": metric}) + "\n")
    return path


@dataclasses.dataclass
class Usage:
    """Of a process, from /proc; sizes in MiB."""
    rss: float
    peak: float
    threads: int
    files: int


def usage(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as text:
        fields = dict(line.split(":", 1) for line in text)
    return Usage(rss=int(fields["VmRSS"].split()[0]) / 1024, peak=int(fields["VmHWM"].split()[0]) / 1024,
                 threads=int(fields["Threads"]), files=len(os.listdir(f"/proc/{pid}/fd")))


class Folder:
    """A temporary folder, gone at the end of `with`."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="stoker-bench-")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def write(self, name, text):
        """Writes a file as people should: whole, then in its place at once."""
        path = f"{self.path}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(f"{path}.new", "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(f"{path}.new", path)
        return path
