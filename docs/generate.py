"""Write the pages of `docs/` that follow from code: data dictionary, configuration, command line and Python.

Run `python docs/generate.py`; a test holds that the pages are current.
"""

from __future__ import annotations

import runpy
import types
import typing
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flows.config import RunConfig
from schemas.arrow import schema_of
from schemas.records import TABLES
from training.tuning_config import GrpoConfig, SftConfig

DOCS = Path(__file__).resolve().parent
_HEAD = ("| key | type | default | meaning |", "|---|---|---|---|")


def data_dictionary() -> str:
    """Return the data dictionary as Markdown: every column of every table."""
    lines = [
        "# Data dictionary",
        "",
        "Generated from `schemas/records/` by `python docs/generate.py`. In a release every table has a column `split`",
        "as well: `train`, `val` or `test`, by patient; null where a row has no patient.",
        "",
    ]
    for name, record in TABLES.items():
        lines += [f"## {name}", "", (record.__doc__ or "").strip().splitlines()[0], ""]
        lines += ["| column | type | null | meaning |", "|---|---|---|---|"]
        lines += [row for column in schema_of(record) for row in _column_rows(column, "")]
        lines.append("")
    return "\n".join(lines)


def _column_rows(column: pa.Field, prefix: str) -> list[str]:
    meaning = (column.metadata or {}).get(b"doc", b"").decode()
    inner = column.type.value_type if pa.types.is_list(column.type) else column.type
    kind = ("list of " if pa.types.is_list(column.type) else "") + (
        "struct" if pa.types.is_struct(inner) else str(inner)
    )
    rows = [f"| `{prefix}{column.name}` | {kind} | {'yes' if column.nullable else ''} | {meaning} |"]
    if pa.types.is_struct(inner):
        rows += [row for part in inner for row in _column_rows(part, f"{prefix}{column.name}.")]
    return rows


def configuration() -> str:
    """Return the configuration reference as Markdown: every key, its default and its meaning."""
    lines = [
        "# Configuration",
        "",
        "A run reads one YAML file. Unknown keys and values out of range are errors that name the key.",
        "Relative paths are relative to the file. Generated from the models by `python docs/generate.py`.",
        "",
        *_HEAD,
        *_keys(RunConfig, ""),
        "",
    ]
    for title, verb, model in (("Supervised fine-tuning", "sft", SftConfig), ("GRPO", "grpo", GrpoConfig)):
        lines += [f"## {title}", "", f"`slidesmith train {verb}` reads a YAML file of its own, with these keys.", ""]
        lines += [*_HEAD, *_keys(model, ""), ""]
    return "\n".join(lines)


def _keys(model: type[BaseModel], prefix: str) -> list[str]:
    rows = []
    for name, info in model.model_fields.items():
        sections = _sections(info.annotation)
        if sections and info.description:
            rows.append(f"| `{prefix}{name}` | section | {_default(info)} | {_meaning(info)} |")
        for section in sections:
            kind = (
                section.model_fields["kind"].default if "kind" in section.model_fields and len(sections) > 1 else None
            )
            rows += _keys(section, f"{prefix}{name}({kind})." if kind else f"{prefix}{name}.")
        if not sections:
            rows.append(f"| `{prefix}{name}` | {_kind(info.annotation)} | {_default(info)} | {_meaning(info)} |")
    return rows


def _members(hint: Any) -> list[Any]:
    """Return what a type may be: the members of a union, without annotations."""
    if typing.get_origin(hint) is Annotated:
        return _members(typing.get_args(hint)[0])
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        return [member for part in typing.get_args(hint) for member in _members(part)]
    return [hint]


def _sections(hint: Any) -> list[type[BaseModel]]:
    return [member for member in _members(hint) if isinstance(member, type) and issubclass(member, BaseModel)]


def _kind(hint: Any) -> str:
    return " or ".join(_word(member) for member in _members(hint))


def _word(hint: Any) -> str:
    if hint is type(None):
        return "null"
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in typing.get_args(hint))
    if typing.get_origin(hint) in {tuple, list}:
        return f"list of {_kind(typing.get_args(hint)[0])}"
    if typing.get_origin(hint) is dict:
        return "mapping"
    return {"str": "text", "int": "integer", "float": "number", "bool": "yes or no", "Path": "path"}.get(
        hint.__name__, hint.__name__
    )


def _meaning(info: FieldInfo) -> str:
    return " ".join((info.description or "").split())  # a cell of a table is one line


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return f"`{value.kind}`" if hasattr(value, "kind") else ""
    return "null" if value is None else f"`{value}`"


def pages() -> dict[str, str]:
    """Return every generated page by its path in `docs/`."""
    reference = runpy.run_path(str(DOCS / "generate_reference.py"))
    return {
        "data_dictionary.md": data_dictionary(),
        "configuration.md": configuration(),
        "reference/cli.md": reference["command_line"](),
        "reference/python.md": reference["python"](),
    }


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (DOCS / name).parent.mkdir(exist_ok=True)
        (DOCS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
