"""``rucat ui``: the Spark UI on a port of the terminal's process, in a real browser."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.place import JupyterServer, Place, wait_until
from support.terminal import Terminal

pytestmark = [pytest.mark.lab, pytest.mark.engine, pytest.mark.all]

QUERY = """
import rucat_jupyter
spark = rucat_jupyter.get("etl").connect()
spark.range(100).repartition(3).createOrReplaceTempView("numbers")
spark.sql("select count(distinct id % 7) from numbers").collect()
"""
PAGES = {
    "Jobs": "jobs/",
    "Stages": "stages/",
    "Storage": "storage/",
    "Environment": "environment/",
    "Executors": "executors/",
    "SQL / DataFrame": "SQL/",
    "Connect": "connect/",
}


@pytest.fixture
def terminal(place: Place, server: JupyterServer) -> Iterator[Terminal]:
    """``rucat ui etl`` in a terminal; the engine has run a query."""
    server.create(name="etl")
    server.wait_for("etl", "Running")
    ran = place.run_python(QUERY)
    assert ran.returncode == 0, ran.stderr
    found = Terminal([sys.executable, "-m", "rucat_jupyter", "ui", "etl"], place.env, place.root)
    try:
        yield found
    finally:
        found.close()
        server.delete_engines()


def test_its_pages_load_until_ctrl_c(terminal: Terminal, browser: Any, tmp_path: Path) -> None:
    """Each tab, a job and a query by their links, with all that the pages load; the address works once."""
    terminal.wait_for("To end: Ctrl-C")
    found = re.search(r"http://127\.0\.0\.1:\d+/\?ticket=\S+", terminal.seen)
    assert found
    context = browser.new_context()
    page, said, failed = context.new_page(), [], []
    page.on("console", lambda message: message.type == "error" and said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: failed.append((request.url, request.failure)))
    page.on("response", lambda answer: answer.status >= 400 and failed.append((answer.url, answer.status)))
    try:
        page.goto(found[0])
        page.wait_for_url("**/ui/jobs/")
        for name, path in PAGES.items():
            page.get_by_role("link", name=name, exact=True).click()
            page.wait_for_url(f"**/ui/{path}")
            page.wait_for_load_state("networkidle")
            page.screenshot(path=str(tmp_path / f"{path.rstrip('/')}.png"))
        page.get_by_role("link", name="SQL / DataFrame", exact=True).click()
        page.locator("tbody a[href*='execution/?id=']").first.click()
        page.wait_for_url("**/SQL/execution/**")
        wait_until("the drawn plan", page.locator("#plan-viz-graph svg g.node").count, 20)
        page.get_by_role("link", name="Jobs", exact=True).click()
        page.locator("tbody a[href*='/jobs/job/']").first.click()
        page.wait_for_url("**/jobs/job/**")
        page.wait_for_load_state("networkidle")
        assert (said, failed) == ([], [])
        assert httpx.get(found[0], trust_env=False).status_code == 403
        assert httpx.get(page.url, trust_env=False).status_code == 403
    finally:
        context.close()
    terminal.type("\x03")
    assert terminal.end(10) == 130
    with pytest.raises(httpx.ConnectError):
        httpx.get(found[0], trust_env=False)
