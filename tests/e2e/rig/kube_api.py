"""One identity's view of a Kubernetes API server: plain HTTPS, one kept connection for each thread."""

import http.client
import json
import pathlib
import ssl
import threading
import time
import urllib.parse

import yaml

from rig.process import wait_for

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


class ApiError(Exception):
    """An answer that is not a success: its HTTP status and the Status object of Kubernetes."""

    def __init__(self, code, status):
        super().__init__(f"{code}: {status.get('message', status)}")
        self.code, self.status = code, status
        self.reason = status.get("reason", "")

    def fields(self):
        """The paths of the fields that were refused."""
        return [cause.get("field", "") for cause in self.status.get("details", {}).get("causes", [])]


def documents(source):
    """What may be applied (a dict, a list of them, YAML text, a file) as a list of objects."""
    if isinstance(source, dict):
        return source["items"] if source.get("kind") == "List" else [source]
    if isinstance(source, (list, tuple)):
        return [one for part in source for one in documents(part)]
    text = source.read_text() if isinstance(source, pathlib.Path) else source
    return [one for part in yaml.load_all(text, yaml.CSafeLoader) if part for one in documents(part)]


class KubeApi:
    def __init__(self, port, ca, token, *, seconds=30):
        self.port, self.token, self.seconds = port, token, seconds
        self.ca = ca
        self.trust = ssl.create_default_context(cafile=ca)
        self.local = threading.local()
        self.resources = {}  # "Kind" and "group/version/Kind" -> (path prefix, plural, namespaced)

    def raw(self, method, path, body=None, *, content_type="application/json", accept="application/json"):
        """Status and body. A connection that the server closed while it was idle is dialled again."""
        headers = {"Accept": accept}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            headers["Content-Type"] = content_type
        for attempt in (1, 2):
            connection = getattr(self.local, "connection", None)
            fresh = connection is None
            if fresh:
                connection = self.local.connection = http.client.HTTPSConnection(
                    "127.0.0.1", self.port, timeout=self.seconds, context=self.trust)
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (ConnectionError, http.client.HTTPException, OSError):
                connection.close()
                self.local.connection = None
                if fresh or attempt == 2:
                    raise

    def call(self, method, path, body=None, *, content_type="application/json", accept="application/json"):
        """The JSON answer; ApiError for everything but success. 429 is asked again: a definition that was changed is
        away for a moment."""
        deadline = time.monotonic() + self.seconds
        while True:
            code, text = self.raw(method, path, None if body is None else json.dumps(body),
                                  content_type=content_type, accept=accept)
            if code != 429 or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        try:
            answer = json.loads(text) if text else None
        except ValueError:
            answer = text.decode(errors="replace")
        if code >= 300:
            raise ApiError(code, answer if isinstance(answer, dict) else {"message": answer})
        return answer

    # ---- where objects are -------------------------------------------------------------------------

    def discover(self):
        found = {}
        for root in ("/api", "/apis"):
            for group in self.call("GET", root, accept=DISCOVERY)["items"]:
                name = group["metadata"].get("name", "")
                for version in group["versions"]:  # the preferred one comes first
                    api_version = f"{name}/{version['version']}" if name else version["version"]
                    for one in version.get("resources", []):
                        kind = one.get("responseKind", {}).get("kind", "")
                        place = (f"{root}/{api_version}", one["resource"], one["scope"] == "Namespaced")
                        found.setdefault(kind, place)
                        found.setdefault(f"{api_version}/{kind}", place)
        self.resources = found

    def resource(self, kind):
        """`kind` as in "Pod", or "autoscaling/v1/HorizontalPodAutoscaler" where several have the name."""
        def known():
            if kind not in self.resources:
                self.discover()
            return self.resources.get(kind)
        return wait_for(known, f"the API to serve {kind}")

    def path(self, kind, name=None, namespace="default", subresource=None):
        prefix, plural, namespaced = self.resource(kind)
        steps = [prefix]
        if namespaced and namespace:
            steps += ["namespaces", namespace]
        steps += [one for one in (plural, name and urllib.parse.quote(name, safe=""), subresource) if one]
        return "/".join(steps)

    # ---- objects -----------------------------------------------------------------------------------

    def apply(self, source, namespace="default", *, manager="test", dry_run=False, strict=True):
        """Server-side apply, one after another. The object, or a list of them if there were several."""
        query = f"?fieldManager={manager}&force=true{'&dryRun=All' if dry_run else ''}" \
                f"{'&fieldValidation=Strict' if strict else ''}"
        done = []
        for one in documents(source):
            meta = one["metadata"]
            path = self.path(f"{one['apiVersion']}/{one['kind']}", meta["name"],
                             meta.get("namespace", namespace))
            done.append(self.call("PATCH", path + query, one, content_type=APPLY))
            if one["kind"] == "CustomResourceDefinition" and not dry_run:
                self.wait_until_established(meta["name"])
        return done[0] if len(done) == 1 else done

    def wait_until_established(self, crd):
        def established():
            conditions = self.get("CustomResourceDefinition", crd).get("status", {}).get("conditions") or []
            return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
        wait_for(established, f"{crd} to be served")

    def create(self, one, namespace="default"):
        path = self.path(f"{one['apiVersion']}/{one['kind']}", None, one["metadata"].get("namespace", namespace))
        return self.call("POST", path + "?fieldValidation=Strict", one)

    def get(self, kind, name, namespace="default"):
        return self.call("GET", self.path(kind, name, namespace))

    def find(self, kind, name, namespace="default"):
        """As get, but None for what does not exist."""
        try:
            return self.get(kind, name, namespace)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list(self, kind, namespace=None, **query):
        """Of all namespaces if none is named; `query` as in labelSelector="app=x"."""
        return self.call("GET", f"{self.path(kind, None, namespace)}?{urllib.parse.urlencode(query)}")["items"]

    def patch(self, kind, name, change, namespace="default", *, subresource=None):
        return self.call("PATCH", self.path(kind, name, namespace, subresource), change, content_type=MERGE)

    def patch_status(self, kind, name, status, namespace="default"):
        return self.patch(kind, name, {"status": status}, namespace, subresource="status")

    def delete(self, kind, name, namespace="default"):
        return self.call("DELETE", self.path(kind, name, namespace))

    def watch(self, kind, namespace=None, *, seconds=600):
        """What changes from now on, as pairs of a word (ADDED, MODIFIED, DELETED) and the object; what is there comes
        first, as ADDED. Ends with the server, or when the connection breaks."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=seconds, context=self.trust)
        try:
            connection.request("GET", f"{self.path(kind, None, namespace)}?watch=1&timeoutSeconds={seconds}",
                               headers={"Accept": "application/json", "Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            while line := answer.readline():
                event = json.loads(line)
                yield event["type"], event["object"]
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()
