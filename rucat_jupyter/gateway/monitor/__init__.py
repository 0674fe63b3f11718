"""The loop that brings engines to their wanted state and checks their health; ``gateway.service`` imports it.

::

    monitor.Monitor       runs everything: heartbeat, list of engines, one reconciler and one sweep for each platform
    reconciler.Reconciler one platform's engines: choose those that are due, observe them, do one step for each
    actions.Actions       one method for each kind of step       records    what each step writes
    tracking.Tracking     memory and probe results of each run
    orphans.Sweep         removes objects without a record
    problems              present problems, and since when
    sharding.Sharding     which gateway manages which engine
    schedule              agenda, attempts, time

Only :mod:`rucat_jupyter.core.lifecycle` decides the next step.
"""

from .monitor import Monitor
from .problems import Problem
from .schedule import Pace

__all__ = ["Monitor", "Pace", "Problem"]
