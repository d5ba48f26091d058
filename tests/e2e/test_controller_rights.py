"""The controller with exactly the rights that are shipped, through a story in which it does all that it can do: nothing
that it asks is forbidden, and no right is left that nothing used."""

import pathlib
import subprocess

import pytest

from rig import rights
from rig.bento_objects import bento, bento_deployment, bento_request, seeded, separate, workload
from rig.bento_world import BentoWorld
from rig.cluster_world import NAMESPACE
from rig.kube import TOOLS
from rig.kube_api import documents
from rig.service_accounts import bind, pod, token

KUBERNETES = pathlib.Path(__file__).resolve().parents[2] / "deploy/kubernetes"
KSERVE = pathlib.Path(__file__).parent / "rig/crds/others/inferenceservices.yaml"
ACCOUNT, POD = "prewarm-controller", "prewarm-controller-0"
KINDS = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
TAG, BENTO, NAME = "ranker:hx7q2d5m6cxa3", "chat:k6v2x7m4kq3aq", "chat--k6v2x7m4kq3aq"
LABEL = "warm.prewarm.dev/default.chat"
# Rights that this story does not use, and why they are there.
SELDOM = {
    ("get", "", "pods"): "the node of an agent, which API servers since Kubernetes 1.30 tell with its token",
}
# What it may use or not.
BY_CHANCE = {
    ("delete", "prewarm.dev", "nodecaches"): "the garbage collector of the cluster may be faster",
}


def rendered(folder):
    done = subprocess.run([TOOLS / "kubectl", "kustomize", folder], capture_output=True, text=True, timeout=60, check=True)
    return documents(done.stdout)


@pytest.fixture(scope="module")
def shipped():
    """The base, and the component that adds rights."""
    component = KUBERNETES / "components/node-marks/rbac.yaml"
    return [one for one in [*rendered(KUBERNETES / "base"), *documents(component)] if one["kind"] in KINDS]


class World(BentoWorld):
    def __init__(self, shipped, *fixtures):
        # Where lists are streamed there are no others, and the right to list would look idle.
        super().__init__(*fixtures, audit=True, api_options=["--feature-gates=WatchList=false"])
        self.cluster.apply([*shipped, *documents(KSERVE)])
        self.identity = self.cluster.service_account(ACCOUNT, NAMESPACE)
        self.cluster.add_node("cpu-1")
        pod(self.cluster, POD, NAMESPACE, account=ACCOUNT, node="cpu-1")
        self.start_controller(user=self.identity, with_tokens=False, env={"POD_NAME": POD},
                              kubernetes={"mark-nodes": True})
        self.caller = token(self.cluster, "release")
        bind(self.cluster, "prewarm-edit", "release")
        bind(self.cluster, "prewarm-fleet-view", "release", None, account_namespace="default")

    def add_node(self, name):
        self.cluster.add_node(name, gpus=1)
        self.start_agent(name)
        self.cluster.wait_for_nodes(name)

    def status(self, kind, name):
        return self.cluster.get(kind, name).get("status", {})

    def asked(self):
        return [event for event in self.cluster.audit_events(f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}")
                if event["stage"] == "ResponseComplete" or event["verb"] == "watch"]


@pytest.fixture
def world(shipped, folder, store_folder, redis, closing):
    return World(shipped, folder, store_folder, redis, closing)


def a_bento_comes_and_goes(world):
    models = [{"tag": TAG, "size": "2Mi"}]
    world.seed(TAG, megabytes=2)
    request = bento_request(NAME, BENTO, models, annotations=separate())
    built = bento(NAME, BENTO, models, annotations=separate())
    deployment = bento_deployment("chat", NAME, maximum=2)
    world.cluster.apply([request, built, deployment, *workload(deployment, built, replicas=1)])
    world.cluster.patch_status("BentoRequest", NAME, seeded(request))
    world.wait_for(lambda: world.bound_nodes() and world.bound_nodes() <= world.visible_nodes(), "a warm pod")
    [node] = world.bound_nodes()
    world.wait_for(lambda: LABEL in world.cluster.get("Node", node)["metadata"]["labels"], "its node's label")
    for kind in ("HorizontalPodAutoscaler", "Deployment", "BentoDeployment"):
        world.cluster.delete(kind, "chat")
    world.wait_for(lambda: not world.prewarms(), "its prewarm to be gone")


