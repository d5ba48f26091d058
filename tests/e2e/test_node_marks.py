"""What nodes are told of their warmth, and what pods are told to wish for: labels, the gate of new nodes, the webhook.
None of it may keep a pod from starting for good."""

import base64
import re
import socket

import pytest

from rig.bento_world import BentoWorld
from rig.certificates import Authority

LABEL = "warm.prewarm.dev/default.chat"
GATE = {"key": "prewarm.dev/warming", "effect": "NoSchedule"}
IMAGE = "registry.invalid/chat:1"


def deployment(replicas=1, **template):
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "chat", "annotations": {"prewarm.dev/models": "models:llama"}},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "chat"}},
                     "template": {"metadata": {"labels": {"app": "chat"}},
                                  "spec": {"containers": [{"name": "main", "image": IMAGE}], **template}}}}


def policy(timeout):
    return {"apiVersion": "prewarm.dev/v1alpha1", "kind": "PrewarmPolicy", "metadata": {"name": "all"},
            "spec": {"gate": {"mode": "StartupTaint", "timeout": timeout}}}


class World(BentoWorld):
    def node(self, name):
        return self.cluster.get("Node", name)

    def labelled(self):
        return {one["metadata"]["name"] for one in self.cluster.list("Node") if LABEL in one["metadata"]["labels"]}

    def gated(self, name):
        return any(taint["key"] == GATE["key"] for taint in self.node(name)["spec"].get("taints", []))

    def write_model(self):
        with self.volume.mount() as root:
            (root / "llama").mkdir()
            (root / "llama/model.safetensors").write_bytes(b"x" * (24 << 20))


@pytest.fixture
def world(folder, store_folder, redis, closing):
    world = World(folder, store_folder, redis, closing)
    world.write_model()
    return world


def test_nodes_are_labelled_while_they_are_warm(world):
    world.start_controller(kubernetes={"mark-nodes": True})
    world.add_nodes("node-a", "node-b", gpus=0)
    world.cluster.patch("Node", "node-b", {"metadata": {"labels": {LABEL: "true", "team": "a"}}})
    world.cluster.apply(deployment())
    world.wait_for(lambda: world.visible_nodes(), "a node to be warm")
    world.wait_for(lambda: world.labelled() == world.visible_nodes(), "the label to be where it is true and nowhere else")
    assert world.node("node-b")["metadata"]["labels"]["team"] == "a"
    world.cluster.delete("Deployment", "chat")
    world.wait_for(lambda: not world.labelled(), "the label to go with the workload")


def test_a_node_that_is_being_warmed_tells_for_how_long_yet(world):
    # In Mbit/s: 17 s for the model.
    world.start_controller(kubernetes={"mark-nodes": True}, fleet={"node-download-limit": "12"})
    world.add_nodes("node-a", gpus=0)
    world.cluster.apply(deployment())

    def told():
        annotations = world.node("node-a")["metadata"].get("annotations", {})
        return annotations.get(f"seconds.{LABEL}"), annotations.get(f"expected.{LABEL}")
    first, moment = world.wait_for(lambda: all(told()) and told(), "the node to tell")
    assert 1 < int(first) < 120 and moment.endswith("Z"), (first, moment)
    world.wait_for(lambda: told()[0] is not None and int(told()[0]) <= int(first) / 2, "half of the time to have passed")
    assert world.labelled() == set(), "it is not warm yet"
    world.wait_for(lambda: world.labelled() == {"node-a"}, "the node to be warm")
    assert told() == (None, None)


def test_a_new_node_takes_pods_when_it_is_warm(world):
    world.start_controller(kubernetes={"mark-nodes": True})
    world.cluster.apply([policy("5m"), deployment()])
    world.wait_for(lambda: world.pods(), "a pod")
    world.cluster.add_node("node-a", taints=[GATE])
    world.cluster.wait_for_nodes("node-a")
    assert world.gated("node-a") and world.bound_nodes() == set()
    world.start_agent("node-a")
    world.wait_for(lambda: world.bound_nodes() == {"node-a"}, "the pod to be bound")
    assert not world.gated("node-a")
    assert world.visible_nodes() == {"node-a"}
    assert "gate_opened" in world.controllers[0].child.output()


def test_a_gate_opens_at_its_timeout_and_where_nothing_is_to_be_warmed(world):
    world.start_controller(kubernetes={"mark-nodes": True})
    world.cluster.apply([policy("3s"), deployment()])
    world.cluster.add_node("node-a", taints=[GATE])  # its agent never comes
    world.wait_for(lambda: world.bound_nodes() == {"node-a"}, "the pod to be bound")
    assert not world.visible_nodes()
    world.cluster.delete("Deployment", "chat")
    world.cluster.add_node("node-b", taints=[GATE])
    world.start_agent("node-b")
    world.wait_for(lambda: not world.gated("node-b"), "the gate of a node without work to open")


