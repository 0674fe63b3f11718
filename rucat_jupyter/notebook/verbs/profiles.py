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
from ..line import flags
from ..line.context import Context
from ..line.flags import Verb, completed_by
from ..line.usage import BadUsage


def _profiles_flags(parser: flags.Parser) -> None:
    completed_by(
        parser.add_argument("name", nargs="?", metavar="NAME", help="only this one, with every value and its file"),
        "profiles",
    )
    parser.add_argument("--explain", action="store_true", help="show every value with the file that it comes from")


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


def _plan_flags(parser: flags.Parser) -> None:
    flags.name(parser, "as for create")
    flags.settings(parser)


def _plan(context: Context, asked: argparse.Namespace) -> Any:
    """Show what create would do, without doing it."""
    del context
    wanted = request(asked.profile, dict(asked.conf), asked.executors, asked.driver_memory, from_flags(**vars(asked)))
    found = planned(asked.name, wanted)
    say(repr(found))
    return found


def _save_flags(parser: flags.Parser) -> None:
    flags.name(parser)
    parser.add_argument(
        "--cell", action="store_true", help="also write the line that creates the engine into a new cell below"
    )
    parser.add_argument(
        "--as-profile", metavar="P", help="write profile P to your rucat.toml instead of to the notebook"
    )


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


VERBS = (
    Verb(
        "profiles",
        "show the templates for engines, and where each value comes from",
        _profiles,
        _profiles_flags,
        examples=(("%rucat profiles k8s-small", "every value with its file, and the effect of limits"),),
    ),
    Verb(
        "plan",
        "show what create would start, with all settings and their origin; starts nothing",
        _plan,
        _plan_flags,
        examples=(("%rucat plan etl --driver-memory 8g", "whether it would fit, and every effective conf"),),
    ),
    Verb(
        "save",
        "save an engine's settings in this notebook, for %rucat create",
        _save,
        _save_flags,
        about="Saves name, profile and changed settings, but no secrets. They are in the output of the cell; clearing\n"
        "it deletes them.",
        examples=(
            ("%rucat save", "%rucat create then creates the same engine again"),
            ("%rucat save --cell", "write the line into a new cell, which stays when you clear outputs"),
            ("%rucat save --as-profile big", "as your own profile, for all notebooks"),
        ),
    ),
)
