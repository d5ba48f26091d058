#!/usr/bin/env python3
"""Prints the Grafana dashboard `prewarm.json` from the short list below, so that every panel's expression is
one line to review. Usage: deploy/grafana/dashboard.py > deploy/grafana/prewarm.json
"""

import json

ROWS = [
    ("Fleet", [
        ("Agents connected", "short", ["sum(prewarm_controller_agents_connected)"], "stat"),
        ("Epoch of the leader", "short", ["max(prewarm_controller_epoch)"], "stat"),
        ("Prewarms not ended", "short", ["sum by (state) (prewarm_controller_prewarms)"], "timeseries"),
        ("Ended, by how", "short",
         ["sum by (state) (increase(prewarm_controller_prewarms_ended_total[$__range]))"], "stat"),
        ("Least slack to a deadline", "s", ["min(prewarm_controller_deadline_slack_seconds)"], "stat"),
        ("Bytes still to fetch", "bytes", ["sum by (volume) (prewarm_controller_queue_bytes)"], "timeseries"),
        ("From stores, all nodes", "Bps", ["sum(prewarm_controller_node_fetch_bytes_per_second)"], "timeseries"),
        ("Tasks by state", "short", ["sum by (state) (prewarm_controller_tasks)"], "timeseries"),
        ("Metadata reachable", "short", ["min by (volume) (prewarm_controller_volume_reachable)"], "stat"),
        ("Metadata reads", "reqps", ["sum by (volume) (rate(prewarm_controller_metadata_reads_total[1m]))"],
         "timeseries"),
        ("Resolving paths, 99th percentile", "s",
         ["histogram_quantile(0.99, sum by (le) (rate(prewarm_controller_plan_duration_seconds_bucket[5m])))"],
         "timeseries"),
        ("A round of the reconciler, 99th percentile", "s",
         ["histogram_quantile(0.99, "
          "sum by (le) (rate(prewarm_controller_reconcile_duration_seconds_bucket[5m])))"], "timeseries"),
        ("Memory of the controller", "bytes",
         ["max(process_resident_memory_bytes{job=\"prewarm-controller\"})"], "timeseries"),
    ]),
    ("Node", [
        ("Connected", "short", ["max by (node) (prewarm_controller_node_connected{node=~\"$node\"})"], "stat"),
        ("From stores", "Bps",
         ["sum by (node) (prewarm_controller_node_fetch_bytes_per_second{node=~\"$node\"})"], "timeseries"),
        ("Bytes from stores", "bytes",
         ["sum by (node) (increase(prewarm_controller_node_origin_bytes_total{node=~\"$node\"}[$__range]))"],
         "timeseries"),
        ("May still be written", "bytes",
         ["sum by (node) (prewarm_controller_node_available_bytes{node=~\"$node\"})"], "timeseries"),
    ]),
]


def panel(number, title, unit, expressions, kind, x, y):
    return {
        "id": number, "title": title, "type": kind,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"x": x, "y": y, "w": 8, "h": 7},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [{"refId": chr(ord("A") + index), "expr": expression, "legendFormat": "__auto"}
                    for index, expression in enumerate(expressions)],
    }


def variable(name, query):
    return {"name": name, "type": "query", "query": query, "refresh": 2, "multi": True, "includeAll": True,
            "allValue": ".*", "current": {"text": "All", "value": "$__all"},
            "datasource": {"type": "prometheus", "uid": "${datasource}"}}


def dashboard():
    panels, y = [], 0
    for title, row in ROWS:
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        y += 1
        for index, (name, unit, expressions, kind) in enumerate(row):
            panels.append(panel(len(panels) + 1, name, unit, expressions, kind, index % 3 * 8, y + index // 3 * 7))
        y += (len(row) + 2) // 3 * 7
    return {
        "uid": "prewarm", "title": "Prewarm", "tags": ["prewarm"], "schemaVersion": 38, "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [
            {"name": "datasource", "type": "datasource", "query": "prometheus"},
            variable("node", "label_values(prewarm_controller_node_connected, node)"),
        ]},
        "panels": panels,
    }


print(json.dumps(dashboard(), indent=1))
