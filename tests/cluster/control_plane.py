"""A real Kubernetes control plane on loopback: etcd, kube-apiserver and, where pods are to be scheduled, kube-scheduler.

No kubelet: nodes and pods are what a test writes. No controllers either: a Deployment makes no pods, and namespaces have
no service account of their own, so the admission plugin that asks for one is off.
"""

import base64
import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

START = 120  # seconds; a busy machine is slow
STOP = 10


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def openssl(*arguments, stdin=None):
    return subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, text=True, check=True).stdout


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=test", "-keyout", f"{folder}/ca.key", "-out", self.ca)

    @property
    def ca(self):
        return f"{self.folder}/ca.crt"

    def issue(self, name, subject, names=()):
        """(certificate, key) as paths; for a server with `names`, else for a client."""
        path = f"{self.folder}/{name}"
        with open(f"{path}.ext", "w", encoding="utf-8") as file:
            file.write(f"subjectAltName={','.join(names)}\nextendedKeyUsage=serverAuth\n" if names
                       else "extendedKeyUsage=clientAuth\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
                "-keyout", f"{path}.key", "-out", f"{path}.csr")
        openssl("x509", "-req", "-in", f"{path}.csr", "-CA", self.ca, "-CAkey", f"{self.folder}/ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", f"{path}.ext", "-out", f"{path}.crt")
        return f"{path}.crt", f"{path}.key"


class Refused(Exception):
    """The API server's answer was an error: its status and message."""

    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status


class Client:
    """The few calls of the Kubernetes API that tests make."""

    def __init__(self, port, ca, certificate, user=None):
        self.port = port
        self.context = ssl.create_default_context(cafile=ca)
        self.context.load_cert_chain(*certificate)
        self.certificate, self.ca, self.user = certificate, ca, user
        self.resources = {}  # (apiVersion, kind) to (plural, namespaced)

    def acting_as(self, user):
        """The same, with that user's rights."""
        return Client(self.port, self.ca, self.certificate, user)

    def call(self, method, path, body=None, content="application/json"):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=60)
        headers = {"Content-Type": content, "Accept": "application/json"}
        if self.user:
            headers["Impersonate-User"] = self.user  # of a service account: its groups come by themselves
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        if answer.status >= 300:
            try:
                text = json.loads(text)["message"]
            except (ValueError, KeyError):
                pass
            raise Refused(answer.status, text)
        return json.loads(text) if text.startswith("{") else text

    def path(self, version, kind, namespace=None, name=None):
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self.resources:
            for resource in self.call("GET", root)["resources"]:
                if "/" not in resource["name"]:
                    self.resources[version, resource["kind"]] = resource["name"], resource["namespaced"]
        if (version, kind) not in self.resources:
            raise Refused(404, f"the API server knows no {kind} of {version}")
        plural, namespaced = self.resources[version, kind]
        where = f"/namespaces/{namespace or 'default'}" if namespaced else ""
        return f"{root}{where}/{plural}" + (f"/{name}" if name else "")

    def apply(self, thing, dry_run=False):
        """As `kubectl apply --server-side`; a field that the server does not know is an error."""
        metadata = thing["metadata"]
        path = self.path(thing["apiVersion"], thing["kind"], metadata.get("namespace"), metadata["name"])
        query = "?fieldManager=test&force=true&fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        return self.call("PATCH", path + query, thing, "application/apply-patch+yaml")

    def create(self, thing):
        return self.call("POST", self.path(thing["apiVersion"], thing["kind"], thing["metadata"].get("namespace"))
                         + "?fieldValidation=Strict", thing)

    def get(self, version, kind, namespace=None, name=None):
        return self.call("GET", self.path(version, kind, namespace, name))

    def delete(self, version, kind, namespace, name):
        return self.call("DELETE", self.path(version, kind, namespace, name) + "?gracePeriodSeconds=0")

    def patch_status(self, version, kind, namespace, name, status):
        return self.call("PATCH", self.path(version, kind, namespace, name) + "/status", {"status": status},
                         "application/merge-patch+json")


def wait_for(what, holds, seconds=START):
    """What `holds` returns as soon as it is true."""
    end = time.monotonic() + seconds
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.1)


