"""A control plane of Kubernetes of a test's own: etcd and kube-apiserver, and on request
kube-controller-manager, kube-scheduler and kwok, whose nodes are fake and run every pod given to them."""

import base64
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import yaml

from rig.certificates import Authority
from rig.kube_api import KubeApi
from rig.process import BUILD, Child, free_port, wait_for

TOOLS = BUILD / "tools/bin"
UNHURRIED = ("--kube-api-qps=1000", "--kube-api-burst=2000")  # thousands of pods must not wait for their makers
HELD = "prewarm.dev/held"  # annotation of a fake node whose kubelet does nothing yet
NOT_READY = {"type": "Ready", "status": "False", "reason": "KubeletNotReady",
             "message": "container runtime network not ready"}
START_SECONDS = 120  # on an idle machine 2; what else runs on it may be a compiler
AUDIT_POLICY = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
                "rules": [{"level": "Metadata"}]}


class Cluster(KubeApi):
    """Its methods act as the administrator. `users` maps names to groups: each gets a token."""

    def __init__(self, folder, *, with_scheduling=False, users=None, audit=False, api_options=(),
                 manager_options=()):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        memory = pathlib.Path("/dev/shm")
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="prewarm-etcd-", dir=memory if memory.is_dir() else None))
        self.children = {}
        self.starts = itertools.count()
        self.audit_log = self.folder / "audit.log" if audit else None
        self.api_options, self.manager_options = list(api_options), list(manager_options)
        self.tokens = {"admin": "token-of-admin", **{name: f"token-of-{name}" for name in users or {}}}
        self.write_files(users or {})
        super().__init__(free_port(), self.authority.certificate, self.tokens["admin"])
        self.admin_kubeconfig = self.kubeconfig("admin")
        try:
            self.start(with_scheduling)
        except BaseException:
            self.close()
            raise

    def write_files(self, users):
        self.authority = Authority(self.folder / "pki")
        self.certificate, self.key = self.authority.issue(
            "apiserver", "IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc")
        self.authority.openssl("genrsa", "-out", self.folder / "service-accounts.key", "2048")
        lines = [f'{self.tokens["admin"]},admin,admin,"system:masters"']
        lines += [f'{self.tokens[name]},{name},{name},"{",".join(groups)}"' for name, groups in users.items()]
        tokens = self.folder / "tokens.csv"
        tokens.write_text("\n".join(lines) + "\n")
        tokens.chmod(0o600)
        (self.folder / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY))

    def start(self, with_scheduling):
        self.start_etcd()
        self.start_api_server()
        if with_scheduling:
            self.start_scheduling()

    def start_scheduling(self):
        """Starts what works through the API server, or starts it again."""
        for name in ("kube-controller-manager", "kube-scheduler", "kwok"):
            if name in self.children:
                self.children[name].stop()
        self.run("kube-controller-manager", "--leader-elect=false", "--secure-port=0",
                 "--service-account-private-key-file", self.folder / "service-accounts.key",
                 "--root-ca-file", self.authority.certificate, "--use-service-account-credentials=false",
                 *UNHURRIED, *self.manager_options)
        self.run("kube-scheduler", "--leader-elect=false", "--secure-port=0", *UNHURRIED)
        self.run("kwok", "--config", self.kubelet_rules(), "--manage-all-nodes=false",
                 "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
                 "--node-lease-duration-seconds=40")

    def kubelet_rules(self):
        """kwok takes a node up only when it is made, so those that are to come up later are told apart here."""
        stages = list(yaml.load_all((TOOLS / "kwok-stages.yaml").read_text(), yaml.CSafeLoader))
        [first] = [one for one in stages if one["metadata"]["name"] == "node-initialize"]
        first["spec"]["selector"]["matchExpressions"].append(
            {"key": f'.metadata.annotations["{HELD}"]', "operator": "DoesNotExist"})
        path = self.folder / "kwok.yaml"
        path.write_text(yaml.safe_dump_all(stages))
        return path

    def start_etcd(self):
        """Tries again with other ports if somebody took one in between."""
        for attempt in range(3):
            self.etcd_port, peer = free_port(), free_port()
            here, there = (f"http://127.0.0.1:{port}" for port in (self.etcd_port, peer))
            child = self.spawn("etcd", "--data-dir", self.data, "--unsafe-no-fsync", "--log-level=error",
                               "--listen-client-urls", here, "--advertise-client-urls", here,
                               "--listen-peer-urls", there, "--initial-advertise-peer-urls", there,
                               "--initial-cluster", f"default={there}", "--quota-backend-bytes", 4 << 30)
            try:
                return child.wait_until(lambda: self.etcd_is_healthy(), "etcd to be healthy", START_SECONDS)
            except AssertionError:
                if child.running() or attempt == 2:
                    raise

    def etcd_is_healthy(self):
        done = subprocess.run(["curl", "-fs", "-m", "2", f"http://127.0.0.1:{self.etcd_port}/health"],
                              capture_output=True, timeout=10)
        return b'"true"' in done.stdout

    def start_api_server(self):
        """Starts it, or starts it again: on the same port, with everything that etcd holds."""
        keys = self.folder / "service-accounts.key"
        audit = ["--audit-policy-file", self.folder / "audit-policy.json", "--audit-log-path",
                 self.audit_log] if self.audit_log else []
        child = self.spawn(
            "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{self.etcd_port}", "--bind-address=127.0.0.1",
            f"--secure-port={self.port}", "--tls-cert-file", self.certificate, "--tls-private-key-file",
            self.key, "--client-ca-file", self.authority.certificate, "--cert-dir", self.folder / "pki",
            "--service-account-key-file", keys, "--service-account-signing-key-file", keys,
            "--service-account-issuer=https://kubernetes.default.svc", "--token-auth-file",
            self.folder / "tokens.csv", "--authorization-mode=RBAC", "--anonymous-auth=false",
            "--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount",
            "--profiling=false", *audit, *self.api_options)
        child.wait_until(self.ready, "the API server to be ready", START_SECONDS)

    def ready(self):
        """Ready, with the namespaces that a loop of the server makes a moment later."""
        try:
            return self.raw("GET", "/readyz")[0] == 200 and all(
                self.raw("GET", f"/api/v1/namespaces/{name}")[0] == 200 for name in ("default", "kube-system"))
        except OSError:
            return False

    def stop_api_server(self):
        self.children["kube-apiserver"].stop()

    def spawn(self, program, *options):
        log = self.folder / f"{program}-{next(self.starts)}.log"
        child = self.children[program] = Child([TOOLS / program, *options], log)
        return child

    def run(self, program, *options):
        """A part that speaks to the API server as the administrator."""
        return self.spawn(program, "--kubeconfig", self.admin_kubeconfig, *options)

    def close(self):
        for child in reversed(self.children.values()):
            child.stop()
        shutil.rmtree(self.data, ignore_errors=True)

    # ---- identities --------------------------------------------------------------------------------

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def as_user(self, name):
        """The API as one of `users` sees it."""
        return KubeApi(self.port, self.authority.certificate, self.tokens[name])

    def service_account(self, name, namespace="default", *, seconds=3600):
        """Makes the account if there is none; its identity can then be named to the other methods."""
        if not self.find("ServiceAccount", name, namespace):
            self.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}, namespace)
        answer = self.call("POST", self.path("ServiceAccount", name, namespace, "token"), {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds}})
        identity = f"{namespace}.{name}"
        self.tokens[identity] = answer["status"]["token"]
        return identity

    def kubeconfig(self, user="admin", *, server=None, namespace="default"):
        """A file by which a program acts as `user`; `server`: the URL of something in between."""
        path = self.folder / f"{user}-of-{namespace}{'-elsewhere' if server else ''}.kubeconfig"
        authority = base64.b64encode(self.authority.certificate.read_bytes()).decode()
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": server or self.url,
                                                      "certificate-authority-data": authority}}],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user,
                                                      "namespace": namespace}}]}))
        path.chmod(0o600)
        return path

    def kubectl(self, *words, user="admin", stdin=None, expect=0, seconds=60):
        """What it prints; its complaints too if it was expected to fail."""
        done = subprocess.run(
            [TOOLS / "kubectl", "--kubeconfig", self.kubeconfig(user), "--cache-dir",
             self.folder / "kubectl-cache", *map(str, words)],
            input=stdin or "", capture_output=True, text=True, timeout=seconds, env={"HOME": str(self.folder),
                                                                                     "PATH": os.environ["PATH"]})
        assert done.returncode == expect, f"kubectl {words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + (done.stderr if expect else "")

    def audit_events(self, user=None):
        """Requests as the audit log tells them; of a user as Kubernetes names it. Without a line that is just being
        written."""
        events = [json.loads(line) for line in self.audit_log.read_bytes().splitlines(keepends=True)
                  if line.endswith(b"\n")]
        return [one for one in events if user is None or one["user"]["username"] == user]

    # ---- nodes -------------------------------------------------------------------------------------

    def add_node(self, name, *, gpus=0, labels=None, taints=(), resources=None, running=True,
                 accelerator="nvidia-l4"):
        """A node as a kubelet registers it. Not `running`: it stays NotReady until run_node."""
        capacity = {"cpu": "32", "memory": "256Gi", "pods": "110", "ephemeral-storage": "400Gi",
                    **({"nvidia.com/gpu": str(gpus)} if gpus else {}), **(resources or {})}
        taints = list(taints)
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                  **({"cloud.google.com/gke-accelerator": accelerator} if gpus else {}), **(labels or {})}
        if gpus:
            taints.append({"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"})
        return self.create({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": labels,
                         "annotations": {"kwok.x-k8s.io/node": "fake", **({} if running else {HELD: "true"})}},
            "spec": {"taints": taints, "providerID": f"kwok://{name}"},
            "status": {"capacity": capacity, "allocatable": capacity,
                       "conditions": [] if running else [NOT_READY],
                       "nodeInfo": {"bootID": f"boot-of-{name}-{time.time_ns()}"}}})

    def run_node(self, name):
        """Its kubelet has started."""
        return self.patch("Node", name, {"metadata": {"annotations": {HELD: None}}})

    def node_is_ready(self, name):
        conditions = self.get("Node", name).get("status", {}).get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def wait_for_nodes(self, *names, seconds=60):
        for name in names:
            wait_for(lambda: self.node_is_ready(name), f"node {name} to be ready", seconds)
