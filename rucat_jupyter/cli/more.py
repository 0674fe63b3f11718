"""Other verbs: ``profiles``, ``plan``, ``save``, ``doctor``."""

from __future__ import annotations

import argparse

from ..checkup.report import doctor as examine
from ..checkup.report import lines
from ..client.engines import engine, saved
from ..client.engines.plan import planned
from ..client.engines.profiles import profiles as all_profiles
from ..client.engines.profiles import short_path
from ..client.engines.settings import from_flags, request
from ..client.words import text
from . import engines, output
from .errors import FAILED


def _profiles(asked: argparse.Namespace) -> None:
    """Show the profiles, or every value of one."""
    if asked.json:
        answer = engine.default_api().call("GET", "profiles")
        if asked.name is not None:
            answer["profiles"] = [all_profiles().explain(asked.name).view]
        output.show_json(answer)
        return
    found = all_profiles()
    if asked.name is not None:
        output.say(repr(found.explain(asked.name)))
    else:
        output.say("\n\n".join(map(repr, found.values())) if asked.explain else repr(found))


def _plan(asked: argparse.Namespace) -> None:
    """Show what create would start, without doing it."""
    wanted = request(asked.profile, dict(asked.conf), asked.executors, asked.driver_memory, from_flags(**vars(asked)))
    found = planned(asked.name, wanted)
    if asked.json:
        output.show_json(found.view)
    else:
        output.say(repr(found))


def _save(asked: argparse.Namespace) -> None:
    """Save the settings of an engine as a profile of the user."""
    found = saved.of_engine(engines.find(asked.name).view)
    file = saved.write_profile(found, asked.as_profile)
    how = f"Use it: rucat create --profile {text.quoted(asked.as_profile)}"
    output.say(f"Profile {text.plain(asked.as_profile)} is in {short_path(str(file))}.  {how}")
    if asked.as_profile not in all_profiles():
        output.tell("The gateway does not read that file: it was started with another configuration.")
    if found.secrets:
        output.tell(f"Not saved, because they are secret: {', '.join(map(text.plain, found.secrets))}.")


def _doctor(asked: argparse.Namespace) -> int | None:
    """Show the findings."""
    report = examine(start=asked.start).report
    if asked.json:
        output.show_json(report.as_json())
    else:
        output.say("\n".join(lines(report, output.accented)))
    return FAILED if report.level.value == "bad" else None


RUNS = {"profiles": _profiles, "plan": _plan, "save": _save, "doctor": _doctor}
