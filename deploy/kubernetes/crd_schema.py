"""What crds.py says its definitions with: the types of fields, each with a bound, and YAML without a library."""

import json
import re


def text(description="", longest=253, **more):
    return {"type": "string", **said(description), "maxLength": longest, **more}


def choice(values, description="", **more):
    return {"type": "string", **said(description), "enum": values, **more}


def count(description="", **more):
    return {"type": "integer", "format": "int64", **said(description), "minimum": 0, **more}


def number(description="", **more):
    return {"type": "integer", "format": "int32", **said(description), "minimum": 0, **more}


def flag(description="", **more):
    return {"type": "boolean", **said(description), **more}


def time(description=""):
    return {"type": "string", "format": "date-time", **said(description)}


def duration(description="", **more):
    return text(description, 32, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$", **more)


def listed(items, most, description="", **more):
    return {"type": "array", **said(description), "maxItems": most, **more, "items": items}


def keyed(keys, properties, most, description="", required=()):
    """A list whose entries have a name, so that each is written, merged and owned by itself."""
    return listed(record(properties, required=[*keys, *required]), most, description,
                  **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys})


def unique(items, most, description=""):
    return listed(items, most, description, **{"x-kubernetes-list-type": "set"})


def labels(description, longest=63):
    return {"type": "object", "description": description, "maxProperties": 64,
            "additionalProperties": {"type": "string", "maxLength": longest}}


def record(properties, description="", *, required=(), rules=(), **more):
    return {"type": "object", **said(description), **({"required": list(required)} if required else {}),
            **({"x-kubernetes-validations": list(rules)} if rules else {}), **more, "properties": properties}


def said(description):
    return {"description": description} if description else {}


def rule(expression, message, field=""):
    return {"rule": expression, "message": message, **({"fieldPath": field} if field else {})}


def unchangeable(field):
    """A rule of the object that holds `field`, which may be absent."""
    return rule(f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})",
                "cannot be changed: make another one", f".{field}")


def column(name, kind, path, description="", wide=False):
    return {"name": name, "type": kind, "jsonPath": path, **said(description), **({"priority": 1} if wide else {})}


def condition(kind, field):
    """The path of a column that shows a condition."""
    return f'.status.conditions[?(@.type=="{kind}")].{field}'


# ---- YAML -----------------------------------------------------------------------------------------------------


PLAIN = re.compile(r"[A-Za-z.][A-Za-z0-9_./-]*$")
NOT_TEXT = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", ".inf", ".nan"}


def scalar(value):
    if isinstance(value, str) and PLAIN.match(value) and value.lower() not in NOT_TEXT:
        return value
    return json.dumps(value, ensure_ascii=False)


def lines(value, indent=""):
    """Block style; empty maps and lists in flow style."""
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, (dict, list)) and item:
                yield f"{indent}{scalar(key)}:"
                yield from lines(item, indent + "  ")
            else:
                yield f"{indent}{scalar(key)}: {scalar(item)}"
    else:
        for item in value:
            if isinstance(item, (dict, list)) and item:
                first, *rest = lines(item, indent + "  ")
                yield f"{indent}- {first.lstrip()}"
                yield from rest
            else:
                yield f"{indent}- {scalar(item)}"
