r"""What an operation does, in a line: its SQL, else the chain of its relations, from the plan that Spark shows.

Spark's status shows a plan as protobuf text, ``aggregate {\n  input {\n    sql {\n      query: "select 1"``.
"""

from __future__ import annotations

import re

LONGEST = 1000
_PLAN = 100_000  # characters of a plan that are read: a plan of megabytes says no more
_DEEPEST = 6  # relations in a chain; more is a note
_MOST_NAMES = 3
_RELATIONS = frozenset(
    (
        *("aggregate", "apply_in_pandas_with_state", "approx_quantile", "as_of_join", "cached_local_relation"),
        *("cached_remote_relation", "catalog", "chunked_cached_local_relation", "co_group_map", "collect_metrics"),
        *("corr", "cov", "crosstab", "deduplicate", "describe", "drop_na", "fill_na", "filter", "freq_items"),
        *("group_map", "html_string", "join", "lateral_join", "limit", "local_relation", "map_partitions"),
        *("ml_relation", "nearest_by_join", "offset", "parse", "project", "range", "read", "repartition"),
        *("repartition_by_expression", "replace", "sample", "sample_by", "set_op", "show_string", "sort", "summary"),
        *("tail", "to_df", "to_schema", "transpose", "unpivot", "unresolved_table_valued_function", "with_columns"),
        *("with_columns_renamed", "zip"),
    )
)
"""The names in ``Relation.rel_type`` (``spark/connect/relations.proto``, 4.3) that say what is done."""
_COMMANDS = frozenset(
    (
        *("checkpoint_command", "create_dataframe_view", "execute_external_command", "merge_into_table_command"),
        *("ml_command", "pipeline_command", "register_function", "write_operation", "write_operation_v2"),
        "write_stream_operation_start",
    )
)
"""The same in ``Command.command_type`` (``commands.proto``)."""
_OPENING = re.compile(r"(\w+) \{")
_TEXT = re.compile(r'(\w+): "((?:[^"\\]|\\.)*)"?')
_NAMES = frozenset({"path", "paths", "table_name", "unparsed_identifier"})
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def words_of(plan: str) -> str:
    """The SQL of a plan, after the command that takes its result; without SQL the relations, outermost first."""
    commands: list[str] = []
    relations: list[str] = []
    names: list[str] = []
    query = ""
    for line in plan[:_PLAN].splitlines():
        text = line.strip()
        if opening := _OPENING.fullmatch(text):
            name = opening[1]
            if name in _COMMANDS:
                commands.append(name.partition("_operation")[0])
            elif name in _RELATIONS:
                relations.append(name)
        elif given := _TEXT.fullmatch(text):
            if given[1] == "query":
                query = query or _unescaped(given[2])
            elif given[1] in _NAMES and "\\" not in given[2]:
                names.append(given[2])
    about = f" ({', '.join(dict.fromkeys(names[:_MOST_NAMES]))})" if names else ""
    if query:
        return _cut(f"{commands[0]}{about}: {query}" if commands else query)
    chain = [*commands, *relations]
    return _cut(" ← ".join(chain[:_DEEPEST]) + (" ← …" if len(chain) > _DEEPEST else "") + about)


def _unescaped(text: str) -> str:
    """A protobuf text's value: its escapes are bytes of UTF-8."""

    def plain(found: re.Match[bytes]) -> bytes:
        code = found[1]
        if code[:1] in b"01234567":
            return bytes([int(code, 8) & 0xFF])
        if code[:1] == b"x" and len(code) > 1:
            return bytes([int(code[1:], 16)])
        return _ESCAPES.get(code, code)

    return _ESCAPE.sub(plain, text.encode("utf-8", "replace")).decode("utf-8", "replace")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
