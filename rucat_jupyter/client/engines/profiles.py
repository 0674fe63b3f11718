"""Profiles as the gateway knows them: a table of all, and of one every value with its place."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...core.errors import InvalidRequest
from ..api import Api
from ..words import tables, text
from .engine import default_api

COLUMNS = ("PROFILE", "WHERE", "SIZE", "FROM", "DESCRIPTION")
VALUE_COLUMNS = ("KEY", "VALUE", "FROM")
LONGEST_VALUE = 60


class Profile(Mapping[str, Any]):
    """One profile as REST shows it; shows itself as every value with its place."""

    def __init__(self, view: Mapping[str, Any]) -> None:
        self.view = dict(view)

    def __getitem__(self, key: str) -> Any:
        return self.view[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.view)

    def __len__(self) -> int:
        return len(self.view)

    def __repr__(self) -> str:
        view = self.view
        chain = view.get("chain") or []
        extends = f" · extends {' > '.join(map(text.plain, reversed(chain[:-1])))}" if len(chain) > 1 else ""
        lost = "" if view.get("available", True) else " · this gateway does not have its platform"
        head = f"{text.plain(view['name'])}  on {text.plain(view.get('where') or view['platform'])}{extends}{lost}"
        return f"{head}\n{values_table(view.get('values') or [])}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


class Profiles(Mapping[str, Profile]):
    """All profiles by name, the limits, and what is wrong in the files; shows itself as a table."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.view = dict(answer)
        self.default = str(answer["default"])
        self.errors: list[str] = list(answer.get("errors") or [])
        self.limits: list[dict[str, Any]] = list(answer.get("limits") or [])
        self._found = {view["name"]: Profile(view) for view in answer["profiles"]}

    def __getitem__(self, name: str) -> Profile:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def explain(self, name: str) -> Profile:
        """The profile of that name; InvalidRequest says what is wrong with it, or which there are."""
        if name in self._found:
            return self._found[name]
        own = [line for line in self.errors if f": profiles.{name}." in line or f": profiles.{name}:" in line]
        if own:
            raise InvalidRequest("; ".join(map(text.plain, own)))
        from ...core.field_errors import suggestion

        meant = suggestion(name, sorted(self._found))
        unread = "".join(f"; {text.plain(line)}" for line in self.errors if ": profiles." not in line)
        known = ", ".join(map(text.quoted, self._found))
        raise InvalidRequest(f"there is no profile {text.plain(name)!r}{meant}; there are {known}{unread}")

    def __repr__(self) -> str:
        lines = [tables.table(COLUMNS, [self._row(profile) for profile in self._found.values()])]
        if self.limits:
            cells = [(text.plain(v["name"]), _shown(v["value"]), short_path(v["source"])) for v in self.limits]
            lines += ["", tables.table(("LIMIT", "VALUE", "FROM"), cells)]
        if self.errors:
            lines += ["", "What is wrong in the files:", *(f"  {text.plain(line)}" for line in self.errors)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"

    def _row(self, profile: Profile) -> tuple[str, ...]:
        view = profile.view
        name = text.plain(view["name"]) + (" (default)" if view["name"] == self.default else "")
        where = text.plain(view.get("where") or view["platform"])
        where += "" if view.get("available", True) else " (not here)"
        sources = ", ".join(map(short_path, view.get("sources") or []))
        return name, where, text.plain(view.get("size") or "default"), sources, text.plain(view["description"], 70)


def profiles(api: Api | None = None) -> Profiles:
    """All profiles: by name, with limits and what is wrong in the files."""
    return Profiles((api or default_api()).call("GET", "profiles"))


def explain_text(name: str, api: Api | None = None) -> str:
    """Every value of a profile with its place, as text; InvalidRequest where there is none of that name."""
    return repr(profiles(api).explain(name))


def values_table(values: list[dict[str, Any]]) -> str:
    """Values with their places, as text."""
    return tables.table(VALUE_COLUMNS, [(text.plain(v["key"]), _shown(v["value"]), _place(v)) for v in values])


def short_path(path: str) -> str:
    """A path with ``~`` for the home."""
    home = str(Path.home())
    shown = text.plain(path)
    return f"~{shown[len(home) :]}" if home != "/" and shown.startswith(f"{home}/") else shown


def _place(value: Mapping[str, Any]) -> str:
    place = short_path(value["source"])
    place += f" (profile {text.plain(value['profile'])})" if value.get("profile") else ""
    return " · ".join(filter(None, [place, text.plain(value.get("note") or "", 120)]))


def _shown(value: object) -> str:
    if isinstance(value, list):
        return text.plain(", ".join(map(str, value)), LONGEST_VALUE) or "none"
    return text.plain(str(value).lower() if isinstance(value, bool) else value, LONGEST_VALUE)
