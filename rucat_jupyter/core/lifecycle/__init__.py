"""The life of an engine as tables and pure functions; the monitor, the use cases and platforms import it.

What is stored, and never mixed:

* ``state`` says what **is**, of one life (``state_run``). Only the monitor writes it.
* ``target`` says what is **wanted**, of the newest life (``run``). Only the use cases write it.
* ``failure`` says why a life ended that should not have. Only the monitor sets it; a restart clears it.

What people see (:func:`status_of`) is a look-up of these, and what happens next (:func:`plan`) is
the first rule of :data:`RULES` that applies. Nothing here has a clock, does IO, or remembers: the
monitor may crash between any two steps, look again, and converge. That holds because

1. a life is *claimed* (``state_run = run``, by compare-and-set) before anything outside is touched,
   so whatever is found outside has a record that speaks of it, or is an orphan;
2. everything outside is named after engine and run, so looking finds what an earlier step left;
3. each step is idempotent, and every life ends in the same order: verdict, stop, settle, clean.
   The verdict (``failure``) is written before the stop, so a crash between cannot forget the reason.
   A settled life that left something behind is found by looking, and cleaned.

::

    status   what is, what is wanted, what people see      verbs   what can be asked
    facts    what is known when a step is chosen           steps   what can be done        rules   which of them

When you change a rule, change the table; ``docs/architecture.md`` is drawn from it.
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
from .verbs import STABLE_S, VERBS, Changes, Outcome, ask, comes_back, recent_restarts, verbs_of

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
    "rule_of",
    "status_of",
    "verbs_of",
]
