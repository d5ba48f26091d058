"""The sentence that the product is made for: a Bento's models are on its nodes before its pods are. A real API server
with scheduler and autoscaler, a real volume that holds what BentoML made, and at the end the real client with the bucket
cut off. The operator's only act is to name the volume."""

import pathlib
import time

import pytest

from rig import bento_store
from rig.bento_objects import CRDS, bento, bento_deployment, bento_request, seeded, separate, workload
from rig.fleet import AgentDaemon, Controller
from rig.kube import Cluster
from rig.metrics_api import MetricsApi
from rig.process import wait_for
from rig.stores import S3Store
from rig.tree import MIB, contents, random_bytes
from rig.volume import Volume

OURS = sorted((pathlib.Path(__file__).parents[2] / "deploy/kubernetes/base/crds").glob("prewarm*.yaml")) + [
    pathlib.Path(__file__).parents[2] / "deploy/kubernetes/base/crds/nodecaches.yaml"]
TAG = "ranker:hx7q2d5m6cxa3"
BENTO = "chat:k6v2x7m4kq3aq"
NODES = ("gpu-a", "gpu-b", "gpu-c")
STORAGE_CLASS = {
    "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "juicefs-sc"},
    "provisioner": "csi.juicefs.com", "reclaimPolicy": "Retain",
    "parameters": {"pathPattern": "${.PVC.annotations.path}"}}


class Story:
    def __init__(self, folder, store_folder, redis, closing):
        self.folder = folder
        self.cluster = Cluster(folder / "cluster", with_scheduling=True,
                               manager_options=["--horizontal-pod-autoscaler-sync-period=1s"])
        closing.append(self.cluster)
        self.store = S3Store(store_folder)
        closing.append(self.store)
        self.volume = Volume(folder / "volume", redis.new_database(), self.store)
        closing.append(self.volume)
        for path in [*CRDS, *OURS]:
            self.cluster.apply(path)
        self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prewarm-system"}})
        self.cluster.apply(STORAGE_CLASS)
        self.metrics = MetricsApi(self.cluster)
        closing.append(self.metrics)
        for name in NODES:
            self.cluster.add_node(name, gpus=1)
        self.cluster.wait_for_nodes(*NODES)
        self.controller = Controller(
            folder / "controller", {"models": {"meta": self.volume.meta, "storage-classes": ["juicefs-sc"]}},
            kubeconfig=self.cluster.kubeconfig(namespace="prewarm-system"))
        closing.append(self.controller)
        self.agents = {}
        for name in NODES:
            self.agents[name] = AgentDaemon(folder / name, name, [self.controller], env=self.store.env)
            closing.append(self.agents[name])
        self.controller.wait_for_nodes(len(NODES))

    def build_model(self):
        content = self.folder / "content"
        content.mkdir()
        (content / "config.json").write_text('{"layers": 3}')
        for shard in range(3):
            (content / f"model-{shard + 1:05}-of-00003.safetensors").write_bytes(random_bytes(9 * MIB + shard, shard))
        return bento_store.BentoStore(self.folder / "home").model(TAG, content)

    def prewarms(self):
        return self.cluster.list("Prewarm", "default")

    def visible_nodes(self):
        return {task["node"] for one in self.prewarms() for task in one.get("status", {}).get("tasks", [])
                if task["state"] == "visible"}

    def pods(self):
        return self.cluster.list("Pod", "default")

    def bound_nodes(self):
        return {pod["spec"]["nodeName"] for pod in self.pods() if pod["spec"].get("nodeName")}

    def reads_are_hits(self, node, truth):
        mount = self.volume.mount(self.agents[node].cache_dir)
        try:
            assert contents(bento_store.directory_of(mount.path, TAG)) == truth
            counters = mount.counters()
        finally:
            mount.unmount()
        assert counters["blockcache_hits"] > 0
        assert counters["blockcache_miss"] == 0 and counters["object_request_errors"] == 0


@pytest.fixture
def story(folder, store_folder, redis, closing):
    return Story(folder, store_folder, redis, closing)


def test_a_bento_is_warm_on_its_nodes_before_its_pods_are_bound(story):
    cluster = story.cluster
    # Building begins; the models are still being seeded.
    request = bento_request("chat--k6v2x7m4kq3aq", BENTO, [{"tag": TAG, "size": "30Mi"}], annotations=separate())
    cluster.apply(request)
    deployment = bento_deployment("chat", "chat--k6v2x7m4kq3aq", minimum=1, maximum=3, autoscaling={
        "minReplicas": 1, "maxReplicas": 3, "metrics": [
            {"type": "Pods", "pods": {"metric": {"name": "http_request"},
                                      "target": {"type": "AverageValue", "averageValue": "20"}}}]})
    cluster.apply(deployment)
    model = story.build_model()
    with story.volume.mount() as root:
        directory = bento_store.seed(root, TAG, model, complete=False)
        wait_for(lambda: any("not" in event.get("note", "") or event["reason"] == "ModelsNotSeeded"
                             for event in cluster.list("Event", "default")), "an event on the deployment", 60)
        assert story.prewarms() == [], "a model that is not whole is not to be called warm"
        (directory / ".exists").touch()
        truth = contents(directory)
    cluster.patch_status("BentoRequest", "chat--k6v2x7m4kq3aq", seeded(request))

    wait_for(lambda: len(story.visible_nodes()) >= 1, "the models to be visible on a node", 60)
    assert story.pods() == [], "there is no pod yet"

    # The image is built, the pods are made.
    built = bento("chat--k6v2x7m4kq3aq", BENTO, [{"tag": TAG, "size": "30Mi"}], annotations=separate())
    cluster.apply(built)
    cluster.apply(workload(deployment, built))
    story.metrics.set("20")
    wait_for(lambda: len(story.bound_nodes()) == 1, "the first pod to be bound", 60)
    assert story.bound_nodes() <= story.visible_nodes(), "its node was warm"

    # Load grows.
    story.metrics.set("60")
    wait_for(lambda: len(story.bound_nodes()) == 3, "three pods to be bound", 60)
    wait_for(lambda: story.visible_nodes() == set(NODES), "all of their nodes to be warm", 60)

    story.store.cut_off()
    for node in NODES:
        story.reads_are_hits(node, truth)
    [prewarm] = story.prewarms()
    assert prewarm["spec"]["workload"]["name"] == "chat"
    assert {target["node"] for target in prewarm["spec"]["targets"]} == set(NODES)
    assert {target["signal"] for target in prewarm["spec"]["targets"]} <= {"pod-bound", "pod-started"}
