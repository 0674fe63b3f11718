"""Prepares containerd's folder with all images once, and gives each cluster a copy in about a second.

The files of images never change: overlay mounts write elsewhere, so copies share them by hard links where the file
system allows it. Only containerd's own small databases are copied.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from . import cache, image, network, node, spaces
from .layout import Layout

NUMBER = 249  # of the namespaces that the preparation uses; it needs no network


def prepared(spark_versions: tuple[str, ...]) -> Path:
    """Give the folder to copy, made the first time."""
    layers = [image.pause_layer(), image.base_layer(), *(image.spark_layer(version) for version in spark_versions)]

    def build(work: Path) -> None:
        folder = Path(tempfile.mkdtemp(prefix="rucat-images-", dir=work))
        layout = Layout(folder, NUMBER)
        (folder / "logs").mkdir()
        spaces.claim(layout)
        process = None
        try:
            process, pid = spaces.start(layout, tied=True)
            network.mount(layout, pid)
            node.start_containerd(layout, pid)
            node.load_images(pid, spark_versions)
            spaces.stop_process(layout, "containerd")
        finally:
            spaces.end(layout, process.pid if process else None)
            spaces.forget(process)
        (folder / "containerd").rename(work / "containerd")
        shutil.rmtree(folder)

    return cache.built("images", (node.CONFIG, *(layer.name for layer in layers)), build) / "containerd"


def give(layout: Layout, spark_versions: tuple[str, ...]) -> None:
    """Copy it into a cluster's folder."""
    source, target = prepared(spark_versions), layout.folder / "containerd"
    linked = source.stat().st_dev == layout.folder.stat().st_dev
    cache.run("cp", "-al" if linked else "-a", source, target)
    if linked:
        for path in target.rglob("*.db"):
            copied = path.with_suffix(".copy")
            shutil.copy2(path, copied)
            copied.replace(path)
