"""Real Prometheus scrapes a leader and a standby on a real API server while a Bento is warmed ahead of its pods: every
expression of every dashboard and alert finds something, and the numbers are those of the story."""

import re

import pytest

from rig import bento_store
from rig.bento_objects import bento, bento_deployment, bento_request, seeded, separate, workload
from rig.bento_world import BentoWorld
from rig.metrics_api import MetricsApi
from rig.process import free_port, wait_for
from rig.prometheus import DASHBOARDS, Prometheus, alert_expressions, dashboard_expressions, filled_in, judged
from rig.tree import contents

TAG = "ranker:hx7q2d5m6cxa3"
BENTO = "chat:k6v2x7m4kq3aq"
NAME = "chat--k6v2x7m4kq3aq"
MODELS = [{"tag": TAG, "size": "30Mi"}]
CHAT = {"workload_namespace": "default", "workload": "chat"}
SELECTOR = '{workload_namespace="default",workload="chat"}'
AUTOSCALING = {"minReplicas": 1, "maxReplicas": 2, "metrics": [
    {"type": "Pods", "pods": {"metric": {"name": "http_request"},
                              "target": {"type": "AverageValue", "averageValue": "20"}}}]}


class Story(BentoWorld):
    def __init__(self, *fixtures):
        super().__init__(*fixtures)
        self.metrics = self.closed(MetricsApi(self.cluster))
        leader = self.start_controller()
        standby = self.start_controller(lead=False)
        self.add_nodes("gpu-a", "gpu-b")
        self.cluster.patch("Node", "gpu-b", {"spec": {"unschedulable": True}})
        self.client_port = free_port()
        self.prometheus = self.closed(Prometheus(
            self.folder / "prometheus", [leader, standby], list(self.agents.values()), [self.client_port]))

    def run(self):
        """A model is seeded, warmed for the first replica, and its pods come, one after the other."""
        request = bento_request(NAME, BENTO, MODELS, annotations=separate())
        self.cluster.apply(request)
        deployment = bento_deployment("chat", NAME, autoscaling=AUTOSCALING)
        self.cluster.apply(deployment)
        self.until('prewarm_controller_workload_state{state="not-seeded"}', 1)
        self.seed(TAG)
        self.cluster.patch_status("BentoRequest", NAME, seeded(request))
        self.until('prewarm_controller_workload_state{state="warm"}', 1)
        self.ahead = self.prometheus.value('sum(prewarm_controller_targets{state="ahead"})')
        built = bento(NAME, BENTO, MODELS, annotations=separate())
        self.cluster.apply(built)
        self.cluster.apply(workload(deployment, built))
        self.metrics.set("20")
        self.until("sum(prewarm_controller_pods_bound_total)", 1)
        self.cluster.patch("Node", "gpu-b", {"spec": {"unschedulable": False}})
        self.metrics.set("40")
        self.until("sum(prewarm_controller_pods_bound_total)", 2)
        self.until('sum(prewarm_controller_workload_targets{state="in-use"})', 2)
        self.until('prewarm_controller_warm_lead_seconds_count{until="started"} > 0', 2)
        # Of somebody who names a deadline, so that there is one.
        self.controllers[0].create({"volume": "models", "keep": True, "deadline": "2100-01-01T00:00:00Z"})
        self.read_through_a_client()
        self.prometheus.wait_for_scrapes()

    def read_through_a_client(self):
        mount = self.volume.mount(self.agents["gpu-a"].cache_dir, "--metrics", f"127.0.0.1:{self.client_port}")
        contents(bento_store.directory_of(mount.path, TAG))
        self.prometheus.wait_for_client(volumes=2)

    def until(self, expression, value):
        self.prometheus.until(expression, value)


@pytest.fixture(scope="module")
def story(module_folder, redis):
    closing = []
    try:
        told = Story(module_folder, module_folder / "s3", redis, closing)
        told.run()
        yield told
    finally:
        for thing in reversed(closing):
            thing.close()


