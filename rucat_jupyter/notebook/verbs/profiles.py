"""``%rucat profiles``, ``plan`` and ``save``: templates for engines, a dry run of create, and saved settings."""

from __future__ import annotations

import argparse
from typing import Any

from ...client.engines import saved
from ...client.engines.plan import planned
from ...client.engines.profiles import profiles, short_path
from ...client.engines.settings import from_flags, request
from ...client.words import text
from ...client.words.phase import say
from ...verbs.parser import BadUsage
from ..line.context import Context


def _profiles(context: Context, asked: argparse.Namespace) -> Any:
    """Show all profiles, or every value of one."""
    del context
    found = profiles()
    if asked.name is not None:
        profile = found.explain(asked.name)
        say(repr(profile))
        return profile
    say("\n\n".join(map(repr, found.values())) if asked.explain else repr(found))
    return found


def _plan(context: Context, asked: argparse.Namespace) -> Any:
    """Show what create would do, without doing it."""
    del context
    wanted = request(asked.profile, dict(asked.conf), asked.executors, asked.driver_memory, from_flags(**vars(asked)))
    found = planned(asked.name, wanted)
    say(repr(found))
    return found


def _save(context: Context, asked: argparse.Namespace) -> Any:
    """Save the settings of an engine in the notebook, or as a profile."""
    engine = context.engine(asked.name)
    if engine.platform == "external":
        raise BadUsage("save: an external engine has no settings. To attach it: %rucat attach sc://host:port")
    found = saved.settings_of(engine.view)
    left = (
        f"  Not saved, because they are secret: {', '.join(map(text.plain, found.secrets))}." if found.secrets else ""
    )
    if asked.as_profile:
        file = saved.write_profile(found, asked.as_profile)
        seen = asked.as_profile in profiles()
        lost = "" if seen else " The gateway does not read that file: it was started with another configuration."
        how = f"Use it: %rucat create --profile {text.quoted(asked.as_profile)}"
        say(f"Profile {text.plain(asked.as_profile)} is in {short_path(str(file))}.{lost}  {how}{left}")
        return found
    where = "in this cell's output; save the notebook to keep them"
    again = "Create it again: %rucat create"
    saved.show(found, f"Settings of {text.plain(engine.name)} are {where}.  {again}{left}")
    if asked.cell:
        saved.write_cell(found)
    return found


RUNS = {"profiles": _profiles, "plan": _plan, "save": _save}
