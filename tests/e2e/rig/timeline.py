"""When the nodes of a story came, were called warm and got their pods, by the clock of one who watches the API server."""

import threading
import time
from typing import NamedTuple


class Lead(NamedTuple):
    """One node's moments, in seconds of the wall clock; None: it did not happen."""
    node: str
    added: float
    signal: str  # the first reason to warm it
    target: float
    visible: float
    ready: float
    bound: float


class Timeline:
    def __init__(self, cluster, namespace="default"):
        self.cluster, self.namespace = cluster, namespace
        self.seen = {}  # (what, node) -> when first
        self.signals = {}  # node -> the signal that made it a target first
        for kind, of, look in (("Pod", namespace, self.see_pod), ("Node", None, self.see_node),
                               ("Prewarm", namespace, self.see_prewarm)):
            threading.Thread(target=self.follow, args=(kind, of, look), daemon=True).start()

    def follow(self, kind, namespace, look):
        for word, one in self.cluster.watch(kind, namespace):
            if word in ("ADDED", "MODIFIED"):
                look(one)

    def first(self, what, node):
        self.seen.setdefault((what, node), time.time())

    def see_pod(self, pod):
        if node := pod["spec"].get("nodeName"):
            self.first("bound", node)

    def see_node(self, node):
        name = node["metadata"]["name"]
        self.first("added", name)
        if any(one["type"] == "Ready" and one["status"] == "True"
               for one in node.get("status", {}).get("conditions", [])):
            self.first("ready", name)

    def see_prewarm(self, prewarm):
        for target in prewarm["spec"].get("targets", []):
            self.first("target", target["node"])
            self.signals.setdefault(target["node"], target["signal"])
        for task in prewarm.get("status", {}).get("tasks", []):
            if task["state"] == "visible":
                self.first("visible", task["node"])

    def leads(self):
        """Of the nodes that got a pod, the first bound first."""
        nodes = {node for what, node in self.seen if what == "bound"}
        return sorted((Lead(node, self.seen.get(("added", node)), self.signals.get(node),
                            *(self.seen.get((what, node)) for what in ("target", "visible", "ready", "bound")))
                       for node in nodes), key=lambda lead: lead.bound)


def table(leads, begin):
    """Lines for people; moments count from `begin`."""
    def cell(when):
        return "-" if when is None else f"{when - begin:.2f}"
    lines = [f"{'node':10}{'added':>8}{'target':>8}{'visible':>9}{'ready':>8}{'bound':>8}{'lead, s':>9}  first signal"]
    for lead in leads:
        ahead = "never" if lead.visible is None else f"{lead.bound - lead.visible:.2f}"
        lines.append(f"{lead.node:10}{cell(lead.added):>8}{cell(lead.target):>8}{cell(lead.visible):>9}"
                     f"{cell(lead.ready):>8}{cell(lead.bound):>8}{ahead:>9}  {lead.signal}")
    return lines