def test_every_panel_of_every_dashboard_shows_something(story):
    expressions = list(dashboard_expressions())
    assert len(expressions) > 80 and {name for name, _, _ in expressions} == {path.stem for path in DASHBOARDS}
    empty = [(name, title, expression) for name, title, expression in expressions
             if not story.prometheus.query(filled_in(expression, **CHAT))]
    assert not empty


def test_every_alert_has_something_to_judge(story):
    assert not [(name, expression) for name, expression in alert_expressions()
                if not story.prometheus.query(judged(expression))]


def test_clients_are_seen_to_read_from_the_cache(story):
    assert story.prometheus.value("sum(juicefs_blockcache_miss)") == 0
    assert story.prometheus.value("sum(juicefs_blockcache_hits)") > 0
    adoption = {one["metric"]["node"]: one["metric"]["adoption"]
                for one in story.prometheus.query("prewarm_controller_node_volumes")}
    assert set(adoption) == {"gpu-a", "gpu-b"} and set(adoption.values()) <= {"before-mount", "rescan"}, adoption


def test_no_alert_fires_on_a_healthy_cluster(story):
    firing = [(name, expression) for name, expression in alert_expressions() if story.prometheus.query(expression)]
    assert not firing


def test_the_lead_of_the_pods_is_told(story):
    value = story.prometheus.value
    assert story.ahead >= 1, "the first node was warm before there was a pod"
    assert value(f'prewarm_controller_workload_pods_bound_total{SELECTOR[:-1]},arrival="warm"}}') >= 1
    assert value('prewarm_controller_warm_lead_seconds_count{until="bound"} > 0') == 2
    lead = value(f'prewarm_controller_workload_warm_lead_seconds{SELECTOR[:-1]},until="bound"}}')
    assert value(f"prewarm_controller_workload_least_lead_seconds{SELECTOR}") <= lead
    stages = {one["metric"]["stage"]: float(one["value"][1])
              for one in story.prometheus.query(f"prewarm_controller_workload_cold_start_seconds{SELECTOR}")}
    assert set(stages) == {"warm", "bound", "started"} and 0 <= stages["bound"] <= 120
    assert value(f"prewarm_controller_workload_visible_bytes{SELECTOR}") == value(
        f"prewarm_controller_workload_planned_bytes{SELECTOR}") > 9_000_000


def test_a_standby_tells_nothing_that_only_a_leader_knows(story):
    leading = story.controllers[0].http
    for metric in ("prewarm_controller_workload_state", "prewarm_controller_operator_round_seconds_count > 0",
                   "prewarm_controller_epoch > 0", "prewarm_controller_lease_age_seconds"):
        assert {one["metric"]["instance"] for one in story.prometheus.query(metric)} == {f"127.0.0.1:{leading}"}, metric


def test_no_name_of_an_object_is_a_label(story):
    """But that of the workload: pods, nodes' paths, keys and prewarms would be series without end."""
    text = story.controllers[0].metrics()
    names = {one["metadata"]["name"] for one in story.pods() + story.prewarms()} | {TAG, BENTO}
    assert names
    for name in names:
        assert f'"{name}"' not in text
    labels = set(re.findall(r'[{,](\w+)="', text))
    assert labels <= {"adoption", "arrival", "code", "disk", "kind", "le", "node", "outcome", "reason", "resource", "result", "route",
                      "signal", "stage", "state", "status", "until", "verb", "version", "volume", "workload",
                      "workload_kind", "workload_namespace"}


def test_the_series_of_a_workload_end_with_it(story):
    story.cluster.delete("BentoDeployment", "chat")
    wait_for(lambda: not story.prometheus.query("prewarm_controller_workload_state"), "its series to end", 60)
    assert "prewarm_controller_workload_" not in re.sub(r"(?m)^#.*$", "", story.controllers[0].metrics())
