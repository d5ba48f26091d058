"""Workloads that change all the time, and what has to be warm for them in the end, computed from the cluster's objects
alone: what a controller came to know, and in which order, must not matter."""

import random
import threading
import time

from rig.bento_objects import bento, bento_deployment, bento_request, seeded, separate, workload
from rig.kube_api import ApiError

BENTO, TAG = "chat:k6v2x7m4kq3aq", "ranker:hx7q2d5m6cxa3"
BENTO_NAME = "chat--k6v2x7m4kq3aq"
PATHS = ("plain-1", "plain-2")
PLAIN = ("w-0", "w-1", "w-2", "w-3")
MOST_REPLICAS = 3
# Nothing is warm that no pod needs, so that the end is known.
POLICY = {"apiVersion": "prewarm.dev/v1alpha1", "kind": "PrewarmPolicy", "metadata": {"name": "all"},
          "spec": {"keepWarm": {"minNodes": 0, "afterScaleDown": "1s"}, "triggers": {"onNodeJoin": False}}}


class ChangingWorkloads(threading.Thread):
    """Annotated Deployments and one of a Bento. `world`: a BentoWorld whose volume has the models of seed_models."""

    def __init__(self, world, seed, *, pause=0.1):
        super().__init__(daemon=True)
        self.cluster, self.random, self.pause = world.cluster, random.Random(seed), pause
        self.world = world
        self.changes = 0
        self.failures = []
        self.going, self.quiet, self.ending = threading.Event(), threading.Event(), threading.Event()
        self.quiet.set()

    def apply_all(self):
        self.cluster.apply(POLICY)
        for name in PLAIN:
            self.cluster.apply(plain(name, PATHS[0], 1))
        models = [{"tag": TAG, "size": "2Mi"}]
        request = bento_request(BENTO_NAME, BENTO, models, annotations=separate())
        built = bento(BENTO_NAME, BENTO, models, annotations=separate())
        deployment = bento_deployment("chat", BENTO_NAME, maximum=MOST_REPLICAS, gpus=0, node_selector={})
        self.cluster.apply([request, built, deployment, workload(deployment, built, replicas=1)[0]])
        self.cluster.patch_status("BentoRequest", BENTO_NAME, seeded(request))

    def run(self):
        while not self.ending.is_set():
            if not self.going.wait(0.1):
                continue
            self.quiet.clear()
            try:
                self.change()
                self.changes += 1
            except (OSError, ApiError, AssertionError) as error:  # the API server is away; it was not done, or was
                if isinstance(error, ApiError) and error.code < 500 and error.code not in (404, 409, 429):
                    self.failures.append(str(error))
            self.quiet.set()
            time.sleep(self.pause)

    def begin(self):
        self.going.set()

    def pause_changes(self):
        self.going.clear()
        assert self.quiet.wait(60)
        assert not self.failures, self.failures

    def change(self):
        what = self.random.choice(("scale", "scale", "models", "again", "bento"))
        name = self.random.choice(PLAIN)
        count = self.random.randint(0, MOST_REPLICAS)
        if what == "scale":
            self.cluster.patch("Deployment", name, {"spec": {"replicas": count}})
        elif what == "models":
            self.cluster.patch("Deployment", name, {"metadata": {"annotations": {
                "prewarm.dev/models": f"models:{self.random.choice(PATHS)}"}}})
        elif what == "again":  # another one of the same name
            self.cluster.delete("Deployment", name)
            self.cluster.apply(plain(name, self.random.choice(PATHS), count))
        else:
            self.cluster.patch("Deployment", "chat", {"spec": {"replicas": count}})

    def restore(self):
        """Brings back what a change left away because the API server failed in the middle of it."""
        for name in PLAIN:
            if self.cluster.find("Deployment", name) is None:
                self.cluster.apply(plain(name, PATHS[0], 1))

    # ---- the end -----------------------------------------------------------------------------------

    def expected(self):
        """(workload's name, uid) -> (paths, nodes); None while pods are still being made or moved."""
        deployments = {one["metadata"]["name"]: one for one in self.cluster.list("Deployment", "default")}
        pods = self.cluster.list("Pod", "default")
        bento_of = {one["metadata"]["name"]: one for one in self.cluster.list("BentoDeployment", "default")}
        wanted = {}
        for name, deployment in deployments.items():
            mine = [pod for pod in pods if pod["metadata"]["labels"].get("yatai.ai/selector") == name
                    or pod["metadata"]["labels"].get("app") == name]
            settled = all(pod["spec"].get("nodeName") and "deletionTimestamp" not in pod["metadata"] for pod in mine)
            if not settled or len(mine) != deployment["spec"]["replicas"]:
                return None
            owner = bento_of.get(name, deployment)
            if mine:
                wanted[name, owner["metadata"]["uid"]] = (paths_of(deployment), frozenset(
                    pod["spec"]["nodeName"] for pod in mine))
        return wanted

    def warm(self):
        """The same as the prewarms say it, of those nodes alone that are warm."""
        found = {}
        for one in self.world.unfinished():
            spec = one["spec"]
            if "workload" not in spec:
                continue
            nodes = frozenset(target["node"] for target in spec["targets"])
            visible = frozenset(task["node"] for task in one.get("status", {}).get("tasks", [])
                                if task["state"] == "visible")
            key = spec["workload"]["name"], spec["workload"]["uid"]
            assert key not in found, f"two prewarms for {key}"
            found[key] = (tuple(spec["paths"]), nodes if nodes <= visible else frozenset())
        return found

    def in_step(self):
        """Everything that pods need is warm on their nodes, and nothing else is kept."""
        expected = self.expected()
        return expected is not None and self.warm() == expected


def paths_of(deployment):
    annotation = deployment["metadata"].get("annotations", {}).get("prewarm.dev/models")
    if annotation:
        return (annotation.split(":")[1],)
    name, version = TAG.split(":")
    directory = f"models/.shared/{name}/{version}"
    return (f"{directory}/config.json", f"{directory}/model-00001-of-00001.safetensors")


def plain(name, path, replicas):
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": "default",
                         "annotations": {"prewarm.dev/models": f"models:{path}"}},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 0,
                         "containers": [{"name": "main", "image": "plain"}]}}}}


def seed_models(world):
    with world.volume.mount() as root:
        world.seed(TAG, megabytes=2, root=root)
        for path in PATHS:
            (root / path).mkdir()
            (root / path / "weights.safetensors").write_bytes(random.Random(path).randbytes(1_500_000))
