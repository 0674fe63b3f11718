"""Spark's own settings with their documentation, read from the classes of the installed pyspark; no Java runs.

Spark declares each setting in the static initializer of a Scala object, always in the same words::

    ConfigBuilder("spark.x").doc("…").version("…").intConf.createWithDefault(200)

so the constants that the initializer loads, and the methods that it calls, tell key, meaning and default in the
order in which they are written. Class file format and instructions: The Java Virtual Machine Specification (Java 17),
chapters 4 and 6.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .jars import BadJar, read_members

HOMES = re.compile(
    rb"org/apache/spark/(internal/config/(?!Config|Tests)\w+|sql/internal/((Static)?SQLConf|SqlApiConfHelper)"
    rb"|sql/connect/config/Connect|deploy/k8s/Config|streaming/StreamingConf|sql/hive/HiveUtils)\$\.class"
)
"""The objects in which Spark declares its settings (by name: to look into all of its classes takes seconds)."""
KEYS = b"org/apache/spark/sql/internal/SqlApiConfHelper$.class"
"""Keys that SQLConf takes from elsewhere."""
JARS = ("sql-api", "core", "catalyst", "connect", "kubernetes", "hive", "streaming")
FORMAT = 1  # of the file in which they are kept

_STARTS = ("buildConf", "buildStaticConf")
_UNCHANGED = ("boxTo", "augmentString", "stripMargin")  # calls that leave the constant what it is
_PACKAGE = "org/apache/spark/internal/config/"
_BUILDER = f"{_PACKAGE}ConfigBuilder"
_TWO, _THREE, _FIVE = {16, 18, 169, 188, *range(21, 26), *range(54, 59)}, {17, 19, 20, 132, 187, 189, 192, 193}, 5
_THREE |= {198, 199, *range(153, 169), *range(178, 185)}
_LENGTHS = [2 if op in _TWO else 3 if op in _THREE else 1 for op in range(256)]
_LENGTHS[197], _LENGTHS[185], _LENGTHS[186], _LENGTHS[200], _LENGTHS[201] = 4, _FIVE, _FIVE, _FIVE, _FIVE
_TABLESWITCH, _LOOKUPSWITCH, _WIDE, _IINC, _BRANCH = 170, 171, 196, 132, 153
_SMALL = {2: -1, 3: 0, 4: 1, 5: 2, 6: 3, 7: 4, 8: 5, 9: 0, 10: 1, 11: 0.0, 12: 1.0, 13: 2.0, 14: 0.0, 15: 1.0}
"""What iconst, lconst, fconst and dconst push."""


class Setting(NamedTuple):
    """One setting: its default (None: it has none, or it is computed), its meaning, and since when Spark has it."""

    key: str
    default: str | None
    kind: str  # "boolean", "int", "bytes", …
    doc: str
    since: str

    @property
    def text(self) -> str:
        """All of it, for a tooltip."""
        default = "" if self.default is None else f"default {self.default or 'empty'}"
        facts = ", ".join(filter(None, [self.kind, default, f"since Spark {self.since}" if self.since else ""]))
        return f"{self.key}  ({facts})\n\n{self.doc or 'Spark says no more of it.'}"


def load(cache: Path | None = None) -> dict[str, Setting]:
    """Spark's settings by key, from the file in ``cache`` where there is one; empty without a pyspark with jars."""
    jars = _jars()
    if not jars:
        return {}
    kept = cache / f"spark-settings-{FORMAT}-{_stamp(jars)}.json" if cache is not None else None
    if kept is not None and (known := _read(kept)) is not None:
        return known
    try:
        found = read_jars(jars)
    except (OSError, BadJar, struct.error, LookupError, TypeError):
        return {}  # jars of another make: Tab knows no settings
    if kept is not None:
        _keep(kept, found)
    return found


def read_jars(jars: list[Path]) -> dict[str, Setting]:
    """Read the settings that the jars declare, those left out that Spark calls internal."""
    keys: dict[str, str] = {}
    classes: list[bytes] = []
    for jar in jars:
        for name, data in read_members(jar, HOMES):
            if name == KEYS:
                keys.update(_fields(data))
            else:
                classes.append(data)
    found = {setting.key: setting for data in classes for setting in _settings(data, keys)}
    return dict(sorted(found.items()))


