#!/usr/bin/env python3
"""One controller and a cluster of a thousand nodes: what it costs at rest, how long a look at everything takes, and how
soon an agent is told what an autoscaler wants.

A real API server with scheduler and Deployments, nodes of kwok, Bento's objects, a real volume, agents without disks
(bench_swarm). Run by the Python of build/venv-tests."""

import argparse
import collections
import json
import pathlib
import re
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

BENCH = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent / "e2e"))

from rig import bento_store  # noqa: E402
from rig.bento_objects import CRDS, bento, bento_deployment, bento_request, seeded, separate, workload  # noqa: E402
from rig.bento_world import STORAGE_CLASS  # noqa: E402
from rig.cluster_world import NAMESPACE, OUR_CRDS  # noqa: E402
from rig.fleet import Controller  # noqa: E402
from rig.kube import Cluster  # noqa: E402
from rig.process import BUILD, Child, wait_for  # noqa: E402
from rig.stores import FileStore  # noqa: E402
from rig.volume import Redis, Volume, detach_everything_below  # noqa: E402

WRITERS = 8
GPUS = 8
QUIET = 10  # seconds without a write of a status after which there is rest
WHO = "controller"  # the user as whom the controller asks the API server
# All nodes of a bench are new: none is to be warm for that reason alone.
POLICY = {"apiVersion": "prewarm.dev/v1alpha1", "kind": "PrewarmPolicy",
          "metadata": {"name": "all", "namespace": "default"}, "spec": {"triggers": {"onNodeJoin": False}}}
ROUNDS = "prewarm_controller_operator_round_seconds"


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--deployments", type=int, default=300)
    parser.add_argument("--pods", type=int, default=5000, help="of these deployments")
    parser.add_argument("--other-pods", type=int, default=0, help="pods that have nothing to do with models")
    parser.add_argument("--rest", type=int, default=60, help="seconds of rest that are measured")
    parser.add_argument("--changes", type=int, default=60, help="changes of an autoscaler that are timed")
    parser.add_argument("--swarm", type=pathlib.Path, default=BUILD / "bin/bench_swarm")
    parser.add_argument("--hold", type=int, default=0, help="seconds to wait at the end, for a profiler")
    return parser.parse_args()


class Metrics:
    """One reading of the controller's /metrics."""

    def __init__(self, controller):
        self.values = {}
        for line in controller.metrics().splitlines():
            if not line.startswith("#") and line:
                name, _, value = line.rpartition(" ")
                self.values[name] = float(value)

    def sum(self, name, label=""):
        return sum(value for key, value in self.values.items()
                   if (key == name or key.startswith(name + "{")) and label in key)

    def buckets(self, name):
        pattern = re.compile(re.escape(name) + r'_bucket\{.*le="([^"]+)"\}')
        return sorted((float(found[1]), value) for key, value in self.values.items()
                      if (found := pattern.fullmatch(key)))


def quantile(before, after, name, share):
    """Of what was observed between both readings: the bound of the bucket that holds it, and how many were observed."""
    counts = [(bound, late - early) for (bound, early), (_, late) in zip(before.buckets(name), after.buckets(name))]
    total = counts[-1][1] if counts else 0
    for bound, count in counts:
        if total and count >= share * total:
            return bound, int(total)
    return float("nan"), 0


def usage(child):
    """CPU seconds and resident MiB."""
    stat = pathlib.Path(f"/proc/{child.process.pid}/stat").read_text().rpartition(") ")[2].split()
    status = pathlib.Path(f"/proc/{child.process.pid}/status").read_text()
    return (int(stat[11]) + int(stat[12])) / 100, int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


