"""What an autoscaler of nodes does, for a test: for each pod that fits nowhere a node appears, says so in an Event, and
comes up some time later, as virtual machines do."""

import time


class ClusterAutoscaler:
    """`started(name)` is called when the node's DaemonSet pods can run, before it is Ready. `seconds`: from the Node
    object to Ready; real ones take one to two minutes."""

    def __init__(self, cluster, started, *, seconds, namespace="default", pool="gpu-pool", most=10):
        self.cluster, self.started, self.seconds = cluster, started, seconds
        self.namespace, self.pool, self.most = namespace, pool, most
        self.nodes = {}  # pod's uid -> its node
        self.due = {}  # node that is not up yet -> when it will be

    def step(self):
        """Looks once; to be called again and again."""
        for pod in self.cluster.list("Pod", self.namespace):
            uid = pod["metadata"]["uid"]
            if uid not in self.nodes and len(self.nodes) < self.most and fits_nowhere(pod):
                self.nodes[uid] = self.add_node_for(pod)
        for name in [name for name, when in self.due.items() if when <= time.monotonic()]:
            del self.due[name]
            self.cluster.run_node(name)

    def add_node_for(self, pod):
        number = len(self.nodes) + 1
        name = f"{self.pool}-{number}"
        meta = pod["metadata"]
        self.cluster.create({
            "apiVersion": "v1", "kind": "Event", "reason": "TriggeredScaleUp", "type": "Normal",
            "metadata": {"generateName": f"{meta['name']}.", "namespace": meta["namespace"]},
            "message": f"pod triggered scale-up: [{{https://compute/{self.pool} {number - 1}->{number} (max: 100)}}]",
            "source": {"component": "cluster-autoscaler"},
            "firstTimestamp": now(), "lastTimestamp": now(), "count": 1,
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": meta["name"],
                               "namespace": meta["namespace"], "uid": meta["uid"]}}, meta["namespace"])
        self.cluster.add_node(name, gpus=1, running=False, labels={"cloud.google.com/gke-nodepool": self.pool})
        self.due[name] = time.monotonic() + self.seconds
        self.started(name)
        return name


def fits_nowhere(pod):
    return not pod["spec"].get("nodeName") and any(
        one["type"] == "PodScheduled" and one.get("reason") == "Unschedulable"
        for one in pod.get("status", {}).get("conditions", []))


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