def _jars() -> list[Path]:
    """The jars to read; pyspark is found, not imported."""
    spec = importlib.util.find_spec("pyspark")
    home = os.environ.get("SPARK_HOME") or next(iter(spec.submodule_search_locations or ()), None) if spec else None
    folder = Path(home) / "jars" if home else None
    names = "|".join(JARS)
    pattern = re.compile(rf"spark-({names})_[\d.]+-.*\.jar")
    return sorted(jar for jar in folder.iterdir() if pattern.fullmatch(jar.name)) if folder and folder.is_dir() else []


def _stamp(jars: list[Path]) -> str:
    """What tells one installed Spark from another: the version in a jar's name, and the size of all."""
    return f"{jars[0].stem.rpartition('-')[2]}-{sum(jar.stat().st_size for jar in jars):x}"


def _read(kept: Path) -> dict[str, Setting] | None:
    try:
        return {row[0]: Setting(*row) for row in json.loads(kept.read_bytes())}
    except (OSError, ValueError, TypeError):
        return None  # none, or half of one: it is made anew


def _keep(kept: Path, found: dict[str, Setting]) -> None:
    fresh = kept.with_suffix(f".{os.getpid()}")
    try:
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        fresh.write_text(json.dumps(list(found.values())), "utf-8")
        fresh.replace(kept)
    except OSError:
        return  # a folder that cannot be written: they are read again in the next kernel


# --- class files ------------------------------------------------------------------------------------------


def _settings(data: bytes, keys: dict[str, str]) -> Iterator[Setting]:
    """The settings that one class declares."""
    pool, end = _pool(data)
    last: Any = None
    made: dict[str, Any] = {}
    for op, value in _instructions(_initializer(data, pool, end)):
        if op == 0:  # a constant
            last = value
        elif op == _BRANCH:
            made["computed"] = True
        elif op in (18, 19, 20):  # ldc, ldc_w, ldc2_w
            last = _constant(pool, value)
        elif op == 186:
            last = _recipe(pool, value, last)
        elif 182 <= op <= 185:  # a call
            owner, name = _called(pool, value)
            if name in _STARTS or (owner == _BUILDER and name == "<init>"):
                made, last = {"key": last}, None
            elif made and owner.startswith(_PACKAGE):
                yield from _told(made, name, last)
                last = None
            elif not name.startswith(_UNCHANGED):
                last = keys.get(name)


def _fields(data: bytes) -> Iterator[tuple[str, str]]:
    """The static fields that a class sets to a text."""
    pool, end = _pool(data)
    last: Any = None
    for op, value in _instructions(_initializer(data, pool, end)):
        if op == 179 and isinstance(last, str):  # putstatic
            yield _called(pool, value)[1], last
        last = _constant(pool, value) if op in (18, 19) else None


def _told(made: dict[str, Any], name: str, last: Any) -> Iterator[Setting]:
    """Take one call of the builder; the last one makes the setting."""
    if name in ("doc", "version"):
        made[name] = last if isinstance(last, str) else ""
    elif name == "internal":
        made["internal"] = True
    elif name.endswith("Conf") and name != "fallbackConf":
        made["kind"] = name.removesuffix("Conf")
    elif name.startswith("create") or name == "fallbackConf":
        key = made.get("key")
        is_said = name in ("createWithDefault", "createWithDefaultString") and not made.get("computed")
        kind = str(made.get("kind", ""))
        default = _default(kind, last) if is_said else None
        if isinstance(key, str) and key.startswith("spark.") and not made.get("internal"):
            doc = " ".join(str(made.get("doc") or "").replace("\n|", "\n").split())
            yield Setting(key, default, kind, doc, str(made.get("version") or ""))
        made.clear()


def _default(kind: str, value: Any) -> str | None:
    if value is None or (kind in ("int", "long", "double", "boolean") and isinstance(value, str)):
        return None
    return ("true" if value else "false") if kind == "boolean" else str(value)


