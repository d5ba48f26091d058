#!/usr/bin/env python3
"""Writes the Grafana dashboards of this folder from the short lists below, so that every panel's expression is
one line to review. Usage: dashboard.py writes all of them; dashboard.py NAME prints NAME.json.

A standby tells of nothing but itself, so sums and maxima over controllers are those of the leader. What takes
the least of something asks the leader alone (of_the_leader).
"""

import json
import pathlib
import sys

C = "prewarm_controller_"
WORKLOAD = '{workload_namespace="$workload_namespace",workload="$workload"}'
NODE = '{node=~"$node"}'


def total(metric, by="", where=""):
    return f"sum by ({by}) ({metric}{where})" if by else f"sum({metric}{where})"


def rate(metric, by="", where="", window="$__rate_interval"):
    return total(f"rate({metric}{where}[{window}])", by)


def increase(metric, by="", where="", window="$__range"):
    return total(f"increase({metric}{where}[{window}])", by)


def quantile(share, metric, where="", by="le", window="$__rate_interval"):
    return f"histogram_quantile({share}, {rate(metric + '_bucket', by, where, window)})"


def of_the_leader(expression):
    return f"{expression} and on (instance) {C}epoch > 0"


HITS = (rate("juicefs_blockcache_hits", "vol_name") + " / ("
        + " + ".join(rate(f"juicefs_blockcache_{what}", "vol_name") for what in ("hits", "miss")) + ")")

