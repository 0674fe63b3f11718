"""Runs the parts of ``make test-all``: all tests, in parts of at most 40 minutes.

``python -m tools.parts [PART …]`` runs the named parts, by default all. ``.reports/passed`` records each part that
passed and its git tree: the part does not run again until a committed file changes. With uncommitted changes every
part runs, and nothing is recorded. Failed tests run once more, alone, and must pass then.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / ".reports"
SOME_FAILED = 1  # pytest's exit code
ALONE = "timing"  # the marker of tests that measure seconds


@dataclass(frozen=True)
class Part:
    """A part: a description, and a make target, or folders and a marker expression that select its tests."""

    about: str
    target: str = ""
    folders: tuple[str, ...] = ()
    marks: str = ""
    workers: int = 1

    def selection(self) -> list[str]:
        """Return the arguments of pytest that select its tests."""
        return [*(f"tests/{folder}" for folder in self.folders), "-m", self.marks]


REST = "all and not (cluster or lab or timing)"
PARTS = {
    "test": Part("CI without a cluster: `make test`", target="test"),
    "test-cluster": Part("CI with a cluster: `make test-cluster`", target="test-cluster"),
    "notebook": Part("notebooks, kernels and terminals in full", folders=("notebook", "cli"), marks=REST, workers=2),
    "faults": Part(
        "faults, restarts and outages in full, the wheel, every store and platform",
        folders=("acceptance", "contract", "e2e", "jupyter", "k8s", "packaging", "service", "unit"),
        marks=REST,
        workers=2,
    ),
    "browser": Part(
        "the card, the panel and documents in Chromium in full", folders=("lab",), marks="all and lab and not timing"
    ),
    "cluster": Part(
        "Kubernetes in full: every kill point, long outages, thousands of pods, Spark 4.1",
        folders=("k8s",),
        marks="all and cluster and not timing",
    ),
    "servers": Part(
        "the test cluster itself, and a SurrealDB server built from its source",
        folders=("cluster", "contract", "service", "unit"),
        marks="all and cluster and not timing",
    ),
    "timing": Part("tests that measure seconds, one at a time", marks="timing"),
}


def tree() -> str | None:
    """Return the git tree that is checked out; None if files differ from it."""
    if _git("status", "--porcelain"):
        return None
    return _git("rev-parse", "HEAD^{tree}")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def run(name: str) -> bool:
    """Run one part; return whether it passed."""
    part = PARTS[name]
    if part.target:
        return subprocess.run(["make", "--no-print-directory", part.target], cwd=ROOT, check=False).returncode == 0
    report = REPORTS / f"{name}.xml"
    workers = ["-n", str(part.workers), "--dist", "loadfile", "--no-loadscope-reorder"] if part.workers > 1 else []
    words = [sys.executable, "-m", "pytest", "-o", f"cache_dir=.pytest_cache/{name}", f"--junitxml={report}"]
    env = {**os.environ, "RUCAT_TEST_REQUIRE": os.environ.get("RUCAT_TEST_REQUIRE", "1")}
    code = subprocess.run([*words, *workers, *part.selection()], cwd=ROOT, env=env, check=False).returncode
    if code != SOME_FAILED:
        return code == 0
    print(f"{name}: rerun of the failed tests, alone:", flush=True)
    words[-1] = f"--junitxml={REPORTS / f'{name}-again.xml'}"
    again = [*words, *part.selection(), "--last-failed", "--last-failed-no-failures=none"]
    return subprocess.run(again, cwd=ROOT, env=env, check=False).returncode == 0


def main() -> int:
    """Run the parts that have not passed yet for this tree, and print the result of each."""
    parser = argparse.ArgumentParser(prog="python -m tools.parts", description=__doc__)
    listed = "; ".join(f"{name}: {part.about}" for name, part in PARTS.items())
    parser.add_argument("parts", nargs="*", metavar="PART", help=listed)
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    said = []
    failed = False
    for name in given.parts or PARTS:
        now = tree()
        passed = REPORTS / "passed" / f"{name}-{now}"
        if now and passed.exists():
            said.append(f"{name}: passed before for this tree")
            continue
        began = time.monotonic()
        ok = run(name)
        failed |= not ok
        said.append(f"{name}: {'passed' if ok else 'FAILED'} in {time.monotonic() - began:.0f} s")
        if ok and now and now == tree():
            passed.parent.mkdir(parents=True, exist_ok=True)
            passed.touch()
    print("\n".join(said))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
