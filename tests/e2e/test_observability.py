"""Real Prometheus scrapes a live controller and agent: every expression of every dashboard and alert parses
and finds something."""

import json
import pathlib
import re
import subprocess
import urllib.parse
import urllib.request

import pytest

from rig.fleet import TOKEN, AgentDaemon, Controller
from rig.process import Child, accepts, free_port, wait_for
from rig.stores import S3Store
from rig.tree import random_bytes
from rig.volume import Volume

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"


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
        server = Prometheus(module_folder / "prometheus", controller.http, agent.admin_port())
        closing.append(server)
        prewarm = controller.create({"volume": "models", "keep": True, "deadline": "2100-01-01T00:00:00Z"})
        controller.wait(prewarm["id"], ("warm",))
        server.wait_for_two_scrapes()
        yield server
    finally:
        for thing in reversed(closing):
            thing.close()


class Prometheus:
    def __init__(self, folder, controller_port, agent_port):
        folder.mkdir()
        (folder / "token").write_text(TOKEN)
        (folder / "alerts.yaml").write_text(ALERTS.read_text())
        self.port = free_port()
        (folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["alerts.yaml"],
            "scrape_configs": [
                {"job_name": "prewarm-controller",
                 "authorization": {"credentials_file": str(folder / "token")},
                 "static_configs": [{"targets": [f"127.0.0.1:{controller_port}"]}]},
                {"job_name": "prewarm-agent",
                 "static_configs": [{"targets": [f"127.0.0.1:{agent_port}"]}]},
            ]}))
        self.child = Child(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}"], folder / "prometheus.log")
        self.child.wait_until(lambda: accepts(self.port), "Prometheus to listen")

    def query(self, expression):
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {error.read().decode()}") from None

    def wait_for_two_scrapes(self):
        for job in ("prewarm-controller", "prewarm-agent"):
            wait_for(lambda job=job: self.query(f'count_over_time(up{{job="{job}"}}[1m]) > 3 and up == 1'),
                     f"scrapes of {job}", 30)

    def close(self):
        self.child.stop()


def dashboard_expressions():
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield panel["title"], target["expr"]


def alert_expressions():
    for line in ALERTS.read_text().splitlines():
        if match := re.match(r"\s+expr: (.+)", line):
            yield match[1]


def filled_in(expression):
    """As Grafana sends it, with everything chosen."""
    for name, value in {"$__range": "5m", "$__rate_interval": "1m", "$node": ".*", "$volume": ".*"}.items():
        expression = expression.replace(name, value)
    return expression


def test_every_panel_shows_something(prometheus):
    expressions = list(dashboard_expressions())
    assert len(expressions) > 15
    empty = [(title, expression) for title, expression in expressions
             if not prometheus.query(filled_in(expression))]
    assert not empty


def test_every_alert_has_something_to_judge(prometheus):
    expressions = list(alert_expressions())
    assert len(expressions) > 4
    # `bool` makes a comparison answer 0 or 1 where it would answer nothing.
    judged = [re.sub(r" (==|!=|>=|<=|<|>) ", r" \1 bool ", expression) for expression in expressions]
    assert not [expression for expression in judged if not prometheus.query(expression)]


def test_alerts_are_valid_rules():
    done = subprocess.run(["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_what_its_source_says():
    done = subprocess.run([DEPLOY / "grafana" / "dashboard.py"], capture_output=True, text=True, timeout=30,
                          check=True)
    assert done.stdout == (DEPLOY / "grafana" / "prewarm.json").read_text()