# Dashboard -> (title, variables, rows of panels). A panel: title, unit, expressions, kind.
DASHBOARDS = {
    "prewarm": ("Prewarm", (), [
        ("Fleet", [
            ("Agents connected", "short", [total(C + "agents_connected")], "stat"),
            ("Epoch of the leader", "short", [f"max({C}epoch)"], "stat"),
            ("Prewarms not ended", "short", [total(C + "prewarms", "state")], "timeseries"),
            ("Ended, by how", "short", [increase(C + "prewarms_ended_total", "state")], "stat"),
            ("Tasks by state", "short", [total(C + "tasks", "state")], "timeseries"),
            ("Bytes still to fetch", "bytes", [total(C + "queue_bytes", "volume")], "timeseries"),
            ("Metadata reachable", "short", [f"max by (volume) ({C}volume_reachable)"], "stat"),
            ("Metadata reads", "reqps", [rate(C + "metadata_reads_total", "volume")], "timeseries"),
            ("Resolving paths, 99th percentile", "s", [quantile(0.99, C + "plan_duration_seconds")], "timeseries"),
            ("A round of the reconciler, 99th percentile", "s",
             [quantile(0.99, C + "reconcile_duration_seconds")], "timeseries"),
            ("Memory of the controllers", "bytes",
             ['max by (instance) (process_resident_memory_bytes{job="prewarm-controller"})'], "timeseries"),
            ("Processors of the controllers", "short",
             ['sum by (instance) (rate(process_cpu_seconds_total{job="prewarm-controller"}[$__rate_interval]))'],
             "timeseries"),
        ]),
        ("Deadlines and budgets", [
            ("Least slack to a deadline", "s",
             [f"min({of_the_leader(C + 'deadline_slack_seconds')})"], "stat"),
            ("Prewarms that will be late", "short", [total(C + "prewarms_late")], "stat"),
            ("From stores, all nodes, and what they may take together (0: no limit)", "Bps",
             [total(C + "node_fetch_bytes_per_second"), f"max({C}origin_limit_bytes_per_second)"], "timeseries"),
        ]),
    ]),
    "prewarm-platform": ("Prewarm: the platform", (), [
        ("Warm ahead of demand", [
            ("Pods that found their node warm", "percentunit",
             [increase(C + "pods_bound_total", where='{arrival="warm"}') + " / " + increase(C + "pods_bound_total")],
             "stat"),
            ("How pods found their node", "short", [increase(C + "pods_bound_total", "arrival")], "stat"),
            ("Lead that 95 % and half of the pods had", "s",
             [quantile(share, C + "warm_lead_seconds", '{until="bound"}', window="$__range")
              for share in (0.05, 0.5)], "stat"),
            ("Nodes chosen, by whether they are warm before their pod", "short",
             [total(C + "targets", "state")], "timeseries"),
            ("Nodes chosen, by the signal that chose them", "short", [total(C + "targets", "signal")], "timeseries"),
            ("From the decision until warm and until started, 95th percentile", "s",
             [quantile(0.95, C + "cold_start_seconds", '{stage=~"warm|started"}', "le, stage", "$__range")],
             "stat"),
        ]),
        ("Models", [
            ("Workloads by state", "short", [total(C + "workloads", "state")], "timeseries"),
            ("Signals in force", "short", [total(C + "signals", "signal")], "timeseries"),
            ("Models that somebody has to act on", "short", [total(C + "unresolved_models", "reason")], "stat"),
            ("State of each workload (of those that changed last)", "short",
             [total(C + "workload_state", "workload_namespace, workload_kind, workload, state")], "table"),
            ("Nodes of each workload", "short",
             [total(C + "workload_targets", "workload_namespace, workload, state")], "table"),
            ("Which volumes are warm where: prewarms visible", "short",
             [total(C + "node_visible_prewarms", "node, volume")], "table"),
            ("Bytes visible, and planned", "bytes",
             [total(C + "node_visible_bytes", "volume"), total(C + "node_planned_bytes", "volume")], "timeseries"),
            ("Bytes of single workloads visible, of what is planned", "percentunit",
             [total(C + "workload_visible_bytes", "workload_namespace, workload") + " / "
              + total(C + "workload_planned_bytes", "workload_namespace, workload")], "bargauge"),
            ("Workloads that want more nodes than can take them", "short",
             [total(C + "workloads_short_of_nodes")], "stat"),
        ]),
        ("Cluster", [
            ("A look of the operator, 99th percentile", "s",
             [quantile(0.99, C + "operator_round_seconds")], "timeseries"),
            ("Looks", "ops", [rate(C + "operator_round_seconds_count")], "timeseries"),
            ("Since the lease was renewed", "s", [f"max({C}lease_age_seconds)"], "timeseries"),
            ("Requests to the API, by verb", "reqps", [rate(C + "kube_requests_total", "verb")], "timeseries"),
            ("Requests by resource", "reqps", [rate(C + "kube_requests_total", "resource")], "timeseries"),
            ("Requests by code", "reqps", [rate(C + "kube_requests_total", "code")], "timeseries"),
            ("Until an answer, 99th percentile", "s",
             [quantile(0.99, C + "kube_request_seconds", by="le, verb")], "timeseries"),
            ("Status writes", "reqps",
             [rate(C + "kube_requests_total", "resource, code", '{resource=~".+/status"}')], "timeseries"),
            ("Events, by what became of them", "ops", [rate(C + "kube_events_total", "outcome")], "timeseries"),
            ("Objects in memory", "short", [total(C + "kube_cache_objects", "resource")], "timeseries"),
            ("Changes that watches told of", "ops", [rate(C + "kube_changes_total", "resource")], "timeseries"),
            ("Watches open", "short", [total(C + "kube_watches_open", "resource")], "timeseries"),
            ("Silence of each resource", "s", [f"max by (resource) ({C}kube_silent_seconds)"], "timeseries"),
            ("Resources that cannot be read", "short",
             [total(C + "kube_cache_state", "resource", '{state=~"failing|forbidden"}') + " > 0 or vector(0)"],
             "stat"),
            ("Lists, expired versions, disorders, failures", "short",
             [increase(C + f"kube_{what}_total")
              for what in ("lists", "expired", "disorders", "cache_failures")], "stat"),
        ]),
    ]),
    "prewarm-cold-start": ("Prewarm: cold start of one workload", ("workload_namespace", "workload"), [
        ("Now", [
            ("State", "short", [total(C + "workload_state", "state", WORKLOAD)], "stat"),
            ("Bytes visible, of what is planned", "percentunit",
             [total(C + "workload_visible_bytes", where=WORKLOAD) + " / "
              + total(C + "workload_planned_bytes", where=WORKLOAD)], "gauge"),
            ("Nodes, by whether they are warm before their pod", "short",
             [total(C + "workload_targets", "state", WORKLOAD)], "timeseries"),
        ]),
        ("From the decision to warm a node", [
            ("The pod that was bound last: its node was warm after …, it was bound and started after …", "s",
             [f"max by (stage) ({C}workload_cold_start_seconds{WORKLOAD})"], "bargauge"),
            ("The same over time", "s",
             [f"max by (stage) ({C}workload_cold_start_seconds{WORKLOAD})"], "timeseries"),
            ("Lead of the pod that was bound last (negative: too late)", "s",
             [f"min by (until) ({C}workload_warm_lead_seconds{WORKLOAD})"], "timeseries"),
            ("Least lead of the pods that are there", "s",
             [f"min({C}workload_least_lead_seconds{WORKLOAD})"], "stat"),
        ]),
        ("What was late, and why", [
            ("How pods found their node", "short",
             [increase(C + "workload_pods_bound_total", "arrival", WORKLOAD)], "stat"),
            ("Pods that found it cold, by why", "short",
             [increase(C + "workload_pods_bound_total", "arrival",
                       WORKLOAD[:-1] + ',arrival!="warm"}', "$__rate_interval")], "timeseries"),
            ("Nodes with a pod that are not warm yet", "short",
             [total(C + "workload_targets", where=WORKLOAD[:-1] + ',state="late"}')], "stat"),
            ("Bytes on the way, all volumes", "bytes", [total(C + "queue_bytes", "volume")], "timeseries"),
            ("From stores, all nodes", "Bps", [total(C + "node_fetch_bytes_per_second")], "timeseries"),
            ("Prewarms that will be late", "short", [total(C + "prewarms_late")], "stat"),
        ]),
    ]),
    "prewarm-nodes": ("Prewarm: nodes", ("node",), [
        ("As the controller sees them", [
            ("Connected", "short", [f"max by (node) ({C}node_connected{NODE})"], "stat"),
            ("Cache directories, by class of disk", "short",
             [total(C + "node_directories", "node, disk", NODE)], "table"),
            ("When clients see what is stored", "short",
             [total(C + "node_volumes", "node, volume, adoption", NODE)], "table"),
            ("May still be written", "bytes", [total(C + "node_available_bytes", "node", NODE)], "timeseries"),
            ("Room in use", "percentunit",
             ["1 - " + total(C + "node_available_bytes", "node", NODE) + " / "
              + total(C + "node_capacity_bytes", "node", NODE)], "bargauge"),
            ("Visible, by volume", "bytes",
             [total(C + "node_visible_bytes", "node, volume", NODE)], "timeseries"),
            ("Planned, by volume", "bytes",
             [total(C + "node_planned_bytes", "node, volume", NODE)], "timeseries"),
            ("From stores", "Bps",
             [total(C + "node_fetch_bytes_per_second", "node", NODE)], "timeseries"),
            ("What a node may take (0: no limit)", "Bps",
             [total(C + "node_fetch_limit_bytes_per_second", "node", NODE)], "stat"),
            ("Bytes from stores", "bytes", [increase(C + "node_origin_bytes_total", "node", NODE)], "stat"),
        ]),
        ("As their agents say", [
            ("Disks as measured: writing, reading", "Bps",
             [f"max by (instance) (prewarm_agent_disk_{way}_bytes_per_second)" for way in ("write", "read")],
             "table"),
            ("Blocks: fetched, there before", "ops",
             [rate(f"prewarm_agent_blocks_{what}_total") for what in ("fetched", "present")], "timeseries"),
            ("Attempts that went wrong, by reason", "ops",
             [rate("prewarm_agent_errors_total", "reason") + " or vector(0)"], "timeseries"),
            ("Requests to stores, and those that repeated one", "reqps",
             [rate("prewarm_agent_requests_total"), rate("prewarm_agent_retries_total")], "timeseries"),
            ("Tasks held, by state", "short", [total("prewarm_agent_tasks", "state")], "timeseries"),
            ("Memory", "bytes",
             ['max by (instance) (process_resident_memory_bytes{job="prewarm-agent"})'], "timeseries"),
        ]),
        # Mounts tell it on their own port; the guide says how to scrape them.
        ("As JuiceFS clients say", [
            ("Blocks found in the cache", "percentunit", [HITS], "timeseries"),
            ("Bytes read from the cache, from the bucket", "Bps",
             [rate(f"juicefs_blockcache_{what}_bytes", "vol_name") for what in ("hit", "miss")], "timeseries"),
            ("Cached by clients", "bytes", [total("juicefs_blockcache_bytes", "instance, vol_name")], "timeseries"),
        ]),
    ]),
}

