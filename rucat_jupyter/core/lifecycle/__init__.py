"""The lifecycle of an engine as tables and pure functions; the monitor, the use cases and platforms import it.

The stored values, which are never mixed:

* ``state``: the **actual** state of one life (``state_run``). Only the monitor writes it.
* ``target``: the **desired** state of the newest life (``run``). Only the use cases write it.
* ``failure``: why a life failed. Only the monitor sets it; a restart clears it.

The status (:func:`status_of`) is a function of these, and the next step (:func:`plan`) is that of the
first rule of :data:`RULES` that applies. Nothing here has a clock, IO, or state: the monitor may crash
between any two steps, look again, and converge. That holds because

1. a life is *claimed* (``state_run = run``, by compare-and-set) before anything outside is changed,
   so everything outside belongs to a record, or is an orphan;
2. everything outside is named after engine and run, so a look finds the results of earlier steps;
3. each step is idempotent, and every life ends in the same order: fail, stop, settle, clean.
   The ``failure`` is written before the stop, so a crash in between cannot lose the reason.
   A look finds what a settled life left behind, and the next step cleans it.

::

    status   actual and desired state, status shown     verbs   actions that users can request
    facts    the input of a decision                    steps   possible steps        rules   which step is next

When you change a rule, change the table; ``docs/architecture.md`` is generated from it.
"""

from ..engine import Executors
from .facts import End, Health, Memory, Observation, Presence, Timing
from .rules import RULES, Facts, Rule, plan, rule_of
from .status import (
    LEGAL,
    STATUSES,
    IllegalTransition,
    check_transition,
    has_life,
    is_settled,
    is_wanted,
    message_of,
    status_of,
)
from .steps import (
    Ask,
    Claim,
    Clean,
    Clear,
    Confirm,
    Count,
    Fail,
    Note,
    Remove,
    Rest,
    Settle,
    Start,
    Step,
    Stop,
    Suspect,
)
from .verbs import STABLE_S, VERBS, Changes, Outcome, ask, comes_back, recent_restarts, refused, verbs_of

__all__ = [
    "LEGAL",
    "RULES",
    "STABLE_S",
    "STATUSES",
    "VERBS",
    "Ask",
    "Changes",
    "Claim",
    "Clean",
    "Clear",
    "Confirm",
    "Count",
    "End",
    "Executors",
    "Facts",
    "Fail",
    "Health",
    "IllegalTransition",
    "Memory",
    "Note",
    "Observation",
    "Outcome",
    "Presence",
    "Remove",
    "Rest",
    "Rule",
    "Settle",
    "Start",
    "Step",
    "Stop",
    "Suspect",
    "Timing",
    "ask",
    "check_transition",
    "comes_back",
    "has_life",
    "is_settled",
    "is_wanted",
    "message_of",
    "plan",
    "recent_restarts",
    "refused",
    "rule_of",
    "status_of",
    "verbs_of",
]
