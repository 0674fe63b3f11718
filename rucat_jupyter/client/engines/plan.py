"""What a create would create and start, as the gateway plans it; nothing is created."""

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
    """What :func:`rucat_jupyter.create` would create and start; shown as text.

    Every field of REST's answer (``name``, ``platform``, ``spec``, ``values``, ``conf``, …) is an attribute.

    Parameters
    ----------
    view : dict
        The answer of REST to a create with ``dry_run``. Use :func:`rucat_jupyter.plan` to get a plan.
    asked : mapping
        The fields of the create.

    Attributes
    ----------
    view : dict
        The answer of REST.
    exists : dict or None
        The engine of that name, if you have one.
    not_applied : list of str
        Settings that were asked for and that the existing engine has otherwise.

    Examples
    --------
    >>> plan = rucat_jupyter.plan("etl", driver_memory="2g")
    >>> plan.not_applied
    ['driver.memory 2g (it has 1g)']
    """

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
        """Every Spark conf that would be in effect, as strings.

        Examples
        --------
        >>> rucat_jupyter.plan("nightly").conf_in_effect["spark.driver.memory"]
        '1024m'
        """
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
            "Deleting": "is being deleted: create would wait, and create a new one",
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
    """Show what ``create`` would do with the same arguments; nothing is created, started or stored.

    Parameters
    ----------
    name : str, optional
        The name of the engine. Default: as in :func:`rucat_jupyter.create`.
    profile : str, optional
        The profile to start from: a named template in ``rucat.toml``. Default: the default profile.
    conf : mapping of str to str, optional
        Spark conf, over that of the profile.
    executors : int or mapping, optional
        The number of executors, or their settings (``{"instances": 2, "cores": 4, "memory": "8g"}``).
    driver_memory : str, optional
        The heap of the driver, in Spark's form ("4g").
    **spec
        Any other field of the spec (``driver={"cores": 2}``, ``env={…}``, ``idle_timeout_s=600``), or ``platform``.

    Returns
    -------
    Plan
        Every value and where it comes from, and whether it fits; shown as text.

    Raises
    ------
    GatewayUnavailable
        The gateway cannot be reached or started.
    InvalidRequest
        A setting is wrong; the message lists each of them.

    Examples
    --------
    >>> rucat_jupyter.plan("nightly", driver_memory="2g")
    nightly would be created on this machine · Spark ... · driver ... 2 GB · profile local
    ...
    """
    return planned(name, request(profile, conf, executors, driver_memory, spec))


def planned(name: str | None, asked: Mapping[str, Any], api: Api | None = None) -> Plan:
    """Return the plan of a create with these fields."""
    api = api or default_api()
    view = api.call("POST", "engines", json=body_of(name, asked, api), params={"dry_run": "true"})
    return Plan(view, asked)


def _blueprint(found: Mapping[str, Any]) -> list[str]:
    """What would be created where, and whether there is room for it."""
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
    """A value, with ``this process`` as its source if the user did not type it: Python, folder, cloud variables."""
    part: Any = asked
    for key in value["key"].split(".", 1):
        part = part.get(key) if isinstance(part, Mapping) else None
    return {**value, "source": "this process"} if value["source"] == "given" and part is None else value


def _gb(mb: int) -> str:
    return f"{mb / 1024:.1f} GB"
