"""``rucat.toml`` is read wherever Jupyter keeps configuration, again when it changes, and never breaks the gateway."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.office import OWNER, open_office
from jupyter_core import paths

from rucat_jupyter.core.engine import Status, Verb
from rucat_jupyter.core.errors import Forbidden, InvalidRequest
from rucat_jupyter.core.lifecycle import Outcome
from rucat_jupyter.gateway.service import profile_files
from rucat_jupyter.gateway.service.profile_files import ProfileFiles


@pytest.fixture
def admin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The administrator's file, in the one folder of the machine's."""
    monkeypatch.setattr(paths, "SYSTEM_CONFIG_PATH", [str(tmp_path)])
    monkeypatch.setattr(paths, "ENV_CONFIG_PATH", [])
    return tmp_path / "rucat.toml"


@pytest.fixture
def user(admin: Path) -> Path:
    """The user's file."""
    return Path(os.environ["JUPYTER_CONFIG_DIR"]) / "rucat.toml"


async def test_a_users_values_and_an_administrators_limits(admin: Path, user: Path) -> None:
    """Each wins over the other where it should, and a saved file counts at the next create."""
    office = await open_office()
    files = ProfileFiles(office.gateway, None)
    admin.write_text('[profiles.local]\ndriver.memory = "2g"\ndriver.cores = 3\n[limits]\nmax_driver_memory = "4g"\n')
    user.write_text(
        'default_profile = "etl"\n[profiles.local]\ndriver.memory = "3g"\n[profiles.etl]\nplatform="local"\n'
    )
    await files.refresh()
    local = (await office.gateway.create(OWNER, {"profile": "local"})).spec.driver
    assert (local.memory, local.cores) == ("3g", 3)
    assert (await office.gateway.create(OWNER, {})).profile == "etl"
    user.write_text('[limits]\nmax_driver_memory = "64g"\n[profiles.local]\ndriver.memory = "5g"\n')
    await files.refresh()
    with pytest.raises(
        Forbidden, match=r"5g was requested; the limit is 4g \(limits.max_driver_memory in .*rucat.toml\)"
    ):
        await office.gateway.create(OWNER, {})
    same = office.gateway.profiles
    await files.refresh()
    assert office.gateway.profiles is same


BROKEN = [
    (b"\n\nx = [", "Invalid value (at end of document)"),
    (b"x = 1\ny = = 2", "at line 2, column 5"),
    (b"\xff", "utf-8"),
    (b"x = " + b"[" * 5000, "is nested too deeply"),
    (b"#" * 1024 * 1025, "is larger than 1024 KB"),
    (b"[limits]\nmax_executors = -1\n", "limits.max_executors: must be at least 1"),
]


@pytest.mark.parametrize(("text", "says"), BROKEN, ids=[says for _, says in BROKEN])
async def test_a_users_broken_file_takes_nothing_else_away(user: Path, admin: Path, text: bytes, says: str) -> None:
    """It is named in one line; what others say of profiles holds, and so does everything built in."""
    office = await open_office()
    files = ProfileFiles(office.gateway, None)
    admin.write_text('[profiles.etl]\nextends = "local"\n')
    user.write_bytes(text)
    await files.refresh()
    (error,) = [line for line in office.gateway.profiles.errors if says in line]
    assert error.startswith(f"{user}: ")
    assert "\n" not in error
    assert (await office.gateway.create(OWNER, {})).profile == "local"
    assert (await office.gateway.create(OWNER, {"profile": "etl"})).profile == "etl"
    if "limits" not in says:
        with pytest.raises(InvalidRequest) as caught:
            await office.gateway.create(OWNER, {"profile": "mine"})
        assert error in caught.value.message
    user.unlink()
    await files.refresh()
    assert office.gateway.profiles.errors == []


@pytest.mark.parametrize(("text", "says"), BROKEN, ids=[says for _, says in BROKEN])
async def test_an_administrators_broken_file_lets_nothing_new_begin(admin: Path, text: bytes, says: str) -> None:
    """Its limits are unknown; existing engines keep running, and reading works."""
    office = await open_office()
    engine = await office.engine(Status.RUNNING)
    files = ProfileFiles(office.gateway, None)
    admin.write_bytes(text)
    await files.refresh()
    with pytest.raises(Forbidden) as caught:
        await office.gateway.create(OWNER, {})
    assert f"{admin}: " in caught.value.message
    assert says in caught.value.message
    assert [profile.name for profile in office.gateway.profiles.all()] == ["k8s-small", "local"]
    assert (await office.gateway.ask(OWNER, engine.id, Verb.STOP))[0] is Outcome.ACCEPTED
    admin.unlink()
    await files.refresh()
    assert (await office.gateway.create(OWNER, {"name": "new"})).profile == "local"


