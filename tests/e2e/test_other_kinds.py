"""Workloads of kinds other than Bento's: an InferenceService of KServe, and one that only the configuration knows."""

import pathlib

import pytest

from rig.bento_objects import bento, bento_request, seeded, separate
from rig.bento_world import BentoWorld, targets_of

CRDS = pathlib.Path(__file__).parent / "rig/crds/others"
TAG, BENTO, NAME = "ranker:hx7q2d5m6cxa3", "chat:k6v2x7m4kq3aq", "chat--k6v2x7m4kq3aq"
FUNCTIONS = {
    "group": "serving.example.com", "version": "v1", "resource": "functions", "kind": "Function",
    "bento": "spec.code.bento", "components": "spec.services", "component-name": "name",
    "pod-spec": "pod", "min-replicas": "scaling.least", "max-replicas": "scaling.most",
    "pod-labels": {"function": "{name}", "service": "{component}"}}
ON_GPUS = {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}
A_GPU = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}


@pytest.fixture
def world(folder, store_folder, redis, closing):
    world = BentoWorld(folder, store_folder, redis, closing)
    for path in sorted(CRDS.iterdir()):
        world.cluster.apply(path)
    return world.with_two_nodes(workloads={"functions": FUNCTIONS})


def a_function():
    """With one service, and the Deployment that its operator would make of it."""
    service = {"name": "api", "scaling": {"least": 1, "most": 2}, "pod": {**ON_GPUS, "containers": [{"name": "main", **A_GPU}]}}
    labels = {"function": "chat", "service": "api"}
    return [
        {"apiVersion": "serving.example.com/v1", "kind": "Function", "metadata": {"name": "chat", "namespace": "default"},
         "spec": {"code": {"bento": NAME}, "services": [service]}},
        {"apiVersion": "apps/v1", "kind": "Deployment",
         "metadata": {"name": "chat-api", "namespace": "default", "labels": labels},
         "spec": {"replicas": 1, "selector": {"matchLabels": labels},
                  "template": {"metadata": {"labels": labels},
                               "spec": {**ON_GPUS, "containers": [{"name": "main", "image": "none", **A_GPU}]}}}}]


def test_a_kind_that_the_configuration_maps_is_warm_where_its_pods_are(world):
    truth = world.seed(TAG, megabytes=2)
    models = [{"tag": TAG, "size": "2Mi"}]
    request = bento_request(NAME, BENTO, models, annotations=separate())
    world.cluster.apply([request, bento(NAME, BENTO, models, annotations=separate())])
    world.cluster.patch_status("BentoRequest", NAME, seeded(request))
    world.cluster.apply(a_function())
    world.wait_for(lambda: world.bound_nodes() and world.bound_nodes() <= world.visible_nodes(), "its node to be warm")
    [prewarm] = world.unfinished()
    assert prewarm["spec"]["workload"] == {**prewarm["spec"]["workload"], "kind": "Function", "name": "chat",
                                           "apiVersion": "serving.example.com/v1"}

    world.cluster.patch("Deployment", "chat-api", {"spec": {"replicas": 2}})
    world.wait_for(lambda: world.visible_nodes() == {"gpu-a", "gpu-b"}, "the node of the second pod to be warm")
    world.store.cut_off()
    for node in ("gpu-a", "gpu-b"):
        world.reads_are_hits(node, TAG, truth)
    world.cluster.delete("Function", "chat")
    world.wait_for(lambda: not world.unfinished(), "nothing to be warm for what is gone")


def test_an_inference_service_is_warm_from_its_claim(world):
    with world.volume.mount() as root:
        (root / "llama").mkdir()
        (root / "llama/model.safetensors").write_bytes(b"w" * 5_000_000)
    claim = {"volumeName": "weights", "storageClassName": "juicefs-sc", "accessModes": ["ReadOnlyMany"],
             "resources": {"requests": {"storage": "1Gi"}}}
    world.cluster.apply([
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "weights"},
         "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadOnlyMany"], "storageClassName": "juicefs-sc",
                  "csi": {"driver": "csi.juicefs.com", "volumeHandle": "weights"}}},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "weights", "namespace": "default"},
         "spec": claim},
        {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
         "metadata": {"name": "llm", "namespace": "default"},
         "spec": {"predictor": {**ON_GPUS, "minReplicas": 1, "model": {
             "modelFormat": {"name": "huggingface"}, "storageUri": "pvc://weights/llama", **A_GPU}}}}])
    world.wait_for(lambda: len(world.visible_nodes()) == 1, "a node for its one replica to be warm")
    [prewarm] = world.unfinished()
    assert prewarm["spec"]["workload"]["kind"] == "InferenceService" and targets_of(prewarm) == world.visible_nodes()
    assert prewarm["spec"]["paths"] == ["llama"]
