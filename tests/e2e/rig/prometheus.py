"""Real Prometheus over the programs of a test, and what our dashboards and alerts would ask it."""

import json
import pathlib
import re
import urllib.error
import urllib.parse
import urllib.request

import yaml

from rig.fleet import TOKEN
from rig.process import Child, free_port, wait_for

DEPLOY = pathlib.Path(__file__).resolve().parents[3] / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"


class Prometheus:
    """Scrapes every second, with our alerts as its rules."""

    def __init__(self, folder, controllers, agents, clients=()):
        """`clients`: the ports on which mounts of JuiceFS tell their metrics."""
        folder.mkdir()
        self.jobs = {"prewarm-controller": len(controllers), "prewarm-agent": len(agents), "juicefs": len(clients)}
        (folder / "token").write_text(TOKEN)
        (folder / "alerts.yaml").write_text(ALERTS.read_text())
        self.port = free_port()
        (folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["alerts.yaml"],
            "scrape_configs": [
                {"job_name": "prewarm-controller",
                 "authorization": {"credentials_file": str(folder / "token")},
                 "static_configs": [{"targets": [f"127.0.0.1:{one.http}" for one in controllers]}]},
                {"job_name": "prewarm-agent",
                 "static_configs": [{"targets": [f"127.0.0.1:{one.admin_port()}" for one in agents]}]},
                {"job_name": "juicefs", "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in clients]}]},
            ]}))
        self.child = Child(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}"], folder / "prometheus.log")
        self.child.wait_until(self.ready, "Prometheus to be ready")

    def ready(self):
        """It listens before it answers questions."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def query(self, expression):
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {error.read().decode()}") from None

    def value(self, expression):
        """Of an expression that finds one thing; nothing where there is none."""
        found = self.query(expression)
        assert len(found) < 2, found
        return float(found[0]["value"][1]) if found else None

    def until(self, expression, value, seconds=60):
        wait_for(lambda: self.value(expression) == value, f"{expression} to be {value}", seconds)

    def wait_for_client(self, volumes):
        """For rates of what a mount tells, and for agents to say how `volumes` on nodes become visible."""
        self.until("sum(count_over_time(juicefs_blockcache_hits[1m])) > bool 4", 1)
        self.until("count(prewarm_controller_node_volumes)", volumes)

    def wait_for_scrapes(self):
        """Several from now on, of everything: that rates have something to go by."""
        for job, count in self.jobs.items():
            wait_for(lambda job=job, count=count: len(self.query(
                f'count_over_time(up{{job="{job}"}}[1m]) > 3 and up == 1')) == count, f"scrapes of {job}", 30)

    def close(self):
        self.child.stop()


def dashboard_expressions(*names):
    """(dashboard, panel, expression) of these dashboards, or of all."""
    for path in DASHBOARDS:
        if names and path.stem not in names:
            continue
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield path.stem, panel["title"], target["expr"]


def filled_in(expression, **variables):
    """As Grafana sends it, with everything chosen where a test chooses nothing."""
    chosen = {"__range": "5m", "__rate_interval": "1m", "node": ".*", **variables}
    return re.sub(r"\$(\w+)", lambda found: chosen[found[1]], expression)


def alert_expressions(*groups):
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        if not groups or group["name"] in groups:
            for rule in group["rules"]:
                yield rule["alert"], rule["expr"]


def judged(expression):
    """`bool` makes a comparison answer 0 or 1 where it would answer nothing."""
    return re.sub(r" (==|!=|>=|<=|<|>) ", r" \1 bool ", expression)
