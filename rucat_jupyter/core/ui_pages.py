"""What a sandboxed page of the Spark UI needs of the server that shows it."""

from __future__ import annotations

import re

FIRST_SCRIPT = re.compile(r"/static/jquery(-[0-9.]+)?\.min\.js$")
MEMORY = b"""(() => {
  try { window.localStorage.length; return; } catch (refused) {}
  const memory = () => { const kept = new Map(); return {
    getItem: key => kept.has(String(key)) ? kept.get(String(key)) : null,
    setItem: (key, value) => { kept.set(String(key), String(value)); },
    removeItem: key => { kept.delete(String(key)); },
    clear: () => kept.clear(),
    key: index => [...kept.keys()][index] ?? null,
    get length() { return kept.size; } }; };
  for (const name of ['localStorage', 'sessionStorage'])
    Object.defineProperty(window, name, { value: memory(), configurable: true });
})();
"""
"""A sandboxed page has no storage, without which Spark's scripts fail: this adds one in memory."""
