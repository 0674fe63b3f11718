"""Reading an engine's log: the last lines, new lines as they come, across rotation, whatever the bytes are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rucat_jupyter.host import logfile


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "engine.log"


async def read(log: Path, tail: int | None = None) -> list[str]:
    return [line async for line in logfile.lines(log, tail)]


def turn(log: Path) -> bool:
    """Rotate, with all that is in it."""
    return logfile.rotate(log, max_bytes=log.stat().st_size - 1)


def append(log: Path, data: bytes) -> None:
    with log.open("ab") as file:
        file.write(data)


async def test_no_log_has_no_lines(log):
    """What is not there is empty."""
    assert await read(log) == []
    assert logfile.last_text(log) == ""
    assert logfile.rotate(log) is False


async def test_lines_have_no_ends_and_bad_bytes_are_replaced(log):
    """Line ends of both kinds go, invalid UTF-8 is shown as such, a last line without an end counts."""
    append(log, b"one\r\n\n\xff\xfetwo\n" + "drei é".encode())
    assert await read(log) == ["one", "", "\ufffd\ufffdtwo", "drei é"]


@pytest.mark.parametrize(("tail", "expected"), [(0, []), (1, ["d"]), (2, ["c", "d"]), (9, ["a", "b", "c", "d"])])
async def test_tail_is_the_last_lines_across_rotation(log, tail, expected):
    """The last N lines, some of them in the older file."""
    append(log, b"a\nb\nc\n")
    assert turn(log)
    append(log, b"d\n")
    assert await read(log, tail) == expected


async def test_a_line_of_many_megabytes_is_one_line(log):
    """A line is whole, however long and wherever the reads fall."""
    append(log, b"x" * 3_500_000 + b"\n" + "é".encode() * 700_000 + b"\nend\n")
    assert [len(line) for line in await read(log)] == [3_500_000, 700_000, 3]


async def test_a_line_that_a_rotation_cuts_is_whole(log):
    """A line whose first half was rotated away is read as one."""
    append(log, b"a\nfirst half, ")
    assert turn(log)
    append(log, b"second half\nb\n")
    assert await read(log) == ["a", "first half, second half", "b"]


async def test_follow_gives_new_lines_until_the_end(log):
    """After the last lines come the new ones, whole, across rotations, until nothing more may come."""
    append(log, b"old\nlast\n")
    lives = True
    got: list[str] = []

    async def follow():
        async for line in logfile.lines(log, 1, lambda: lives):
            got.append(line)

    task = asyncio.create_task(follow())

    async def until(expected):
        async def there():
            while got != expected:
                await asyncio.sleep(0.01)

        await asyncio.wait_for(there(), 5)

    await until(["last"])
    append(log, b"new\nhal")
    await until(["last", "new"])
    append(log, b"f\nunread before the rotation\n")
    assert turn(log)
    append(log, b"after\n")
    expected = ["last", "new", "half", "unread before the rotation", "after"]
    await until(expected)
    append(log, b"no end")
    lives = False
    await asyncio.wait_for(task, 5)
    assert got == [*expected, "no end"]


def numbered(first: int, last: int) -> list[str]:
    return [f"line {n:04}" for n in range(first, last)]


def burst(log: Path, first: int, last: int) -> None:
    """Ten bytes a line."""
    append(log, "".join(f"{line}\n" for line in numbered(first, last)).encode())


async def test_a_follower_goes_on_after_bursts_of_which_only_the_end_is_kept(log):
    """It had read all of them: what was cut before its place moves its place in no file."""
    following = logfile.lines(log, None, lambda: True)
    for n in range(0, 400, 100):
        burst(log, n, n + 100)
        assert [await asyncio.wait_for(anext(following), 5) for _ in range(100)] == numbered(n, n + 100)
        assert logfile.rotate(log, max_bytes=90)
    await following.aclose()


async def test_a_follower_that_is_too_late_sees_what_was_dropped(log):
    """What it has not read before it was cut is missing, and said to be, also over more than one rotation."""
    following = logfile.lines(log, None, lambda: True)
    burst(log, 0, 100)
    assert [await anext(following) for _ in range(100)] == numbered(0, 100)
    for n in range(100, 400, 100):
        burst(log, n, n + 100)
        assert logfile.rotate(log, max_bytes=100)
    told = "[2900 bytes of the log before this line were dropped]"
    got = [await asyncio.wait_for(anext(following), 5) for _ in range(11)]
    assert got == [told, *numbered(390, 400)]
    await following.aclose()
    assert (await read(log))[0] == "[3900 bytes of the log before this line were dropped]"


async def test_a_follower_that_leaves_leaves_nothing(log):
    """Closing the iterator ends it immediately."""
    append(log, b"a\n")
    lines = logfile.lines(log, None, lambda: True)
    assert await anext(lines) == "a"
    await lines.aclose()


def test_rotation_bounds_the_disk_and_keeps_writers(log):
    """Two files of the limit are the most, a writer in append mode goes on, and much more is cut to its end."""
    with log.open("ab", buffering=0) as writer:
        for n in range(10):
            writer.write(b"%d" % n * 100)
            logfile.rotate(log, max_bytes=250)
        assert log.stat().st_size + logfile.older(log).stat().st_size <= 600
        writer.write(b"y" * 5000)
        logfile.rotate(log, max_bytes=250)
        writer.write(b"z")
    told = b"[5750 bytes of the log before this line were dropped]\n"
    assert logfile.older(log).read_bytes() == told + b"y" * 250
    assert log.read_bytes() == b"z"
    assert logfile.older(log).stat().st_mode & 0o777 == 0o600


def test_rotation_writes_through_no_link(log, tmp_path):
    """A link in place of the older file or its draft is replaced, and what it points to is untouched."""
    precious = tmp_path / "precious"
    precious.write_text("precious")
    for name in ("engine.log.1", "engine.log.new"):
        log.with_name(name).symlink_to(precious)
    append(log, b"x" * 10)
    assert turn(log)
    assert precious.read_text() == "precious"
    assert not logfile.older(log).is_symlink()
    assert logfile.older(log).read_bytes() == b"x" * 10


def test_last_text_is_bounded_and_begins_at_since(log):
    """The end of the log, from the older file too, and only what was written since a start."""
    append(log, b"older\n")
    assert logfile.last_text(log, since=3) == "er\n"
    assert logfile.last_text(log, since=99) == "older\n"
    turn(log)
    append(log, b"newer\n")
    assert logfile.last_text(log) == "older\nnewer\n"
    assert logfile.last_text(log, max_bytes=8) == "r\nnewer\n"


def test_first_text_is_known_while_it_is_short(log):
    """The beginning of the log since a start, until there is too much of it or it was rotated."""
    assert logfile.first_text(log) == ""
    append(log, b"before\nafter\n")
    assert logfile.first_text(log, since=7) == "after\n"
    assert logfile.first_text(log, max_bytes=5) is None
    turn(log)
    assert logfile.first_text(log) is None
