"""Builds the image of docs/engine-image on top of the test image, with buildah: no Docker daemon, no registry."""

from __future__ import annotations

from pathlib import Path

from . import cache, image, packages, versions

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "engine-image"
TAG = "localhost/spark-rucat:1"
GIVEN = ("/etc/ssl/certs", "/etc/pip.conf")
"""What a build step gets of this machine's settings, to reach the package registries as this machine does."""


def archive() -> Path:
    """Give the docker-archive of the image, which ``ctr images import`` reads."""
    version = versions.SPARK[0]
    texts = [file.read_text() for file in sorted(FOLDER.iterdir())]
    layers = [image.base_layer().name, image.spark_layer(version).name]

    def build(work: Path) -> None:
        packages.install(packages.BUILDER)
        base, done, stores = work / "base.tar", work / "image.tar", work / "stores"
        with base.open("wb") as stream:
            image.write_archive(stream, (version,))
        buildah = (*image.ALONE, "buildah", f"--root={stores}/root", f"--runroot={stores}/run")
        env = {"STORAGE_DRIVER": "overlay", "BUILDAH_ISOLATION": "chroot"}
        cache.run(*buildah, "pull", f"docker-archive:{base}:{image.tag(version)}", env=env)
        mounts = [f"--volume={path}:{path}:ro" for path in GIVEN if Path(path).exists()]
        named = (f"--build-arg=SPARK={version}", f"--tag={TAG}")
        cache.run(*buildah, "bud", "--pull-never", *named, *mounts, FOLDER, env=env)
        cache.run(*buildah, "push", TAG, f"docker-archive:{done}:{TAG}", env=env)
        base.unlink()
        cache.run(*image.ALONE, "rm", "-rf", stores)

    return cache.built("image-documented", (*layers, *texts), build) / "image.tar"
