"""What a create would make and start, asked of the gateway and shown; nothing is made."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from ..api import Api, View
from ..words import text
from .create import body_of
from .engine import default_api
from .profiles import values_table
from .settings import differences, remedy, request


class Plan:
    """A plan; ``view`` is what REST answers, ``not_applied`` what an engine of that name has otherwise."""

    def __init__(self, view: dict[str, Any], asked: Mapping[str, Any]) -> None:
        self.view = {**view, "values": [_sent_by(value, asked) for value in view["values"]]}
        self.exists: View | None = view["exists"]
        self.not_applied = differences(asked, self.exists) if self.exists else []
        self._remedy = remedy(asked, self.exists) if self.exists and self.not_applied else ""

    def __getattr__(self, name: str) -> Any:
        view = self.__dict__.get("view", {})
        if name in view:
            return view[name]
        raise AttributeError(f"a plan has no {name!r}")

    @property
    def conf_in_effect(self) -> dict[str, str]:
        """Every Spark conf that would be in effect."""
        return {value["key"]: value["value"] for value in self.view["conf"]}

    def __repr__(self) -> str:
        view = self.view
        parts = [self._head(), *self._outline()]
        parts += [f"  Warning: {text.plain(warning)}" for warning in view["warnings"]]
        if not self.exists:
            parts += ["", values_table(view["values"])] if view["values"] else []
            parts += ["", "Spark conf in effect:", values_table(view["conf"])] if view["conf"] else []
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"

    def _head(self) -> str:
        view, exists = self.view, self.exists
        name = text.plain(view["name"])
        if exists is None:
            what = {"driver": {}, "executors": {}, **view["spec"]}
            shown = {**view, "spec": what, "status": "Pending", "endpoint": None}
            head = f"{name} would be created on {text.where(shown)}"
            spark = f"Spark {text.plain(view['spark_version'])}" if view["spark_version"] else ""
            profile = f"profile {text.plain(view['profile'])}" if view["profile"] else ""
            return " · ".join(filter(None, [head, spark, text.resources(shown), profile]))
        status = exists["status"]
        does = {
            "Stopped": "would be started again with its stored settings",
            "Failed": "would be started again with its stored settings",
            "Stopping": "would be started again with its stored settings when it has stopped",
            "Deleting": "is being deleted: create would wait, and make a new one",
            "Pending": "would be found: it is starting",
        }.get(status, "would be found, and attached")
        lines = [f"{name} exists ({status}, {text.resources(exists) or text.where(exists)}): it {does}."]
        if self.not_applied:
            lines.append(f"  Not applied: {', '.join(self.not_applied)}. To apply: {self._remedy}")
        return "\n".join(lines)

    def _outline(self) -> list[str]:
        if self.exists:
            return []
        if self.view.get("blueprint"):
            return _blueprint(self.view["blueprint"])
        found = self.view["outline"]
        if found is None:
            return []
        fits = "fits" if found["needed_mb"] <= found["free_mb"] else "does not fit"
        memory = (
            f"{_gb(found['heap_mb'])} heap, {_gb(found['needed_mb'])} with what Java uses beside it; "
            f"{_gb(found['free_mb'])} of {_gb(found['total_mb'])} free: it {fits}"
        )
        rows = [
            ("Java", f"{found['java_version']}  {found['java']}"),
            ("Spark", f"{self.view['spark_version']}  {found['spark_home']}"),
            ("Python", f"{self.view['python_version']}  {found['python']}"),
            ("Folder", found["directory"]),
            ("Memory", memory),
            ("Cores", f"{found['cores']} of {found['cores_offered']}"),
            *([("Options", " ".join(found["java_options"]))] if found["java_options"] else []),
        ]
        return [f"  {name:<8}{text.plain(value)}" for name, value in rows]


def plan(
    name: str | None = None,
    *,
    profile: str | None = None,
    conf: Mapping[str, str] | None = None,
    executors: int | Mapping[str, Any] | None = None,
    driver_memory: str | None = None,
    **spec: Any,
) -> Plan:
    """What ``create`` with these arguments would make and start; nothing is made, started or stored.

    Raises what ``create`` raises for wrong settings.
    """
    return planned(name, request(profile, conf, executors, driver_memory, spec))


def planned(name: str | None, asked: Mapping[str, Any], api: Api | None = None) -> Plan:
    """The plan of what was asked for."""
    api = api or default_api()
    view = api.call("POST", "engines", json=body_of(name, asked, api), params={"dry_run": "true"})
    return Plan(view, asked)


def _blueprint(found: Mapping[str, Any]) -> list[str]:
    """What would be created where, and what the place has room for."""
    lines = [f"  In {text.plain(found['place'])}, {found['cores']} cores and {_gb(found['memory_mb'])} in all:"]
    for each in found["objects"]:
        count = f"{each['count']} × " if each["count"] != 1 else ""
        size = f"  {text.plain(each['size'])}" if each["size"] else ""
        lines.append(f"    {count}{text.plain(each['kind'])} {text.plain(each['name'])}{size}")
    for row in found["headroom"]:
        fits = "fits" if row["fits"] else "does not fit"
        said = f"{row['limit']}: {row['resource']} {row['asked']} asked, {row['used']} of {row['hard']} used: it {fits}"
        lines.append(f"  {text.plain(said)}")
    return [*lines, *(f"  {text.plain(line)}" for line in found["checked"])]


def _sent_by(value: dict[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """A value with this process as its place where nobody typed it: its Python, folder, variables of its clouds."""
    part: Any = asked
    for key in value["key"].split(".", 1):
        part = part.get(key) if isinstance(part, Mapping) else None
    return {**value, "source": "this process"} if value["source"] == "given" and part is None else value


def _gb(mb: int) -> str:
    return f"{mb / 1024:.1f} GB"