class Scale:
    def __init__(self, folder, wanted):
        self.folder, self.wanted = folder, wanted
        self.closing = []
        self.writers = ThreadPoolExecutor(WRITERS)

    def closed(self, thing):
        self.closing.append(thing)
        return thing

    def close(self):
        self.writers.shutdown(cancel_futures=True)
        for thing in reversed(self.closing):
            thing.close()
        detach_everything_below(self.folder)

    def all(self, call, items):
        list(self.writers.map(call, items))

    # ---- building ----------------------------------------------------------------------------------

    def build(self):
        # The autoscaler's own controller does not run: the bench itself says what is desired.
        self.cluster = self.closed(Cluster(
            self.folder / "cluster", with_scheduling=True, audit=True, users={WHO: ["system:masters"]},
            manager_options=["--controllers=*,-horizontal-pod-autoscaler-controller"]))
        self.cluster.apply([*CRDS, *OUR_CRDS, STORAGE_CLASS])
        self.cluster.apply(POLICY)
        self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        redis = self.closed(Redis(self.folder / "redis"))
        self.volume = self.closed(Volume(self.folder / "volume", redis.new_database(),
                                         FileStore(self.folder / "store")))
        with self.volume.mount() as root:
            for number in range(self.wanted.deployments):
                directory = bento_store.directory_of(root, tag_of(number))
                directory.mkdir(parents=True)
                (directory / "config.json").write_text("{}")
                (directory / "model.safetensors").write_bytes(bytes([number % 256]) * 10_000)
                (directory / ".exists").touch()
        self.all(self.add_node, range(self.wanted.nodes))
        self.all(self.add_deployment, range(self.wanted.deployments))
        self.all(self.add_other_pod, range(self.wanted.other_pods))
        wait_for(self.all_bound, "all pods to have a node", 900)

    def add_node(self, number):
        self.cluster.add_node(f"n{number}", gpus=GPUS, labels={"topology.kubernetes.io/zone": f"zone-{number % 3}"})

    def replicas_of(self, number):
        share, rest = divmod(self.wanted.pods, self.wanted.deployments)
        return share + (number < rest)

    def add_deployment(self, number):
        models = [{"tag": tag_of(number), "size": "10k"}]
        name, count = f"chat-{number}--v1", self.replicas_of(number)
        request = bento_request(name, f"chat-{number}:v1", models, annotations=separate())
        built = bento(name, f"chat-{number}:v1", models, annotations=separate())
        deployment = bento_deployment(f"chat-{number}", name, minimum=1, maximum=count + 10)
        made, autoscaler = workload(deployment, built, replicas=count)
        self.cluster.apply([request, built, deployment, made, autoscaler])
        self.cluster.patch_status("BentoRequest", name, seeded(request))
        self.desire(number, count)

    def desire(self, number, count):
        self.cluster.patch_status("HorizontalPodAutoscaler", f"chat-{number}", {
            "desiredReplicas": count, "currentReplicas": self.replicas_of(number), "conditions": []})

    def add_other_pod(self, number):
        self.cluster.create({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": f"other-{number}", "namespace": "kube-system", "labels": {"app": f"app-{number % 50}"}},
            "spec": {"nodeName": f"n{number % self.wanted.nodes}",
                     "containers": [{"name": "main", "image": "registry.example.com/some/image:v1",
                                     "env": [{"name": f"VARIABLE_{i}", "value": "x" * 20} for i in range(10)],
                                     "resources": {"requests": {"cpu": "10m", "memory": "10Mi"}}}]}})

    def all_bound(self):
        time.sleep(1)
        pods = self.cluster.list("Pod", "default")
        return len(pods) == self.wanted.pods and all(pod["spec"].get("nodeName") for pod in pods)

    def start(self):
        """Seconds until every node has what its pods need."""
        self.targets = {(pod["metadata"]["labels"]["yatai.ai/bento-deployment"], pod["spec"]["nodeName"])
                        for pod in self.cluster.list("Pod", "default")}
        self.controller = self.closed(Controller(
            self.folder / "controller", {"models": {"meta": self.volume.meta, "storage-classes": ["juicefs-sc"]}},
            kubeconfig=self.cluster.kubeconfig(WHO, namespace=NAMESPACE), lease="15s",
            fleet={"follow-interval": "60s"}))
        self.orders = self.folder / "orders"
        swarm = Child([self.wanted.swarm, f"127.0.0.1:{self.controller.grpc}", "n", self.wanted.nodes], self.orders)
        self.closing.append(Closed(swarm))
        begin = time.monotonic()
        wait_for(lambda: "welcomed" in self.orders.read_text(), "all agents to be connected", 300)

        def all_visible():
            time.sleep(0.5)
            return Metrics(self.controller).sum("prewarm_controller_tasks", 'state="visible"') >= len(self.targets)
        wait_for(all_visible, f"{len(self.targets)} tasks to be visible\n{self.controller.child.output()}", 600)
        return time.monotonic() - begin

    # ---- measuring ---------------------------------------------------------------------------------

    def settle(self):
        """Until a while passes without another write of what has happened."""
        def quiet():
            offset = self.cluster.audit_log.stat().st_size
            time.sleep(QUIET)
            return not any("patch" in what for what in self.asked_since(offset))
        wait_for(quiet, "the last writes", 300)

    def asked_since(self, offset):
        with open(self.cluster.audit_log, "rb") as file:
            file.seek(offset)
            events = [json.loads(line) for line in file if line.endswith(b"\n")]
        return collections.Counter(
            f"{event['verb']} {event.get('objectRef', {}).get('resource', '')}" for event in events
            if event["user"]["username"] == WHO and event["stage"] == "ResponseComplete")

    def rest(self):
        offset, before, begin = self.cluster.audit_log.stat().st_size, usage(self.controller.child), time.monotonic()
        readings = [Metrics(self.controller)]
        time.sleep(self.wanted.rest)
        seconds = time.monotonic() - begin
        after = usage(self.controller.child)
        readings.append(Metrics(self.controller))
        asked = self.asked_since(offset)
        return {"cpu": 100 * (after[0] - before[0]) / seconds, "rss": after[1],
                "requests": {what: count * 60 / seconds for what, count in asked.most_common()},
                "rounds": quantile(*readings, ROUNDS, 0.99)}

    def first_tasks(self):
        """Seconds from what the autoscaler wants to the order that an agent has; and of the looks meanwhile."""
        prewarms = {one["spec"]["workload"]["name"]: f"default.{one['metadata']['name']}"
                    for one in self.cluster.list("Prewarm", "default")}
        before, times = Metrics(self.controller), []
        for number in range(self.wanted.changes):
            which = number % self.wanted.deployments
            offset = self.orders.stat().st_size
            begin = time.time()
            self.desire(which, self.replicas_of(which) + 1 + number // self.wanted.deployments)
            times.append(self.order_of(prewarms[f"chat-{which}"], offset) - begin)
        return times, before, Metrics(self.controller)

    def order_of(self, prewarm, offset):
        def order():
            with open(self.orders, encoding="utf-8") as file:
                file.seek(offset)
                found = re.search(rf"^order {re.escape(prewarm)} \S+ (\d+)$", file.read(), re.MULTILINE)
            return found and int(found[1]) / 1e6
        return wait_for(order, f"an order for {prewarm}", 30)


class Closed:
    def __init__(self, child):
        self.child = child

    def close(self):
        self.child.stop()


def tag_of(number):
    return f"model-{number}:v1"


def main():
    wanted = options()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="prewarm-scale-"))
    scale = Scale(folder, wanted)
    try:
        begin = time.monotonic()
        scale.build()
        print(f"{wanted.nodes} nodes, {wanted.deployments} deployments with autoscalers, {wanted.pods} pods and "
              f"{wanted.other_pods} others: there after {time.monotonic() - begin:.0f} s", flush=True)
        print(f"everything warm, from the start of the agents: {scale.start():.1f} s, {len(scale.targets)} tasks", flush=True)
        begin = time.monotonic()
        scale.settle()
        print(f"everything told: {time.monotonic() - begin:.0f} s later", flush=True)
        rest = scale.rest()
        bound, rounds = rest["rounds"]
        print(f"at rest: {rest['cpu']:.1f} % of a core, {rest['rss']:.0f} MiB, "
              f"{sum(rest['requests'].values()):.0f} requests/min "
              f"({', '.join(f'{what} {count:.0f}' for what, count in rest['requests'].items())}); "
              f"{rounds} looks, p99 up to {bound * 1000:.0f} ms", flush=True)
        times, before, after = scale.first_tasks()
        times.sort()
        bound, rounds = quantile(before, after, ROUNDS, 0.99)
        print(f"autoscaler's wish to first task: median {1000 * statistics.median(times):.0f} ms, "
              f"p90 {1000 * times[int(len(times) * 0.9)]:.0f} ms, max {1000 * times[-1]:.0f} ms of {len(times)}; "
              f"{rounds} looks, p99 up to {bound * 1000:.0f} ms; {usage(scale.controller.child)[1]:.0f} MiB", flush=True)
        if wanted.hold:
            print(f"held: controller {scale.controller.child.process.pid}", flush=True)
            time.sleep(wanted.hold)
    finally:
        scale.close()


if __name__ == "__main__":
    main()