def _pool(data: bytes) -> tuple[list[Any], int]:
    """The constant pool, each entry as (tag, value), and where it ends (JVMS 4.4)."""
    count = struct.unpack_from(">H", data, 8)[0]
    pool: list[Any] = [None] * count
    at, index = 10, 1
    while index < count:
        tag = data[at]
        if tag == 1:  # Utf8
            size = (data[at + 1] << 8) | data[at + 2]
            pool[index] = data[at + 3 : at + 3 + size]
            at += 3 + size
        else:
            shape, size = _SHAPES[tag]
            pool[index] = (tag, *struct.unpack_from(shape, data, at + 1))
            at += 1 + size
        index += 2 if tag in (5, 6) else 1  # long and double take two places
    return pool, at


_SHAPES = {3: (">i", 4), 4: (">f", 4), 5: (">q", 8), 6: (">d", 8), 15: (">BH", 3)}
_SHAPES |= dict.fromkeys((9, 10, 11, 12, 17, 18), (">HH", 4))
_SHAPES |= dict.fromkeys((7, 8, 16, 19, 20), (">H", 2))


def _utf8(pool: list[Any], index: int) -> str:
    found: bytes = pool[index]
    return found.decode("utf-8", "replace")


def _constant(pool: list[Any], index: int) -> Any:
    entry = pool[index]
    if entry[0] == 8:  # String
        return _utf8(pool, entry[1])
    return entry[1] if entry[0] in (3, 4, 5, 6) else None


def _called(pool: list[Any], index: int) -> tuple[str, str]:
    _, owner, what = pool[index]
    return _utf8(pool, pool[owner][1]), _utf8(pool, pool[what][1])


def _recipe(pool: list[Any], index: int, last: Any) -> Any:
    """What an invokedynamic leaves: a lambda changes nothing, a text that is put together is not known here."""
    name = _utf8(pool, pool[pool[index][2]][1])
    return None if name.startswith("makeConcat") else last


def _initializer(data: bytes, pool: list[Any], at: int) -> bytes:
    """The code of the static initializer (JVMS 4.6, 4.7.3)."""
    interfaces = struct.unpack_from(">H", data, at + 6)[0]
    at += 8 + 2 * interfaces
    for is_method in (False, True):
        members = struct.unpack_from(">H", data, at)[0]
        at += 2
        for _ in range(members):
            name, _, attributes = struct.unpack_from(">HHH", data, at + 2)
            at += 8
            for _ in range(attributes):
                what, size = struct.unpack_from(">HI", data, at)
                if is_method and pool[name] == b"<clinit>" and pool[what] == b"Code":
                    length = struct.unpack_from(">I", data, at + 10)[0]
                    return data[at + 14 : at + 14 + length]
                at += 6 + size
    return b""


def _instructions(code: bytes) -> Iterator[tuple[int, Any]]:
    """The constants (as 0), branches, loads and calls of some code, in order (JVMS 6.5)."""
    at, end = 0, len(code)
    while at < end:
        op = code[at]
        if op in _SMALL:
            yield 0, _SMALL[op]
        elif op == 16:
            yield 0, struct.unpack_from(">b", code, at + 1)[0]
        elif op == 17:
            yield 0, struct.unpack_from(">h", code, at + 1)[0]
        elif op == 18:
            yield op, code[at + 1]
        elif 153 <= op <= 167:
            yield _BRANCH, None
        elif op in (19, 20, 179, 182, 183, 184, 185, 186):
            yield op, (code[at + 1] << 8) | code[at + 2]
        at += _length(code, at, op)


def _length(code: bytes, at: int, op: int) -> int:
    if op == _WIDE:
        return 6 if code[at + 1] == _IINC else 4
    if op not in (_TABLESWITCH, _LOOKUPSWITCH):
        return _LENGTHS[op]
    padded = (at + 4) & ~3
    if op == _LOOKUPSWITCH:
        pairs: int = struct.unpack_from(">i", code, padded + 4)[0]
        return padded + 8 + 8 * pairs - at
    low, high = struct.unpack_from(">ii", code, padded + 4)
    return int(padded + 12 + 4 * (high - low + 1) - at)