class Processes:
    """Programs that end with the block, whatever happens in it. Each writes to a log of its own in the folder."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def start(self, name, *command, environment=None):
        with open(f"{self.folder}/{name}.log", "a", encoding="utf-8") as log:
            process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                       env={**os.environ, **(environment or {})})
        self.running.append(process)
        return process

    def log(self, name, size=3000):
        with open(f"{self.folder}/{name}.log", encoding="utf-8", errors="replace") as log:
            return log.read()[-size:]

    def stop(self, process):
        process.terminate()
        try:
            process.wait(STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.running.remove(process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.running[:]):
            self.stop(process)


class ControlPlane:
    """`binaries`: a folder with etcd, kube-apiserver and kube-scheduler. Use as a context manager."""

    def __init__(self, binaries):
        self.binaries = binaries

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="stoker-cluster-")
        self.processes = Processes(self.folder)
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.processes.__exit__()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        self.authority = Authority(f"{self.folder}/pki")
        self.admin = self.authority.issue("admin", "/O=system:masters/CN=admin")
        server = self.authority.issue("server", "/CN=kube-apiserver", ["IP:127.0.0.1", "DNS:localhost"])
        accounts = f"{self.folder}/pki/accounts.key"
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", accounts)
        etcd_port, peer_port, self.port = free_port(), free_port(), free_port()
        etcd = self.etcd = f"http://127.0.0.1:{etcd_port}"
        peers = f"http://127.0.0.1:{peer_port}"
        started = [self.processes.start(
            "etcd", f"{self.binaries}/etcd", "--data-dir", f"{self.folder}/etcd", "--unsafe-no-fsync", "--log-level=error",
            f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}", f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=default={peers}")]
        started.append(self.processes.start(
            "apiserver", f"{self.binaries}/kube-apiserver", f"--etcd-servers={etcd}", f"--secure-port={self.port}",
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.0.0.0/24", "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount",
            f"--tls-cert-file={server[0]}", f"--tls-private-key-file={server[1]}", f"--client-ca-file={self.authority.ca}",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={accounts}",
            f"--service-account-signing-key-file={accounts}", "--profiling=false"))
        self.client = Client(self.port, self.authority.ca, self.admin)

        def ready():
            for process in started:
                if process.poll() is not None:
                    raise RuntimeError(f"{os.path.basename(process.args[0])} ended: "
                                       + self.processes.log("etcd") + self.processes.log("apiserver"))
            try:
                return self.client.call("GET", "/readyz") == "ok"
            except (OSError, Refused):
                return False

        wait_for("kube-apiserver is ready", ready)
        self.kubeconfig = self.write_kubeconfig("admin", {
            "client-certificate-data": encoded(self.admin[0]), "client-key-data": encoded(self.admin[1])})

    def write_kubeconfig(self, name, user, namespace="default"):
        """Path of a kubeconfig for that user; JSON, which is YAML, too."""
        path = f"{self.folder}/{name}.kubeconfig"
        with open(path, "w", encoding="utf-8") as file:
            json.dump({
                "apiVersion": "v1", "kind": "Config", "current-context": "test",
                "clusters": [{"name": "test", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                          "certificate-authority-data": encoded(self.authority.ca)}}],
                "users": [{"name": name, "user": user}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": name, "namespace": namespace}}]},
                      file)
        return path

    def configure(self, name, config):
        """The file with Stoker's configuration, whose listeners have port 0; one that runs on it reads it again."""
        path = f"{self.folder}/{name}.yaml"
        server = {**{listener: {"listen": "127.0.0.1:0"} for listener in ("grpc", "http", "probes")},
                  **config.get("server", {})}
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            json.dump({"apiVersion": "stoker/v1", **config, "server": server}, file)
        os.rename(f"{path}.new", path)
        return path

    def start_stoker(self, name, config, kubeconfig):
        """Stoker from STOKER_BIN on this configuration: the process, and what its log says of its ports."""
        path = self.configure(name, config)
        process = self.processes.start(name, os.environ["STOKER_BIN"], "serve", f"--config={path}", "--log-format=json",
                                       environment={"KUBECONFIG": kubeconfig})

        def up():
            if process.poll() is not None:
                raise RuntimeError(self.processes.log(name))
            for line in self.processes.log(name, 100_000).splitlines():
                if "stoker is up" in line:
                    return json.loads(line)
            return None

        return process, wait_for(f"{name} is up", up)

    def start_scheduler(self):
        self.processes.start("scheduler", f"{self.binaries}/kube-scheduler", f"--kubeconfig={self.kubeconfig}",
                             "--leader-elect=false", "--secure-port=0")

    def namespace(self, name, labels=None):
        self.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}})

    def define(self, definition):
        """Applies a CustomResourceDefinition and waits until objects of it are taken."""
        self.client.apply(definition)
        name = definition["metadata"]["name"]

        def established():
            found = self.client.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name=name)
            return any(condition["type"] == "Established" and condition["status"] == "True"
                       for condition in found.get("status", {}).get("conditions") or [])

        wait_for(f"{name} is established", established)


def encoded(path):
    with open(path, "rb") as file:
        return base64.b64encode(file.read()).decode()
