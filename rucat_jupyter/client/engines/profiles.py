"""The profiles of the gateway: a table of all, and every value of one with its source."""

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
    """One profile: a mapping of REST's fields, shown as a table of every value and where it comes from.

    Parameters
    ----------
    view : mapping
        The profile as REST shows it. Use :func:`rucat_jupyter.profiles` to get profiles.

    Examples
    --------
    >>> rucat_jupyter.profiles()["local"]["platform"]
    'local'
    """

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
    """A mapping of names to profiles, with limits and errors of the files; shown as a table.

    Parameters
    ----------
    answer : mapping
        The answer of REST. Use :func:`rucat_jupyter.profiles` to get profiles.

    Attributes
    ----------
    default : str
        The name of the default profile.
    errors : list of str
        What is wrong in the profile files.
    limits : list of dict
        The limits, each with ``name``, ``value`` and ``source``.

    Examples
    --------
    >>> "local" in rucat_jupyter.profiles()
    True
    """

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
        """Get a profile, or an error that says what is wrong with it, or which profiles there are.

        Parameters
        ----------
        name : str
            The name of the profile.

        Returns
        -------
        Profile
            The profile, shown as a table of every value and where it comes from.

        Raises
        ------
        InvalidRequest
            There is no profile of that name, or it has an error.

        Examples
        --------
        >>> rucat_jupyter.profiles().explain("local")
        local  on this machine
        ...
        """
        if name in self._found:
            return self._found[name]
        own = [line for line in self.errors if f": profiles.{name}." in line or f": profiles.{name}:" in line]
        if own:
            raise InvalidRequest("; ".join(map(text.plain, own)))
        from ...core.field_errors import suggestion  # noqa: PLC0415 - pydantic comes with it

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
            lines += ["", "Errors in the files:", *(f"  {text.plain(line)}" for line in self.errors)]
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
    """List the profiles, the limits, and the errors of the profile files.

    Parameters
    ----------
    api : Api, optional
        The connection to the gateway. Default: that of this process.

    Returns
    -------
    Profiles
        The profiles by name; shown as a table.

    Raises
    ------
    GatewayUnavailable
        The gateway cannot be reached or started.

    Examples
    --------
    >>> rucat_jupyter.profiles().default
    'local'
    """
    return Profiles((api or default_api()).call("GET", "profiles"))


def explain_text(name: str, api: Api | None = None) -> str:
    """Every value of a profile with its source, as text; InvalidRequest if there is no such profile."""
    return repr(profiles(api).explain(name))


def values_table(values: list[dict[str, Any]]) -> str:
    """Values with their sources, as a text table."""
    return tables.table(VALUE_COLUMNS, [(text.plain(v["key"]), _shown(v["value"]), _place(v)) for v in values])


def short_path(path: str) -> str:
    """A path with ``~`` for the home folder."""
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
