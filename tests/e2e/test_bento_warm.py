"""The sentence that the product is made for: a Bento's models are on its nodes before its pods are. A real API server
with scheduler and autoscaler, a real volume that holds what BentoML made, nodes that appear while pods wait for them,
and at the end the real client with the bucket cut off. The operator's only act is to name the volume."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import conftest
from rig import bento_store
from rig.bento_objects import bento, bento_deployment, bento_request, seeded, separate, workload
from rig.bento_world import BentoWorld, targets_of
from rig.cluster_autoscaler import ClusterAutoscaler
from rig.metrics_api import MetricsApi
from rig.timeline import Timeline, table
from rig.tree import MIB, contents, random_bytes

TAG = "ranker:hx7q2d5m6cxa3"
BENTO = "chat:k6v2x7m4kq3aq"
NAME = "chat--k6v2x7m4kq3aq"
MODELS = [{"tag": TAG, "size": "30Mi"}]
EXISTING = ("gpu-a", "gpu-b")
REPLICAS = 8
NODE_SECONDS = 8  # from a Node object to Ready; real machines take over a minute
READERS = 2
AUTOSCALING = {"minReplicas": 1, "maxReplicas": REPLICAS, "metrics": [
    {"type": "Pods", "pods": {"metric": {"name": "http_request"},
                              "target": {"type": "AverageValue", "averageValue": "20"}}}]}
AT_ONCE = {"scaleUp": {"policies": [{"type": "Pods", "value": REPLICAS, "periodSeconds": 15}]}}


class Story(BentoWorld):
    def __init__(self, *fixtures):
        super().__init__(*fixtures)
        self.metrics = self.closed(MetricsApi(self.cluster))
        self.start_controller()
        self.add_nodes(*EXISTING)
        self.add_nodes("no-gpu", gpus=0)
        self.timeline = Timeline(self.cluster)

    def build_model(self):
        content = self.folder / "content"
        content.mkdir()
        (content / "config.json").write_text('{"layers": 3}')
        for shard in range(3):
            (content / f"model-{shard + 1:05}-of-00003.safetensors").write_bytes(random_bytes(9 * MIB + shard, shard))
        return bento_store.BentoStore(self.folder / "home").model(TAG, content)

    def scale_to_all(self):
        """Until every replica has a node; nodes are made for those that fit nowhere."""
        autoscaler = ClusterAutoscaler(self.cluster, self.start_agent, seconds=NODE_SECONDS)

        def all_bound():
            autoscaler.step()
            return len(self.bound_nodes()) == REPLICAS
        self.metrics.set("300")
        self.wait_for(all_bound, f"{REPLICAS} pods to be bound", 120)


@pytest.fixture
def story(folder, store_folder, redis, closing):
    return Story(folder, store_folder, redis, closing)


def test_a_bento_is_warm_on_its_nodes_before_its_pods_are_bound(story):
    cluster = story.cluster
    # Building begins; the models are still being seeded.
    request = bento_request(NAME, BENTO, MODELS, annotations=separate())
    cluster.apply(request)
    deployment = bento_deployment("chat", NAME, autoscaling=AUTOSCALING)
    cluster.apply(deployment)
    model = story.build_model()
    with story.volume.mount() as root:
        directory = bento_store.seed(root, TAG, model, complete=False)
        story.wait_for(lambda: story.told("chat", "ModelsNotSeeded"), "an event on the deployment")
        assert story.prewarms() == [], "a model that is not whole is not to be called warm"
        (directory / ".exists").touch()
        truth = contents(directory)
    cluster.patch_status("BentoRequest", NAME, seeded(request))
    story.wait_for(lambda: story.visible_nodes() == set(EXISTING), "the models to be visible on the nodes")
    assert story.pods() == [], "there is no pod yet"

    # The image is built, the pods are made.
    built = bento(NAME, BENTO, MODELS, annotations=separate())
    made, autoscaler = workload(deployment, built)
    autoscaler["spec"]["behavior"] = AT_ONCE
    story.metrics.set("10")
    cluster.apply([built, made, autoscaler])
    story.wait_for(lambda: len(story.bound_nodes()) == 1, "the first pod to be bound")

    # Load grows, all at once: most of the nodes do not exist yet.
    begin = time.time()
    story.scale_to_all()
    story.wait_for(lambda: story.visible_nodes() == story.bound_nodes(), "the nodes of all pods to be warm")
    leads = story.timeline.leads()
    conftest.SUMMARY.extend(["seconds since load rose, of a story of 8 replicas:", *table(leads, begin)])
    assert len(leads) == REPLICAS
    for lead in leads:
        assert lead.visible < lead.bound, f"{lead} was bound before it was warm"
        if lead.node not in EXISTING:
            assert lead.visible < lead.ready, f"{lead} was ready before it was warm"
            assert lead.signal in ("node-joined", "scale-up-triggered", "pod-pending", "hpa-desired"), lead

    def signals():
        [prewarm] = story.prewarms()
        return {target["signal"] for target in prewarm["spec"]["targets"]}
    # The last pod was bound a moment ago.
    story.wait_for(lambda: signals() <= {"pod-bound", "pod-started"}, "every target to be there for a pod", 10)
    [prewarm] = story.prewarms()
    assert prewarm["spec"]["workload"]["name"] == "chat"
    assert targets_of(prewarm) == story.bound_nodes()
    story.store.cut_off()
    with ThreadPoolExecutor(READERS) as readers:
        list(readers.map(lambda node: story.reads_are_hits(node, TAG, truth), sorted(story.bound_nodes())))
