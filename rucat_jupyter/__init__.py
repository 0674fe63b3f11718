"""Rucat: create, connect and manage data engines on any platform, from a notebook."""

__version__ = "0.1.0"
