"""Which rights roles grant and which rights were used: by comparing both, a test sees a right that is missing and a
right that nobody needs."""

from typing import NamedTuple


class Right(NamedTuple):
    verb: str
    group: str
    resource: str  # with its subresource: "prewarms/status"
    namespace: str = ""  # where it was granted alone; empty: everywhere
    name: str = ""  # for which object alone; empty: for all

    def covers(self, used):
        return ((self.verb, self.group, self.resource) == (used.verb, used.group, used.resource)
                and self.namespace in ("", used.namespace) and self.name in ("", used.name))


def granted(objects, account, namespace):
    """By the roles among these manifests that are bound to the service account."""
    roles = {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one["rules"]
             for one in objects if one["kind"] in ("Role", "ClusterRole")}
    found = set()
    for binding in (one for one in objects if one["kind"] in ("RoleBinding", "ClusterRoleBinding")):
        subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
        if subject not in binding["subjects"]:
            continue
        where = binding["metadata"].get("namespace", "")
        role = binding["roleRef"]
        rules = roles[role["kind"], where if role["kind"] == "Role" else "", role["name"]]
        for rule in rules:
            found |= {Right(verb, group, resource, where, name) for verb in rule["verbs"]
                      for group in rule.get("apiGroups", []) for resource in rule.get("resources", [])
                      for name in rule.get("resourceNames", [""])}
    return found


def used(events):
    """By the requests of an audit log that were about objects, also those that were refused."""
    found = set()
    for event in events:
        about = event.get("objectRef")
        if about and about.get("resource"):
            resource = "/".join(one for one in (about["resource"], about.get("subresource")) if one)
            # Who makes an object by applying it needs both rights.
            made = event["verb"] == "patch" and event.get("responseStatus", {}).get("code") == 201
            for verb in {event["verb"], "create" if made else event["verb"]}:
                found.add(Right(verb, about.get("apiGroup", ""), resource, about.get("namespace", ""),
                                about.get("name", "")))
    return found


def missing(granted_rights, used_rights):
    return {one for one in used_rights if not any(right.covers(one) for right in granted_rights)}


def unused(granted_rights, used_rights):
    return {right for right in granted_rights if not any(right.covers(one) for one in used_rights)}
