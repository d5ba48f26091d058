"""The API by which a HorizontalPodAutoscaler learns of its pods' metrics, with the values that a test sets. The real
kube-controller-manager does the rest: it scales, and writes the status that others read."""

import datetime
import http.server
import json
import ssl
import threading
import urllib.parse

GROUP, VERSION = "custom.metrics.k8s.io", "v1beta2"
API = f"/apis/{GROUP}/{VERSION}"


class MetricsApi:
    def __init__(self, cluster, metrics=("http_request",)):
        self.cluster, self.metrics = cluster, metrics
        self.values = {}  # (namespace, metric) -> the value of each pod
        certificate, key = cluster.authority.issue("metrics", "DNS:localhost")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.register(self.server.server_address[1])

    def register(self, port):
        """The API server passes on what is asked of this group; a Service that is but a name leads here."""
        self.cluster.apply([
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "test-metrics", "namespace": "kube-system"},
             "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}},
            {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
             "metadata": {"name": f"{VERSION}.{GROUP}"},
             "spec": {"group": GROUP, "version": VERSION, "groupPriorityMinimum": 100, "versionPriority": 100,
                      "insecureSkipTLSVerify": True,
                      "service": {"name": "test-metrics", "namespace": "kube-system", "port": port}}}])

    def set(self, value, *, namespace="default", metric="http_request"):
        """What each pod of the namespace has from now on; a quantity."""
        self.values[namespace, metric] = str(value)

    def close(self):
        self.cluster.delete("APIService", f"{VERSION}.{GROUP}")
        self.server.shutdown()
        self.server.server_close()

    # ---- answers -----------------------------------------------------------------------------------

    def handler(self):
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                answer = api.answer(self.path)
                body = json.dumps(answer or {"kind": "Status", "apiVersion": "v1", "status": "Failure",
                                             "reason": "NotFound", "code": 404}).encode()
                self.send_response(200 if answer else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler

    def answer(self, path):
        url = urllib.parse.urlsplit(path)
        if url.path == API:
            return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/{VERSION}", "resources": [
                {"name": f"pods/{metric}", "singularName": "", "namespaced": True, "kind": "MetricValueList",
                 "verbs": ["get"]} for metric in self.metrics]}
        steps = url.path.removeprefix(API).strip("/").split("/")  # namespaces/NAMESPACE/pods/*/METRIC
        if len(steps) != 5 or (steps[1], steps[4]) not in self.values:
            return None
        _, namespace, _, _, metric = steps
        selector = urllib.parse.parse_qs(url.query).get("labelSelector", [""])[0]
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        pods = self.cluster.list("Pod", namespace, labelSelector=selector)
        return {"kind": "MetricValueList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": [
            {"describedObject": {"kind": "Pod", "namespace": namespace, "name": pod["metadata"]["name"],
                                 "apiVersion": "v1"},
             "metric": {"name": metric}, "timestamp": now, "value": self.values[namespace, metric]} for pod in pods]}
