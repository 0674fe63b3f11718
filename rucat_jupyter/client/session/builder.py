"""Lets plain pyspark find the attached session: ``SparkSession.builder``, functions, threads.

pyspark uses environment variables for this (``SPARK_REMOTE``, ``SPARK_CONNECT_MODE_ENABLED``). Child processes would
inherit them, and connect to an address that is not theirs. So pyspark's own functions are replaced in this process.
"""

from __future__ import annotations

import re
import socket
import threading
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import grpc
import pyspark.sql.session
import pyspark.sql.utils
from pyspark.sql.connect.client import DefaultChannelBuilder
from pyspark.sql.connect.session import SparkSession
from pyspark.util import is_remote_only

from ..errors import SessionRefused, hows
from ..words import text
from ..words.phase import notice

DEFAULT_PORT = 15002
_HOST = re.compile(r"[\w.:%-]+")
REACH_S = 5.0  # how long a server may take to accept a connection


class _Active(threading.local):
    """The active session of a thread; by default the attached one, as a child thread inherits it in classic Spark."""

    session: Any = None


class _Shared:
    """The session that pyspark finds, and its engine's name."""

    spark: Any = None
    name = ""


def share(spark: Any, name: str) -> None:
    """Make pyspark find this session in all threads of this process."""
    if _Shared.spark is None:
        for owner, attribute, value in _REPLACED:
            setattr(owner, attribute, value)
    _Shared.spark, _Shared.name = spark, name
    SparkSession._default_session = _Active.session = spark
    SparkSession._active_session = _Active()


def unshare() -> None:
    """Make pyspark what it was before the first :func:`share`."""
    if _Shared.spark is None:
        return
    for (owner, attribute, _), value in zip(_REPLACED, _PLAIN, strict=True):
        setattr(owner, attribute, value)
    if SparkSession._default_session is _Shared.spark:
        SparkSession._default_session = None
    _Shared.spark = _Active.session = None


def _get_or_create(builder: Any) -> Any:
    """Return the attached session with the builder's conf; a master or an address has no effect on it."""
    spark = SparkSession.getActiveSession() or SparkSession._get_default_session()
    if spark is None or spark.is_stopped:
        how = hows(_Shared.name)["attach"]
        raise SessionRefused(f"spark on {text.plain(_Shared.name)} is stopped. Attach it again: {how}")
    for option, method in (("spark.remote", "remote"), ("spark.master", "master")):
        if (value := builder._options.get(option)) is not None:
            if method == "remote" and not str(value).startswith("local"):
                _place(str(value))
            given = f"{method}({_shown(str(value))!r})"
            notice(f"{given} has no effect: this is the session on {text.plain(_Shared.name)}.")
    SparkSession.Builder._apply_options(builder, spark)
    return spark


def _create(builder: Any) -> Any:
    """Connect to the address that the builder names; without one there is no second session on the attached engine."""
    remote = str(builder._options.get("spark.remote") or "")
    if getattr(builder, "_channel_builder", None) is None:
        if not remote or remote.startswith("local"):
            raise SessionRefused(
                f"SparkSession.builder.create() needs an address here, remote('sc://…'): spark is attached to "
                f"{text.plain(_Shared.name)}, and builder.getOrCreate() returns it."
            )
        _reach(remote)
    plain = SparkSession.Builder() if not isinstance(builder, SparkSession.Builder) else builder
    plain._options.update(builder._options)
    return _PLAIN_CREATE(plain)


def _shown(remote: str) -> str:
    """An address without its parameters: a token may be among them."""
    return text.plain(remote.partition(";")[0])


def _place(remote: str) -> tuple[str, int]:
    """Host and port of an address; refuses one that is malformed, which pyspark would try for minutes."""
    try:
        parts = urlsplit(remote)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORT
        is_address = parts.scheme == "sc" and _HOST.fullmatch(host) is not None
    except ValueError:  # a port that is no number, an unfinished [
        is_address = False
    if not is_address:
        raise SessionRefused(f"{_shown(remote)!r} is not an address of Spark Connect: sc://host:port")
    return host, port


def _reach(remote: str) -> None:
    """Refuse an address where no server of gRPC answers: pyspark would try it for minutes."""
    host, port = _place(remote)
    refused = f"No Spark Connect server at {text.plain(host)}:{port}: "
    if not getproxies():  # else it is the proxy that finds it
        try:
            socket.create_connection((host, port), timeout=REACH_S).close()
        except (OSError, UnicodeError) as error:
            raise SessionRefused(f"{refused}{error}") from None
    channel = DefaultChannelBuilder(remote).toChannel()
    try:
        grpc.channel_ready_future(channel).result(timeout=REACH_S)
    except grpc.FutureTimeoutError:
        raise SessionRefused(f"{refused}no answer in {REACH_S:.0f} s") from None
    finally:
        channel.close()


def _no_context(context: Any, *args: Any, **options: Any) -> None:
    """Refuse a SparkContext: it would start a second Spark in this process."""
    raise SessionRefused(
        f"Spark Connect has no SparkContext, and spark is attached to {text.plain(_Shared.name)}. "
        "Use spark: createDataFrame() and DataFrame.mapInPandas() do what parallelize() and map() do."
    )


_PLAIN_CREATE = SparkSession.Builder.create
_REPLACED: list[tuple[Any, str, Any]] = [
    (pyspark.sql.utils, "is_remote_only", lambda: True),  # all that is_remote() looks at besides the environment
    (pyspark.sql.session.SparkSession.Builder, "getOrCreate", _get_or_create),
    (pyspark.sql.session.SparkSession.Builder, "create", _create),
    (SparkSession.Builder, "getOrCreate", _get_or_create),
    (SparkSession.Builder, "create", _create),
    (SparkSession, "_active_session", _Active()),
]
if not is_remote_only():  # pyspark-client has no SparkContext
    from pyspark.core.context import SparkContext

    _REPLACED.append((SparkContext, "__init__", _no_context))
_PLAIN = [getattr(owner, attribute) for owner, attribute, _ in _REPLACED]
