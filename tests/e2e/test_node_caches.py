"""What `kubectl get nodecaches` tells of the nodes: what their agents hold, when they come and go, with few writes."""

import pytest

from rig.cluster_world import API, NAMESPACE, ClusterWorld
from rig.fleet import Controller
from rig.process import wait_for
from rig.tree import MIB


class World(ClusterWorld):
    def __init__(self, folder, store_folder, redis, closing):
        super().__init__(folder, store_folder, redis, closing, audit=True)
        self.seed_tree()
        self.cluster.add_node("node-a")
        self.controller = self.closed(Controller(folder / "controller", {"models": {"meta": self.volume.meta}},
                                                 kubeconfig=self.cluster.kubeconfig(namespace=NAMESPACE)))
        self.agent = self.start_agent("node-a", [self.controller])

    def status(self):
        found = self.cluster.find("NodeCache", "node-a")
        return found.get("status", {}) if found else {}

    def condition(self, kind):
        found = [one for one in self.status().get("conditions", []) if one["type"] == kind]
        return f"{found[0]['status']} {found[0]['reason']}" if found else "absent"

    def wait_for(self, kind, said, seconds=60):
        wait_for(lambda: self.condition(kind) == said, f"{kind} to be {said}, not {self.condition(kind)}", seconds)

    def writes(self):
        return [one for one in self.cluster.audit_events()
                if one.get("objectRef", {}).get("resource") == "nodecaches" and one["verb"] in ("patch", "create")
                and one.get("userAgent", "").startswith("prewarm-controller")]


@pytest.fixture
def world(folder, store_folder, redis, closing):
    return World(folder, store_folder, redis, closing)


def test_a_node_is_told_of_from_its_first_agent_to_its_end(world):
    world.wait_for("AgentConnected", "True Connected")
    world.wait_for("Warm", "True NothingOrdered")
    world.cluster.apply({"apiVersion": API, "kind": "Prewarm", "metadata": {"name": "launch"},
                         "spec": {"volume": "models", "paths": ["m"]}})
    world.wait_for("Warm", "True AllVisible")
    status = world.status()
    assert status["models"] == [{"namespace": "default", "prewarm": "launch", "volume": "models", "state": "visible",
                                 "plannedBytes": 13 * MIB, "doneBytes": 13 * MIB}], status["models"]
    assert status["connected"] and status["agentVersion"] and status["directories"][0]["capacity"] > 0, status
    header, row = world.cluster.kubectl("get", "nodecaches").splitlines()
    assert header.split()[:5] == ["NAME", "CONNECTED", "DISK", "RUNNING", "QUEUED"]
    assert row.split()[:2] == ["node-a", "true"]
    # The cluster's own garbage collection would delete it, too, where it runs.
    assert world.cluster.get("NodeCache", "node-a")["metadata"]["ownerReferences"][0]["kind"] == "Node"
    world.agent.kill()
    world.wait_for("AgentConnected", "False Away")
    assert not world.status()["connected"]
    world.cluster.delete("Node", "node-a")
    wait_for(lambda: world.cluster.find("NodeCache", "node-a") is None, "the node cache to be deleted", 90)


def test_a_node_at_rest_is_not_written(world):
    world.cluster.apply({"apiVersion": API, "kind": "Prewarm", "metadata": {"name": "launch"},
                         "spec": {"volume": "models", "paths": ["m"]}})
    world.wait_for("Warm", "True AllVisible")
    # The agent looks at volumes some seconds after a task, and numbers alone wait for half a minute.
    wait_for(lambda: world.status().get("volumes"), "the volume on its disk to be told", 90)
    reads = lambda: sum(one["verb"] == "update" and one.get("objectRef", {}).get("resource") == "leases"  # noqa: E731
                        for one in world.cluster.audit_events())
    # By renewals of the lease, which go on: first the last numbers, then a long time without any.
    start = reads()
    wait_for(lambda: reads() > start + 45, "the last numbers to be told", 120)
    before, start = len(world.writes()), reads()
    wait_for(lambda: reads() > start + 45, "half a minute of rest", 120)
    assert len(world.writes()) == before, world.writes()[before:]
    assert before <= 8, [one["requestURI"] for one in world.writes()]
