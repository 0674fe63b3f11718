"""Engines as widgets: cards, table, create form, and their static text; for the rest of ``notebook``."""