# ---- the webhook -----------------------------------------------------------------------------------


class Webhook:
    """What deploy/kubernetes/components/prefer-warm registers, at an address of this machine."""

    def __init__(self, world, port, authority):
        self.world = world
        self.object = {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "prewarm-prefer-warm"},
            "webhooks": [{"name": "prefer-warm.prewarm.dev", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                          "failurePolicy": "Ignore", "timeoutSeconds": 1, "reinvocationPolicy": "Never",
                          "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                                     "resources": ["pods"]}],
                          "clientConfig": {"url": f"https://127.0.0.1:{port}/prefer-warm",
                                           "caBundle": base64.b64encode(authority.read_bytes()).decode()}}]}
        world.cluster.apply(self.object)

    def wish(self, pod):
        terms = pod["spec"].get("affinity", {}).get("nodeAffinity", {}).get(
            "preferredDuringSchedulingIgnoredDuringExecution", [])
        return [term["preference"]["matchExpressions"][0]["key"] for term in terms]

    def failed_open(self):
        """The API server asked, got no answer that it trusts, and went on."""
        self.new_pod()
        metrics = self.world.cluster.raw("GET", "/metrics", accept="text/plain")[1].decode()
        return re.search(r"^apiserver_admission_webhook_fail_open_count\{.*prefer-warm.*\} [1-9]", metrics, re.MULTILINE)

    def new_pod(self):
        """A pod that the Deployment makes now. The one before is gone by then: the scheduler spreads the pods of a
        Deployment, which weighs as much as a wish does."""
        self.world.cluster.patch("Deployment", "chat", {"spec": {"replicas": 0}})
        self.world.wait_for(lambda: not self.world.pods(), "the pod before to be gone")
        self.world.cluster.patch("Deployment", "chat", {"spec": {"replicas": 1}})
        return self.world.wait_for(lambda: next(iter(self.world.pods()), None), "a new pod")


@pytest.fixture
def authority(folder):
    return Authority(folder / "authority")


def with_webhook(world, authority):
    """A controller that answers for pods, and the port that it does so on."""
    certificate, key = authority.issue("controller", "IP:127.0.0.1,DNS:localhost")
    world.start_controller(
        tls={"certificate": str(certificate), "key": str(key), "client-ca": str(authority.certificate)},
        webhook="127.0.0.1:0")
    found = re.search(r"webhook_port=(\d+)", world.controllers[0].child.output())
    return int(found[1])


def test_pods_wish_for_warm_nodes_and_start_without_the_webhook(world, authority):
    port = with_webhook(world, authority)
    webhook = Webhook(world, port, authority.certificate)
    world.cluster.add_node("node-a")
    world.cluster.add_node("node-b", labels={LABEL: "true"})
    world.cluster.wait_for_nodes("node-a", "node-b")
    world.cluster.apply(deployment())
    # The API server takes a moment to know of a webhook.
    world.wait_for(lambda: webhook.wish(webhook.new_pod()) == [LABEL], "a pod with the wish")
    pod = webhook.new_pod()
    assert webhook.wish(pod) == [LABEL]
    world.wait_for(lambda: world.bound_nodes() == {"node-b"}, "the pod to be on the warm node")

    # Dead: the pod comes without a wish.
    world.controllers[0].kill()
    assert webhook.wish(webhook.new_pod()) == []
    world.wait_for(lambda: world.bound_nodes(), "the pod to be bound")

    # Hung: somebody listens and never answers.
    with socket.create_server(("127.0.0.1", port)) as hung:
        assert webhook.wish(webhook.new_pod()) == []
        hung.settimeout(10)
        hung.accept()[0].close()  # the API server did ask
    world.wait_for(lambda: world.bound_nodes(), "the pod to be bound")


def test_pods_start_where_the_webhook_has_a_wrong_certificate(world, authority, folder):
    port = with_webhook(world, authority)
    webhook = Webhook(world, port, Authority(folder / "other").certificate)
    world.cluster.add_node("node-a")
    world.cluster.wait_for_nodes("node-a")
    world.cluster.apply(deployment())
    world.wait_for(lambda: world.bound_nodes() == {"node-a"}, "the pod to be bound")
    world.wait_for(webhook.failed_open, "the API server to ask and to give up")
    assert webhook.wish(webhook.new_pod()) == []
