"""The package as users get it: built, installed into a fresh environment without Java and Node, and tried."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import rucat_jupyter

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ["rucat_jupyter", "labextension", "jupyter-config", "README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml"]
SERVER_SIDE = ("fastapi", "uvicorn", "surrealdb", "kubernetes", "pyspark")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "node_modules", ".yarn", "lib", "*.tsbuildinfo", "*.log")
PANEL = "share/jupyter/labextensions/rucat-jupyter"
SDIST_LIMIT_BYTES = 1_000_000
MACHINE_PATH = re.compile(rb"/(?:root|home/\w+|Users/\w+|work)/")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An sdist, and the wheel made from it: no file comes into the wheel past the sdist.

    The JupyterLab extension is as make has built it.
    """
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=NOT_COPIED)
        else:
            shutil.copy2(path, source / name)
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # where nothing is built yet
    run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)],
        env={**os.environ, "PATH": tools, "TMPDIR": str(tmp_path_factory.mktemp("tmp"))},
    )
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return {"sdist": sdist, "wheel": wheel}


@pytest.fixture(scope="session")
def installed(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with the wheel; its dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    run([*pip, str(built["wheel"])])
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "bin"


@pytest.fixture
def bare_path(tmp_path: Path, installed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with the environment alone: neither Java nor Node is on it."""
    monkeypatch.setenv("PATH", str(installed))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert [shutil.which("java"), shutil.which("node")] == [None, None]
    return installed


def run(command: list[str], **options: object) -> str:
    """Run a command that has to succeed; return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def python(bin_folder: Path, program: str, cwd: Path) -> str:
    """Run a program in the fresh environment, away from the checkout."""
    return run([str(bin_folder / "python"), "-c", program], cwd=cwd).strip()


@pytest.mark.all
def test_imports_from_the_wheel(bare_path: Path, tmp_path: Path) -> None:
    """The fresh environment runs the installed package, not the checkout."""
    assert python(bare_path, "import rucat_jupyter; print(rucat_jupyter.__file__)", tmp_path).startswith(
        str(bare_path.parent)
    )


@pytest.mark.all
def test_server_extension_is_enabled_by_installing(bare_path: Path, tmp_path: Path) -> None:
    """`pip install` alone enables the Jupyter server extension, and Jupyter finds it valid."""
    listed = run([str(bare_path / "python"), "-m", "jupyter_server", "extension", "list"], cwd=tmp_path)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", listed)
    assert re.search(r"rucat_jupyter enabled", plain), plain
    assert re.search(r"rucat_jupyter \S+ OK", plain), plain


@pytest.mark.all
def test_panel_is_installed_and_works_without_node(bare_path: Path, tmp_path: Path) -> None:
    """`pip install` alone brings JupyterLab the panel, built, enabled and compatible."""
    program = "import sys; from jupyterlab.labextensions import main; sys.argv[1:] = ['list']; sys.exit(main())"
    listed = run([str(bare_path / "python"), "-c", program], cwd=tmp_path)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", listed)
    assert re.search(r"rucat-jupyter v\S+ enabled OK \(python, rucat_jupyter\)", plain), plain
    assert str(bare_path.parent / PANEL).rpartition("/")[0] in plain


@pytest.mark.all
def test_panel_has_the_version_of_the_package() -> None:
    """Python package and JupyterLab extension are released together."""
    described = json.loads((ROOT / "labextension" / "package.json").read_text(encoding="utf-8"))
    assert described["version"] == rucat_jupyter.__version__


@pytest.mark.all
def test_command_line_is_installed(bare_path: Path, tmp_path: Path) -> None:
    """`rucat serve --help` and `python -m rucat_jupyter serve --help` say how to stop."""
    for command in (["rucat"], ["python", "-m", "rucat_jupyter"]):
        text = run([str(bare_path / command[0]), *command[1:], "serve", "--help"], cwd=tmp_path)
        assert "--stop" in text, text


@pytest.mark.all
def test_import_is_light(bare_path: Path, tmp_path: Path) -> None:
    """Importing the package, and using its names, loads nothing of the server side."""
    program = (
        "import sys, json, rucat_jupyter; rucat_jupyter.create, rucat_jupyter.get, rucat_jupyter.engines;"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    loaded = json.loads(python(bare_path, program, tmp_path))
    assert [name for name in SERVER_SIDE if name in loaded] == []


@pytest.mark.all
def test_load_ext_is_light(bare_path: Path, tmp_path: Path) -> None:
    """`%load_ext rucat_jupyter` loads nothing of the server side either."""
    program = (
        "import sys, json; from IPython.core.interactiveshell import InteractiveShell;"
        "shell = InteractiveShell.instance(); shell.run_line_magic('load_ext', 'rucat_jupyter');"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    loaded = json.loads(python(bare_path, program, tmp_path).splitlines()[-1])
    assert [name for name in SERVER_SIDE if name in loaded] == []


@pytest.mark.all
def test_sdist_is_small_and_whole(built: dict[str, Path]) -> None:
    """The sdist has the sources and nothing else, and stays small."""
    assert built["sdist"].stat().st_size < SDIST_LIMIT_BYTES
    with tarfile.open(built["sdist"]) as archive:
        top = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert top == {*SOURCES, "PKG-INFO"} | (top & {".gitignore"})


@pytest.mark.all
def test_wheel_has_every_module(built: dict[str, Path]) -> None:
    """No module of the package is missing in the wheel, and nothing comes along."""
    with zipfile.ZipFile(built["wheel"]) as archive:
        modules = {name for name in archive.namelist() if name.startswith("rucat_jupyter/")}
    apart = {"__pycache__", "labextension"}
    sources = (p for p in (ROOT / "rucat_jupyter").rglob("*") if p.is_file() and not apart & set(p.parts))
    assert modules == {str(path.relative_to(ROOT)) for path in sources}


@pytest.mark.all
def test_wheel_has_the_panel_once(built: dict[str, Path]) -> None:
    """All that was built of the JupyterLab extension is where JupyterLab looks, and nowhere else."""
    with tarfile.open(built["sdist"]) as archive:
        names = [name.partition("/rucat_jupyter/labextension/")[2] for name in archive.getnames()]
        expected = {name for name in names if name}
    with zipfile.ZipFile(built["wheel"]) as archive:
        found = [name.partition(f"{PANEL}/")[2] for name in archive.namelist() if PANEL in name]
    assert sorted(found) == sorted({*expected, "install.json"})
    assert any(name.startswith("static/remoteEntry.") for name in found)


@pytest.mark.all
def test_no_machine_path_in_the_wheel(built: dict[str, Path]) -> None:
    """No file of the wheel names a path of the machine that built it."""
    with zipfile.ZipFile(built["wheel"]) as archive:
        named = [name for name in archive.namelist() if MACHINE_PATH.search(archive.read(name))]
    assert named == []


def has_registry(folder: Path) -> bool:
    """Whether pip can fetch packages here."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), "hatchling"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.all
@pytest.mark.timeout(1200)
def test_installs_with_its_own_dependencies(built: dict[str, Path], tmp_path: Path) -> None:
    """A fresh environment with nothing but `pip install` of the wheel has all that the gateway and a kernel need."""
    if not has_registry(tmp_path):
        pytest.skip("pip reaches no package registry")
    folder = tmp_path / "env"
    venv.create(folder, with_pip=True, symlinks=True)
    run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile", str(built["wheel"])])
    program = (
        "import rucat_jupyter.__main__, rucat_jupyter.gateway.service.http.app, rucat_jupyter.jupyter.extension, "
        "pyspark.sql"
    )
    python(folder / "bin", program, tmp_path)
    run([str(folder / "bin" / "python"), "-m", "pip", "check"])
