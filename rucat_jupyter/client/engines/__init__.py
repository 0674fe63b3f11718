"""Engines as Python objects: create, get, plan, profiles; ``notebook`` and ``cli`` import it."""