async def test_the_limits_of_a_file_that_breaks_are_kept(admin: Path) -> None:
    """Until it can be read again: a slip of the pen neither lifts a limit nor stops the work of a team."""
    office = await open_office()
    files = ProfileFiles(office.gateway, None)
    admin.write_text("[limits]\nmax_driver_cores = 2\n")
    await files.refresh()
    admin.write_text("[limits\nmax_driver_cores = 4\n")
    await files.refresh()
    assert "at line 1" in office.gateway.profiles.errors[0]
    assert (await office.gateway.create(OWNER, {"driver": {"cores": 2}})).spec.driver.cores == 2
    with pytest.raises(Forbidden, match="max_driver_cores"):
        await office.gateway.create(OWNER, {"driver": {"cores": 3}})


async def test_a_broken_profile_takes_no_other_away(user: Path) -> None:
    """The profile is refused with file, key and what is allowed; others of the same file work."""
    office = await open_office()
    user.write_text('[profiles.a]\nplatform = "local"\ndriver.memroy = "4g"\n[profiles.b]\nplatform = "local"\n')
    await ProfileFiles(office.gateway, None).refresh()
    assert (await office.gateway.create(OWNER, {"profile": "b"})).profile == "b"
    with pytest.raises(InvalidRequest) as caught:
        await office.gateway.create(OWNER, {"profile": "a"})
    says = f"profile: {user}: profiles.a.driver.memroy: there is no such field (did you mean 'memory'?)"
    assert caught.value.message == says


async def test_a_file_of_the_same_size_and_time_is_seen(user: Path) -> None:
    """An editor that writes beside and renames within one tick of the clock is noticed, too."""
    office = await open_office()
    files = ProfileFiles(office.gateway, None)
    for cores in (1, 2):
        beside = user.with_name("beside")
        beside.write_text(f"[profiles.local]\ndriver.cores = {cores}\n")
        os.utime(beside, (1, 1))
        beside.replace(user)
        await files.refresh()
        assert (await office.gateway.create(OWNER, {})).spec.driver.cores == cores


async def test_what_is_no_file_is_named(user: Path) -> None:
    """A folder of that name, or a pipe that would never end."""
    office = await open_office()
    os.mkfifo(user)
    await ProfileFiles(office.gateway, None).refresh()
    assert office.gateway.profiles.errors == [f"{user}: is not a file"]


async def test_the_setting_wins(user: Path) -> None:
    """Over what the files say."""
    office = await open_office()
    user.write_text('default_profile = "k8s-small"\n')
    await ProfileFiles(office.gateway, "local").refresh()
    assert office.gateway.profiles.default == "local"


async def test_a_file_that_came_too_late_is_read_again(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when its file system answers before we ask whether it hangs."""
    office, honest = await open_office(), profile_files.waited
    files = ProfileFiles(office.gateway, None)
    user.write_text("[profiles.local]\ndriver.cores = 3\n")

    async def late(limit_s: float, call: Callable[[], Any], place: str) -> Any:
        if place == str(user):
            raise TimeoutError(0, "late")
        return await honest(limit_s, call, place)

    with monkeypatch.context() as patch:
        patch.setattr(profile_files, "waited", late)
        await files.refresh()
        assert office.gateway.profiles.errors == [f"{user}: late"]
    await files.refresh()
    assert office.gateway.profiles.errors == []


@pytest.mark.parametrize("call", ["_stamp", "_read"])
async def test_a_file_system_that_hangs_takes_nothing_else_away(
    user: Path, admin: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """It is named, an administrator's last limits hold, other files count, and so does the file when it answers."""
    office, answers = await open_office(), threading.Event()
    files = ProfileFiles(office.gateway, None)
    admin.write_text('[limits]\nmax_driver_memory = "4g"\n')
    await files.refresh()
    honest: Any = getattr(profile_files, call)

    def slow(file: Path, **more: Any) -> Any:
        if file == admin:
            answers.wait(60)
        return honest(file, **more)

    monkeypatch.setattr(profile_files, "HANG_S", 0.2)
    monkeypatch.setattr(profile_files, call, slow)
    try:
        for cores in (3, 4):
            user.write_text(f"[profiles.local]\ndriver.cores = {cores}\n")
            await files.refresh()
            (error,) = office.gateway.profiles.errors
            assert error == f"{admin}: no answer for 0.2 s from the file system of {admin}: its server hangs"
            assert (await office.gateway.create(OWNER, {})).spec.driver.cores == cores
            with pytest.raises(Forbidden, match="the limit is 4g"):
                await office.gateway.create(OWNER, {"driver": {"memory": "5g"}})
    finally:
        answers.set()
    while office.gateway.profiles.errors:
        await files.refresh()
