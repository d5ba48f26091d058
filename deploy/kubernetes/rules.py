#!/usr/bin/env python3
"""Prints the alerts of deploy/prometheus/alerts.yaml as the object that the Prometheus Operator reads.
Usage: deploy/kubernetes/rules.py > deploy/kubernetes/components/prometheus-operator/rules.yaml
"""

import pathlib

HEAD = """\
# Written by deploy/kubernetes/rules.py from deploy/prometheus/alerts.yaml: change it there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: prewarm
  namespace: prewarm-system
  labels: {app.kubernetes.io/part-of: prewarm}
spec:
"""

if __name__ == "__main__":
    alerts = pathlib.Path(__file__).resolve().parents[1] / "prometheus" / "alerts.yaml"
    lines = [f"  {line}" if line else "" for line in alerts.read_text().splitlines()]
    print(HEAD + "\n".join(lines))
