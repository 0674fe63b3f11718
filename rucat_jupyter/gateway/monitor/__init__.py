"""The loop that makes what is equal to what is wanted, and checks health; ``gateway.service`` imports it.

::

    monitor.Monitor       runs it all: heartbeat, list of engines, one reconciler and one sweep for each platform
    reconciler.Reconciler one platform's engines: choose what is due, look, let each take one step
    actions.Actions       one method for each kind of step       records    what each step writes
    tracking.Tracking     what is remembered of each life, and its pulse
    orphans.Sweep         removes what no record speaks of
    problems              what goes wrong now, and since when
    sharding.Sharding     which gateway looks after which engine
    schedule              agenda, attempts, time

What the next step is, is decided in :mod:`rucat_jupyter.core.lifecycle` alone.
"""

from .monitor import Monitor
from .problems import Problem
from .schedule import Pace

__all__ = ["Monitor", "Pace", "Problem"]