def an_operator_writes_volumes_and_policies(world):
    world.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "spare", "namespace": NAMESPACE},
                         "stringData": {"metaurl": world.volume.meta}})
    world.cluster.apply([
        {"apiVersion": "prewarm.dev/v1alpha1", "kind": "PrewarmVolume", "metadata": {"name": "spare"},
         "spec": {"metaSecretRef": {"name": "spare"}}},
        {"apiVersion": "prewarm.dev/v1alpha1", "kind": "PrewarmPolicy", "metadata": {"name": "all"}, "spec": {}}])
    world.wait_for(lambda: world.status("PrewarmVolume", "spare").get("uuid"), "the volume to be read")
    world.wait_for(lambda: world.status("PrewarmPolicy", "all").get("conditions"), "the policy to be told of")


def users_make_prewarms_and_cancel_them(world):
    controller = world.controllers[0]
    made = controller.call("POST", "/api/v1/prewarms", {"spec": {"volume": "models", "keep": True}}, token=world.caller)
    name = made["id"].removeprefix("default.")
    world.wait_for(lambda: world.status("Prewarm", name).get("state") == "warm", "a prewarm over the API")
    world.cluster.delete("Prewarm", name)
    world.cluster.apply({"apiVersion": "prewarm.dev/v1alpha1", "kind": "Prewarm", "metadata": {"name": "astray"},
                         "spec": {"volume": "models", "paths": ["nowhere"]}})
    world.wait_for(lambda: world.status("Prewarm", "astray").get("state") == "failed", "a refusal")


def a_workload_is_wrong_again_and_again(world):
    """So that its Event is a series."""
    annotated = [{"metadata": {"annotations": {"prewarm.dev/models": models}}} for models in ("nowhere:x", "models:models")]
    world.cluster.create({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "wrong", **annotated[0]["metadata"]},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "wrong"}},
                 "template": {"metadata": {"labels": {"app": "wrong"}},
                              "spec": {"containers": [{"name": "main", "image": "none"}]}}}})

    def times():
        told = [one for one in world.cluster.list("events.k8s.io/v1/Event", "default")
                if one["regarding"]["name"] == "wrong" and "nowhere" in one.get("note", "")]
        return max((one.get("series", {}).get("count", 1) for one in told), default=0)
    world.wait_for(times, "an Event")
    world.cluster.patch("Deployment", "wrong", annotated[1])
    world.wait_for(lambda: world.told("wrong", "ModelsFound"), "it to be right")
    world.cluster.patch("Deployment", "wrong", annotated[0])
    world.wait_for(lambda: times() > 1, "the Event to be a series")


def a_node_goes(world):
    world.wait_for(lambda: world.cluster.find("NodeCache", "gpu-b"), "what gpu-b has")
    world.agents["gpu-b"].close()
    world.cluster.delete("Node", "gpu-b")
    world.wait_for(lambda: not world.cluster.find("NodeCache", "gpu-b"), "what it had to be forgotten", 90)


def test_every_right_is_there_and_none_is_idle(world, shipped):
    world.add_node("gpu-a")
    world.add_node("gpu-b")
    an_operator_writes_volumes_and_policies(world)
    a_bento_comes_and_goes(world)
    users_make_prewarms_and_cancel_them(world)
    a_workload_is_wrong_again_and_again(world)
    a_node_goes(world)
    world.controllers[0].close()
    asked = world.asked()
    refused = {(event["verb"], event["requestURI"]) for event in asked
               if event.get("responseStatus", {}).get("code") in (401, 403)}
    assert not refused, refused
    granted, used = rights.granted(shipped, ACCOUNT, NAMESPACE), rights.used(asked)
    assert not rights.missing(granted, used)
    idle = {(one.verb, one.group, one.resource) for one in rights.unused(granted, used)} - set(BY_CHANCE)
    assert idle == set(SELDOM), f"used by nothing: {sorted(idle - set(SELDOM))}; used after all: {set(SELDOM) - idle}"
    print(f"rights: {len(granted)} granted, {len(granted) - len(SELDOM)} of them used, "
          f"{len(asked)} requests, none of them refused")
