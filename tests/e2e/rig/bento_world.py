"""A cluster with Bento's resources and ours, a volume that its storage class stands for, a controller that watches, and
nodes with agents on this machine: all that a story about Bento and Prewarm is made of."""

from rig import bento_store
from rig.bento_objects import CRDS
from rig.cluster_world import NAMESPACE, ClusterWorld
from rig.fleet import Controller
from rig.process import wait_for
from rig.tree import MIB, contents, random_bytes

STORAGE_CLASS = {
    "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "juicefs-sc"},
    "provisioner": "csi.juicefs.com", "reclaimPolicy": "Retain",
    "parameters": {"pathPattern": "${.PVC.annotations.path}"}}
READY = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "is ready"}
FINAL = ("succeeded", "failed", "cancelled", "superseded")


class BentoWorld(ClusterWorld):
    """`cluster`: options of Cluster. Nodes, controllers and agents are for the test to add."""

    def __init__(self, folder, store_folder, redis, closing, **cluster):
        super().__init__(folder, store_folder, redis, closing, **{
            "with_scheduling": True, "manager_options": ["--horizontal-pod-autoscaler-sync-period=1s"], **cluster})
        for path in CRDS:
            self.cluster.apply(path)
        self.cluster.apply(STORAGE_CLASS)
        self.controllers = []

    # ---- ours --------------------------------------------------------------------------------------

    def volumes(self, **settings):
        return {"models": {"meta": self.volume.meta, "storage-classes": ["juicefs-sc"], **settings}}

    def start_controller(self, *, user="admin", server=None, volume=None, **options):
        """As `user` of the cluster. `server`: the URL of something before the API server; `volume`: more settings of it."""
        number = len(self.controllers) + 1
        self.controllers.append(self.closed(Controller(
            self.folder / f"controller-{number}", self.volumes(**(volume or {})),
            kubeconfig=self.cluster.kubeconfig(user, server=server, namespace=NAMESPACE), **options)))
        return self.controllers[-1]

    def with_two_nodes(self, **controller):
        """A controller, and the ready nodes gpu-a and gpu-b with their agents."""
        self.start_controller(**controller)
        self.add_nodes("gpu-a", "gpu-b")
        return self

    def start_agent(self, node, controllers=None):
        return super().start_agent(node, controllers or self.controllers)

    def add_nodes(self, *names, gpus=1, **options):
        """Nodes that are ready, each with its agent."""
        for name in names:
            self.cluster.add_node(name, gpus=gpus, **options)
            if "kwok" not in self.cluster.children:
                self.cluster.patch_status("Node", name, {"conditions": [READY]})
            self.start_agent(name)
        self.cluster.wait_for_nodes(*names)
        self.controllers[0].wait_for_nodes(len(self.agents))

    # ---- models ------------------------------------------------------------------------------------

    def seed(self, tag, *, megabytes=9, shards=1, complete=True, root=None):
        """A model where the builder's seeder puts it; what a reader finds in it."""
        if root is None:
            with self.volume.mount() as mounted:
                return self.seed(tag, megabytes=megabytes, shards=shards, complete=complete, root=mounted)
        directory = bento_store.directory_of(root, tag)
        directory.mkdir(parents=True)
        (directory / "config.json").write_text('{"layers": 3}')
        for shard in range(shards):
            name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
            (directory / name).write_bytes(random_bytes(megabytes * MIB + shard, f"{tag} {shard}"))
        if complete:
            (directory / ".exists").touch()
        return contents(directory)

    def reads_are_hits(self, node, tag, truth):
        self.volume.reads_are_hits(self.agents[node].cache_dir, {bento_store.directory_of("", tag): truth})

    def wait_for(self, condition, what, seconds=60):
        """With all that may explain it if it was in vain."""
        try:
            return wait_for(condition, what, seconds)
        except AssertionError as error:
            prewarms = "\n".join(f"{one['metadata']['name']} {one['spec']} {one.get('status')}"
                                 for one in self.cluster.list("Prewarm"))
            logs = "\n".join(one.child.output() for one in self.controllers)
            raise AssertionError(f"{error}\n{prewarms}\n{logs}") from None

    # ---- what is so --------------------------------------------------------------------------------

    def prewarms(self, namespace="default"):
        return self.cluster.list("Prewarm", namespace)

    def unfinished(self, namespace="default"):
        return [one for one in self.prewarms(namespace) if one.get("status", {}).get("state") not in FINAL]

    def visible_nodes(self, namespace="default"):
        return {task["node"] for one in self.prewarms(namespace) for task in one.get("status", {}).get("tasks", [])
                if task["state"] == "visible"}

    def told(self, name, reason=None, namespace="default"):
        """What Events say of objects with this name."""
        return [event.get("note", "") for event in self.cluster.list("events.k8s.io/v1/Event", namespace)
                if event["regarding"]["name"] == name and reason in (None, event["reason"])]

    def pods(self, namespace="default"):
        return self.cluster.list("Pod", namespace)

    def bound_nodes(self, namespace="default"):
        return {pod["spec"]["nodeName"] for pod in self.pods(namespace) if pod["spec"].get("nodeName")}


def targets_of(prewarm):
    return {target["node"] for target in prewarm["spec"].get("targets", [])}
