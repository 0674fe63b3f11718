"""Real sessions in use and not in use, on an engine that ends sessions soon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.notebook import Kernel, kernel
from support.place import Place, wait_until

pytestmark = [pytest.mark.engine, pytest.mark.all]

NAME = "short"
TIMEOUT = "spark.connect.session.manager.defaultSessionTimeout=20s"


@pytest.fixture
def short(place: Place, rest: Callable[..., Any]) -> Iterator[str]:
    """An engine whose sessions end 20 s after their last call."""
    with kernel(place.env, place.root, place.root / "short.ipynb") as mine:
        mine.run(f"%load_ext rucat_jupyter\n%rucat create {NAME} --conf {TIMEOUT}\n%rucat detach")
    yield NAME
    rest("DELETE", f"engines/{NAME}")


def test_a_stream_keeps_its_session(
    place: Place, short: str, notebook: Callable[..., Kernel], rest: Callable[..., Any]
) -> None:
    """Its kernel is gone: it does not count, but stream and table are there after the end of a session that rests."""
    rests = notebook("rests")
    with kernel(place.env, place.root, place.root / "streams.ipynb") as streams:
        streams.run(f"%load_ext rucat_jupyter\n%rucat attach {short}")
        start = "spark.readStream.format('rate').load().writeStream.format('memory').queryName('ticks').start()"
        streams.run(f"stream = {start}")
    rests.run(f"%rucat attach {short}\nspark.range(1).collect()")

    def attached() -> set[str]:
        sessions = rest("GET", f"engines/{short}")["sessions"]
        return {session["path"].rsplit("/", 1)[-1] for session in sessions if session["is_attached"]}

    assert wait_until("the kernel to end", lambda: attached() == {"rests.ipynb"}, 30)
    ends = lambda: [e["reason"] for e in rest("GET", f"engines/{short}/history")["events"] if e["kind"] == "session"]  # noqa: E731
    (reason,) = wait_until("the session that rests to end", ends, 180)
    assert f"{place.root}/rests.ipynb" in reason
    assert attached() == set()
    again = notebook("streams")
    again.run(f"%rucat attach {short}")
    assert again.run("print(spark.table('ticks').count() > 20, len(spark.streams.active))").stdout == "True 1\n"
    again.run("spark.streams.active[0].stop()")
