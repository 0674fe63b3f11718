"""Engines as widgets: cards, table, create form, and the text that stays of them; for the rest of ``notebook``."""
