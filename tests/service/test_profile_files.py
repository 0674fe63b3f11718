"""``rucat.toml`` is read wherever Jupyter keeps configuration, again when it changes, and never breaks the gateway."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fakes.office import OWNER, open_office
from jupyter_core import paths

from rucat_jupyter.errors import Forbidden, InvalidRequest
from rucat_jupyter.service.profile_files import ProfileFiles


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
    with pytest.raises(Forbidden, match="5g is over the administrator's limit of 4g"):
        await office.gateway.create(OWNER, {})
    same = office.gateway.profiles
    await files.refresh()
    assert office.gateway.profiles is same


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"x = [", "Invalid value"),
        (b"\xff", "utf-8"),
        (b"[limits]\nmax_executors = -1\n", "limits.max_executors: must be at least 1"),
        (b"[profiles.local]\ndriver.memory = 4\n", "profiles.local: driver.memory: must be a string"),
    ],
)
async def test_a_broken_file_is_named_when_it_is_used(user: Path, text: bytes, says: str) -> None:
    """One line with file and key; when the file is mended, or gone, all is well."""
    office = await open_office()
    files = ProfileFiles(office.gateway, None)
    user.write_bytes(text)
    await files.refresh()
    with pytest.raises(InvalidRequest) as caught:
        await office.gateway.create(OWNER, {})
    assert caught.value.message.startswith(f"profile: {user}: ")
    assert says in caught.value.message
    assert "\n" not in caught.value.message
    user.unlink()
    await files.refresh()
    assert (await office.gateway.create(OWNER, {})).profile == "local"


async def test_the_setting_wins(user: Path) -> None:
    """Over what the files say."""
    office = await open_office()
    user.write_text('default_profile = "k8s-small"\n')
    await ProfileFiles(office.gateway, "local").refresh()
    assert office.gateway.profiles.default == "local"
