"""Runs the benchmarks, prints a table and writes it as JSON: python -m benchmarks [--quick] [KEY ...]."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
import traceback
from pathlib import Path

import psutil

from rucat_jupyter import __version__
from rucat_jupyter.client.api import Api
from rucat_jupyter.client.engines.engine import set_default_api
from tools.private import private_folder

from . import (
    l1_create_many,
    l2_watch_many,
    l7_rest,
    p1_create,
    p6_queries,
    p7_create_pod,
    p8_pod_event,
    p9_stop_pod,
    p10_attach,
    p11_load,
    p12_frames,
)
from .harness import Figure, table

RESULTS = Path(__file__).parent / "results"
BENCHMARKS = {
    "P1": p1_create.measure,
    "P6": p6_queries.measure,
    "P7": p7_create_pod.measure,
    "P8": p8_pod_event.measure,
    "P9": p9_stop_pod.measure,
    "P10": p10_attach.measure,
    "P11": p11_load.measure,
    "P12": p12_frames.measure,
    "L1": l1_create_many.measure,
    "L2": l2_watch_many.measure,
    "L7": l7_rest.measure,
}


def main() -> int:
    """Run the benchmarks that the arguments name, by default all; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("keys", nargs="*", choices=[*BENCHMARKS, []], metavar="KEY", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="fewer pairs: a quick check, not a figure to publish")
    options = parser.parse_args()
    figures: list[Figure] = []
    broken: list[str] = []
    for key in options.keys or BENCHMARKS:
        print(f"{key} ...", file=sys.stderr, flush=True)
        try:
            with private_folder("rucat-bench-") as folder:
                set_default_api(Api())  # the previous one uses the previous folder
                figures += BENCHMARKS[key](folder, quick=options.quick)
        except Exception:
            traceback.print_exc()
            broken.append(key)
    summaries = [figure.summary() for figure in figures]
    print(table(summaries))
    print(f"written to {_write(summaries, quick=options.quick)}")
    if broken:
        print(f"failed: {' '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


def _write(summaries: list[dict[str, object]], *, quick: bool) -> Path:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / time.strftime("%Y%m%dT%H%M%S.json")
    report = {
        "rucat": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": psutil.cpu_count(),
        "load_1m": psutil.getloadavg()[0],
        "quick": quick,
        "figures": summaries,
    }
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    sys.exit(main())
