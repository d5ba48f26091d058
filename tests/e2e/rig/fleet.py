"""A controller and agents on loopback, spoken to as callers do: REST, prewarmctl."""

import json
import os
import pathlib
import re
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request

from rig.process import AGENT, BUILD, Child

CONTROLLER = pathlib.Path(os.environ.get("PREWARM_CONTROLLER", BUILD / "bin/prewarm-controller"))
PREWARMCTL = pathlib.Path(os.environ.get("PREWARM_CTL", BUILD / "bin/prewarmctl"))
TOKEN = "token-of-the-team"
FINAL = ("succeeded", "failed", "cancelled", "superseded")


class Problem(Exception):
    """An answer of the API that is not a success."""

    def __init__(self, status, document, headers):
        super().__init__(f"{status}: {document}")
        self.status, self.document, self.headers = status, document, headers


class Controller:
    def __init__(self, folder, volumes, *, fleet=None, env=None, lease="2s", beside=None, tls=None, kubeconfig=None,
                 kubernetes=None, workloads=None, webhook=None, with_tokens=True, lead=None, keep_ended=None):
        """`beside` another one: on its job store, standing by. `tls`: certificate, key and client-ca. `kubeconfig`:
        of the cluster that it works for; `kubernetes`: more of its settings; `workloads`: kinds that it is told of.
        `webhook`: where it answers for pods. `with_tokens`: of a file. `lead`: wait until it leads.
        `keep_ended`: how many prewarms that have ended it keeps in memory."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.env = env or {}
        self.authority = None  # the file by which callers trust a controller with TLS
        self.scheme = "https" if tls else "http"
        tokens = self.folder / "tokens"
        tokens.write_text(f"{TOKEN},team,default,get+create+cancel+metrics\n"
                          f"foreign-token,others,elsewhere,get+create+cancel\n")
        tokens.chmod(0o600)
        self.settings = {
            "listen": {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0", **({"webhook": webhook} if webhook else {}),
                       **(tls or {"insecure-loopback": True})},
            **({"api": {"tokens": str(tokens)}} if with_tokens else {}),
            "jobs": {"database": beside.settings["jobs"]["database"] if beside else str(self.folder / "jobs.db"),
                     "lease": lease, **({"keep-ended": keep_ended} if keep_ended is not None else {})},
            "fleet": {"follow-interval": "500ms", **(fleet or {})},
            "volumes": volumes,
            **({"workloads": workloads} if workloads else {}),
            **({"kubernetes": {"enabled": True, "kubeconfig": str(kubeconfig), **(kubernetes or {})}} if kubeconfig else {}),
        }
        self.config = self.folder / "controller.yaml"
        self.start(lead=beside is None if lead is None else lead)

    def start(self, lead=True):
        """Starts it (again), on the ports that it had before, and waits until it leads."""
        self.config.write_text(json.dumps(self.settings))
        log = self.folder / f"controller-{time.monotonic_ns()}.log"
        self.child = Child([CONTROLLER, "--config", self.config], log, self.env)
        found = self.child.wait_until(
            lambda: re.search(r"listening grpc_port=(\d+) http_port=(\d+)", log.read_text()),
            "the controller to listen")
        self.grpc, self.http = int(found[1]), int(found[2])
        self.settings["listen"].update(grpc=f"127.0.0.1:{self.grpc}", http=f"127.0.0.1:{self.http}")
        if lead:
            self.child.wait_until(self.ready, "the controller to lead")

    def ready(self):
        """To do everything: it leads. In a cluster one that stands by calls itself ready as well."""
        return self.readiness()[1].startswith("ready: leads")

    def readiness(self):
        """Status and words of /readyz; 0 without an answer."""
        try:
            url = f"{self.scheme}://127.0.0.1:{self.http}/readyz"
            with urllib.request.urlopen(url, timeout=5, context=self.trust()) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return 0, ""

    def trust(self):
        if self.scheme == "http":
            return None
        if self.authority:
            return ssl.create_default_context(cafile=self.authority)
        return ssl._create_unverified_context()  # the probe of a test's own server

    def epoch(self):
        return int(float(re.search(r"^prewarm_controller_epoch (\S+)", self.metrics(), re.MULTILINE)[1]))

    def reload(self):
        self.config.write_text(json.dumps(self.settings))
        self.child.process.send_signal(signal.SIGHUP)

    def kill(self):
        self.child.stop(signal.SIGKILL)

    def close(self):
        self.child.stop(signal.SIGTERM)

    def call(self, method, path, body=None, *, token=TOKEN, headers=None, seconds=30):
        """The JSON answer; Problem for everything but success."""
        request = urllib.request.Request(
            f"{self.scheme}://127.0.0.1:{self.http}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json",
                     **({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=seconds, context=self.trust()) as answer:
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            text = error.read()
            raise Problem(error.code, json.loads(text) if text else None, error.headers) from None

    def create(self, spec, key=None, **options):
        body = {"spec": spec, **({"idempotency_key": key} if key else {})}
        return self.call("POST", "/api/v1/prewarms", body, **options)

    def get(self, prewarm_id):
        return self.call("GET", f"/api/v1/prewarms/{prewarm_id}")

    def wait(self, prewarm_id, states=FINAL, seconds=60):
        deadline = time.monotonic() + seconds
        while (prewarm := self.get(prewarm_id))["state"] not in states:
            assert time.monotonic() < deadline, f"not {states} after {seconds} s: {prewarm}"
            time.sleep(0.02)
        return prewarm

    def wait_for_nodes(self, count, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            nodes = [node for node in self.call("GET", "/api/v1/nodes")["nodes"] if node["connected"]]
            if len(nodes) >= count:
                return nodes
            assert time.monotonic() < deadline, f"{len(nodes)} of {count} nodes connected"
            time.sleep(0.02)

    def ctl(self, *words, token=TOKEN, expect=0, seconds=60):
        done = subprocess.run(
            [PREWARMCTL, "--server", f"127.0.0.1:{self.grpc}",
             *(["--ca", self.authority] if self.authority else ["--insecure"]), *map(str, words)],
            capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL,
            env={**os.environ, "PREWARM_TOKEN": token})
        assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def metrics(self, token=TOKEN):
        request = urllib.request.Request(f"{self.scheme}://127.0.0.1:{self.http}/metrics",
                                         headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=10, context=self.trust()) as answer:
            return answer.read().decode()


class AgentDaemon:
    def __init__(self, folder, name, controllers, cache_dir=None, *, labels=None, limits=None, env=None,
                 tls=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name, self.env = name, env or {}
        self.cache_dir = pathlib.Path(cache_dir or self.folder / "cache")
        self.settings = {
            "controller": {"addresses": [f"127.0.0.1:{one.grpc}" for one in controllers],
                           **(tls or {"insecure-loopback": True})},
            "node": {"name": name, "labels": labels or {}},
            "admin": {"listen": "127.0.0.1:0"},
            "cache": {"cache-dir": [str(self.cache_dir)], "free-space-ratio": 0.01, "min-free": 0},
            **({"limits": limits} if limits else {}),
        }
        self.start()

    def start(self):
        config = self.folder / "agent.yaml"
        config.write_text(json.dumps(self.settings))
        self.log = self.folder / f"agent-{time.monotonic_ns()}.log"
        self.child = Child([AGENT, "serve", "--config", config], self.log, self.env)

    def admin_port(self):
        found = self.child.wait_until(
            lambda: re.search(r"listening .*admin_port=(\d+)", self.log.read_text()), "the admin port")
        return int(found[1])

    def kill(self):
        self.child.stop(signal.SIGKILL)

    def close(self):
        self.child.stop(signal.SIGTERM)
