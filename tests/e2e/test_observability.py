"""Real Prometheus scrapes a live controller and agent, without a cluster: every expression of the dashboards and alerts
that need none parses and finds something. All of them, over a cluster: test_cluster_observability.py."""

import json
import re
import subprocess

import pytest

from rig.fleet import AgentDaemon, Controller
from rig.process import free_port
from rig.prometheus import ALERTS, DASHBOARDS, DEPLOY, Prometheus, alert_expressions, dashboard_expressions, filled_in, judged
from rig.stores import S3Store
from rig.tree import random_bytes
from rig.volume import Volume

WITHOUT_A_CLUSTER = ("prewarm", "prewarm-nodes")


@pytest.fixture(scope="module")
def prometheus(module_folder, redis):
    closing = []
    try:
        store = S3Store(module_folder / "s3")
        closing.append(store)
        volume = Volume(module_folder / "volume", redis.new_database(), store)
        closing.append(volume)
        with volume.mount() as root:
            (root / "weights").write_bytes(random_bytes(5_000_000, 1))
        controller = Controller(module_folder / "controller", {"models": {"meta": volume.meta}})
        closing.append(controller)
        agent = AgentDaemon(module_folder / "node", "node-a", [controller], env=store.env)
        closing.append(agent)
        controller.wait_for_nodes(1)
        client_port = free_port()
        server = Prometheus(module_folder / "prometheus", [controller], [agent], [client_port])
        closing.append(server)
        prewarm = controller.create({"volume": "models", "keep": True, "deadline": "2100-01-01T00:00:00Z"})
        controller.wait(prewarm["id"], ("warm",))
        mount = volume.mount(agent.cache_dir, "--metrics", f"127.0.0.1:{client_port}")
        (mount.path / "weights").read_bytes()
        server.wait_for_client(volumes=1)
        server.wait_for_scrapes()
        yield server
    finally:
        for thing in reversed(closing):
            thing.close()


def test_every_panel_shows_something(prometheus):
    expressions = list(dashboard_expressions(*WITHOUT_A_CLUSTER))
    assert len(expressions) > 30
    assert not [(title, expression) for _, title, expression in expressions
                if not prometheus.query(filled_in(expression))]


def test_every_alert_has_something_to_judge(prometheus):
    expressions = list(alert_expressions("prewarm"))
    assert len(expressions) > 4
    assert not [expression for _, expression in expressions if not prometheus.query(judged(expression))]


def test_what_nodes_have_is_told(prometheus):
    visible = prometheus.value('prewarm_controller_node_visible_bytes{node="node-a",volume="models"}')
    assert visible == prometheus.value('prewarm_controller_node_planned_bytes{node="node-a",volume="models"}')
    assert visible >= 5_000_000
    assert prometheus.value('prewarm_controller_node_visible_prewarms{node="node-a",volume="models"}') == 1
    assert prometheus.value('sum(prewarm_controller_node_directories{node="node-a"})') == 1
    assert prometheus.value("prewarm_controller_prewarms_late") == 0


def test_alerts_are_valid_rules():
    done = subprocess.run(["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_fire_when_they_should_and_not_before():
    done = subprocess.run(["promtool", "test", "rules", str(ALERTS.with_name("alerts_test.yaml"))],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_of_the_cluster_is_tried():
    tried = set(re.findall(r"alertname: (\w+)", ALERTS.with_name("alerts_test.yaml").read_text()))
    assert {name for name, _ in alert_expressions("prewarm-cluster")} <= tried


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_are_what_their_source_says(path):
    done = subprocess.run([DEPLOY / "grafana" / "dashboard.py", path.stem], capture_output=True, text=True,
                          timeout=30, check=True)
    assert done.stdout == path.read_text()


def test_every_dashboard_has_a_file_and_a_name_of_its_own():
    boards = [json.loads(path.read_text()) for path in DASHBOARDS]
    assert [board["uid"] for board in boards] == [path.stem for path in DASHBOARDS]
    assert len({board["title"] for board in boards}) == len(boards)
    for board in boards:
        known = {one["name"] for one in board["templating"]["list"]} | {"__range", "__rate_interval"}
        asked = set(re.findall(r"\$(\w+)", json.dumps(board["panels"])))
        assert asked <= known, board["uid"]
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