VARIABLES = {
    "node": (f"label_values({C}node_connected, node)", True),
    "workload_namespace": (f"label_values({C}workload_state, workload_namespace)", False),
    "workload": (f'label_values({C}workload_state{{workload_namespace="$workload_namespace"}}, workload)', False),
}


def panel(number, title, unit, expressions, kind, x, y):
    instant = {"instant": True, "range": False, "format": "table"} if kind == "table" else {}
    made = {
        "id": number, "title": title, "type": kind,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"x": x, "y": y, "w": 8, "h": 7},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [{"refId": chr(ord("A") + index), "expr": expression, "legendFormat": "__auto"} | instant
                    for index, expression in enumerate(expressions)],
    }
    if kind == "table":
        made["transformations"] = [{"id": "merge", "options": {}},
                                   {"id": "organize", "options": {"excludeByName": {"Time": True}}}]
    return made


def variable(name):
    query, many = VARIABLES[name]
    made = {"name": name, "type": "query", "query": query, "refresh": 2, "sort": 1,
            "datasource": {"type": "prometheus", "uid": "${datasource}"}}
    if many:
        made |= {"multi": True, "includeAll": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"}}
    return made


def panels_of(rows):
    panels, y = [], 0
    for title, row in rows:
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        y += 1
        for index, (name, unit, expressions, kind) in enumerate(row):
            panels.append(panel(len(panels) + 1, name, unit, expressions, kind, index % 3 * 8, y + index // 3 * 7))
        y += (len(row) + 2) // 3 * 7
    return panels


def dashboard(name):
    title, variables, rows = DASHBOARDS[name]
    return {
        "uid": name, "title": title, "tags": ["prewarm"], "schemaVersion": 39, "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        # From each of them to the others.
        "links": [{"title": "Prewarm", "type": "dashboards", "tags": ["prewarm"], "asDropdown": True,
                   "includeVars": True, "keepTime": True}],
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]
                       + [variable(one) for one in variables]},
        "panels": panels_of(rows),
    }


def text(name):
    return json.dumps(dashboard(name), indent=1) + "\n"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(text(sys.argv[1]), end="")
    else:
        for each in DASHBOARDS:
            (pathlib.Path(__file__).parent / f"{each}.json").write_text(text(each))
