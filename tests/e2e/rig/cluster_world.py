"""A cluster with our resources, and a volume of the real client on a real S3 server: what every story about objects of
a cluster begins with. Controllers and agents are for the story to add."""

import pathlib

from rig.fleet import AgentDaemon
from rig.kube import Cluster
from rig.stores import S3Store
from rig.tree import MIB, contents, random_bytes
from rig.volume import Volume

OUR_CRDS = sorted((pathlib.Path(__file__).parents[3] / "deploy/kubernetes/base/crds").glob("*s.yaml"))
NAMESPACE = "prewarm-system"
API = "prewarm.dev/v1alpha1"


class ClusterWorld:
    """`cluster`: options of Cluster."""

    def __init__(self, folder, store_folder, redis, closing, **cluster):
        self.folder, self.closing = folder, closing
        self.cluster = self.closed(Cluster(folder / "cluster", **cluster))
        self.store = self.closed(S3Store(store_folder))
        self.volume = self.closed(Volume(folder / "volume", redis.new_database(), self.store))
        for path in OUR_CRDS:
            self.cluster.apply(path)
        self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        self.agents = {}

    def closed(self, thing):
        self.closing.append(thing)
        return thing

    def seed_tree(self, name="m"):
        """13 MiB at the top of the volume; what a reader finds in them."""
        with self.volume.mount() as root:
            (root / name).mkdir()
            (root / name / "weights.safetensors").write_bytes(random_bytes(13 * MIB, 1))
            return contents(root / name)

    def start_agent(self, node, controllers):
        self.agents[node] = self.closed(AgentDaemon(self.folder / node, node, controllers, env=self.store.env))
        return self.agents[node]


def prewarm(name, **spec):
    """Of the tree that seed_tree makes, on the volume `models`."""
    return {"apiVersion": API, "kind": "Prewarm", "metadata": {"name": name},
            "spec": {"volume": "models", "paths": ["m"], **spec}}
