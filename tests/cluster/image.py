"""Builds engine images with a real Spark: a Debian layer with Java and Python, one layer for each Spark, no Docker."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from . import binaries, cache, versions

REPOSITORY = "docker.io/apache/spark"
PAUSE = "rucat.test/pause:1"
USER = 185  # the official images' one
PACKAGES = "python3,openjdk-17-jre-headless,tini"
UNUSED = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale", "var/log")
SPARK_PARTS = ("bin", "sbin", "jars", "python")
ENTRY_POINT = (Path(__file__).parent / "entrypoint.sh").read_text()
ALONE = ("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child")
"""Before a command that mounts: its mounts and children end with it, also when it is killed, so that code that removes
its folder never walks into this machine's /proc."""
TAR = ("tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner")


def tag(spark_version: str) -> str:
    """Name the image as the official one is named."""
    return f"{REPOSITORY}:{spark_version}"


def base_layer() -> Path:
    """Give the layer that all engine images share: Debian, Java, Python, pandas, pyarrow."""

    def build(work: Path) -> None:
        root = work / "root"
        wanted = ("--variant=minbase", f"--include={PACKAGES}", "--dpkgopt=force-unsafe-io")
        cache.run(*ALONE, "mmdebstrap", "--mode=root", *wanted, versions.DEBIAN, root)
        for name in UNUSED:
            shutil.rmtree(root / name, ignore_errors=True)
            (root / name).mkdir(parents=True)
        with (root / "etc/passwd").open("a") as file:
            file.write(f"spark:x:{USER}:0::/opt/spark/work-dir:/usr/sbin/nologin\n")
        python = cache.run("chroot", root, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
        libraries = root / "usr/lib/python3/dist-packages"
        cache.run(
            *_pip(libraries), f"--python-version={python}", "--only-binary=:all:", versions.PANDAS, versions.PYARROW
        )
        for tests in (*libraries.glob("*/tests"), libraries / "pyarrow/include"):
            shutil.rmtree(tests)
        _layer(root, work)

    return cache.built("image-base", (versions.DEBIAN, PACKAGES, versions.PANDAS, versions.PYARROW), build)


def spark_layer(version: str) -> Path:
    """Give the layer with one Spark, taken from its wheel, as the official image has it."""

    def build(work: Path) -> None:
        wheel, root = work / "wheel", work / "root"
        cache.run(*_pip(wheel), "--no-deps", f"pyspark=={version}")
        spark = root / "opt/spark"
        spark.mkdir(parents=True)
        for name in SPARK_PARTS:
            (wheel / "pyspark" / name).rename(spark / name)
        shutil.rmtree(wheel)
        for script in (*(spark / "bin").iterdir(), *(spark / "sbin").iterdir()):
            script.chmod(0o755)
        (spark / "work-dir").mkdir()
        (spark / "work-dir").chmod(0o777)
        entry = root / "opt/entrypoint.sh"
        entry.write_text(ENTRY_POINT)
        entry.chmod(0o755)
        _layer(root, work)

    return cache.built(f"image-spark-{version}", (version, ENTRY_POINT), build)


def pause_layer() -> Path:
    """Give the layer with the pause program alone."""
    program = binaries.pause()

    def build(work: Path) -> None:
        (work / "root").mkdir()
        shutil.copy(program, work / "root/pause")
        _layer(work / "root", work)

    return cache.built("image-pause", (program.parent.name,), build)


def write_archive(stream: IO[bytes], spark_versions: tuple[str, ...]) -> None:
    """Write one docker-archive of all images, their layers in it once, into what `ctr images import -` reads."""
    base, pause = base_layer(), pause_layer()
    images = {PAUSE: ([pause], {"Entrypoint": ["/pause"], "User": "65535:65535"})}
    for version in spark_versions:
        images[tag(version)] = ([base, spark_layer(version)], _engine_config(version))
    with tarfile.open(fileobj=stream, mode="w|") as archive:
        for layer in dict.fromkeys(layer for layers, _ in images.values() for layer in layers):
            archive.add(layer / "layer.tar", f"{layer.name}.tar")
        manifest = []
        for name, (layers, config) in images.items():
            described = json.dumps(_description(layers, config)).encode()
            file = hashlib.sha256(described).hexdigest() + ".json"
            _add(archive, file, described)
            manifest.append({"Config": file, "RepoTags": [name], "Layers": [f"{layer.name}.tar" for layer in layers]})
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def _engine_config(version: str) -> dict[str, object]:
    return {
        "Entrypoint": ["/opt/entrypoint.sh"],
        "User": str(USER),
        "WorkingDir": "/opt/spark/work-dir",
        "Env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/spark/bin",
            "SPARK_HOME=/opt/spark",
            "JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64",
            f"SPARK_VERSION={version}",
        ],
    }


def _description(layers: list[Path], config: dict[str, object]) -> dict[str, object]:
    digests = ["sha256:" + (layer / "digest").read_text() for layer in layers]
    return {"architecture": "amd64", "os": "linux", "config": config, "rootfs": {"type": "layers", "diff_ids": digests}}


def _layer(root: Path, work: Path) -> None:
    """Pack a folder as a layer, say its digest, and drop the folder."""
    cache.run(*TAR, "-cf", work / "layer.tar", "-C", root, ".")
    (work / "digest").write_text("".join(_digest(work / "layer.tar")))
    shutil.rmtree(root)


def _digest(file: Path) -> Iterator[str]:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    yield digest.hexdigest()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _pip(target: Path) -> tuple[str | Path, ...]:
    return (
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
        "--target",
        target,
    )
