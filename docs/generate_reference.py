"""The reference pages that follow from code: every verb of the command line, and the public Python.

`python docs/generate.py` writes them with the others; a test holds that they are current. Modules are read, not
imported: the page needs no torch.
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import click

from flows.cli import cli

_OWN = re.compile(r"^(?:self|cls)(?:, )?")
_LISTS = {"Args", "Attributes", "Raises"}
DOCS = Path(__file__).resolve().parent
_FOR_MACHINES = {"as_json", "help"}
MODULES = {
    "Text to concepts": ["kg.link", "kg.lexicon", "kg.build", "kg.sources"],
    "Reading and handing on releases": [
        "tasks.releases.read",
        "tasks.releases.publish",
        "tasks.releases.verify",
        "tasks.releases.pull",
        "tasks.releases.diff",
        "tasks.releases.lineage",
        "tasks.releases.tags",
        "tasks.releases.retract",
        "tasks.releases.exports",
    ],
    "Screening": ["tasks.screening.items", "tasks.screening.formats", "tasks.screening.screen"],
    "Training": [
        "training.release",
        "training.loader",
        "training.losses",
        "training.encoder",
        "training.contrastive",
        "training.evaluate",
        "training.rewards",
        "training.sft",
        "training.grpo",
    ],
    "Contracts": ["schemas.arrow", "schemas.ids", "schemas.errors", "schemas.rejection", "schemas.migrations"],
}
_SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Shapes|Frame|Determinism|References|Example):\s*(.*)$")


def command_line() -> str:
    """Return the reference of the command line as Markdown: every verb, argument and option."""
    lines = [
        "# Command line",
        "",
        "Generated from `flows/commands/` by `python docs/generate.py`. Exit codes: 0 success, 1 a run that failed, 2",
        "input that cannot be used, 3 a screening cell that fails, 130 interrupted.",
        "",
    ]
    root = click.Context(cli, info_name="slidesmith")
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        assert command is not None  # noqa: S101 - names come from the group itself
        lines += _verb(command, click.Context(command, info_name=name, parent=root), 2)
    return "\n".join(lines)


def _verb(command: click.Command, context: click.Context, level: int) -> list[str]:
    paragraphs = [" ".join(part.split()) for part in inspect.cleandoc(command.help or "").split("\n\n")]
    lines = [f"{'#' * level} {context.command_path}", "", "\n\n".join(paragraphs), ""]
    if isinstance(command, click.Group):
        for name, verb in command.commands.items():
            lines += _verb(verb, click.Context(verb, info_name=name, parent=context), level + 1)
        return lines
    usage = " ".join(command.collect_usage_pieces(context))
    lines += ["```text", f"{context.command_path} {usage}", "```", ""]
    options = [option for option in command.params if isinstance(option, click.Option)]
    rows = [_option(option) for option in options if option.name not in _FOR_MACHINES]
    if rows:
        lines += ["| option | value | default | meaning |", "|---|---|---|---|", *rows, ""]
    if any(option.name == "as_json" for option in options):
        lines += ["Prints one JSON object with `--json`.", ""]
    return lines


def _option(option: click.Option) -> str:
    kind = option.type
    if option.is_flag:
        value = ""
    elif isinstance(kind, click.Choice):
        value = " or ".join(f"`{choice}`" for choice in kind.choices)
    elif isinstance(kind, click.IntRange):
        value = "integer" + (f" from {kind.min}" if kind.min is not None else "")
        value += f" to {kind.max}" if kind.max is not None else ""
    else:
        value = (option.metavar or kind.name).lower()
    value += ", repeatable" if option.multiple else ""
    given = option.to_info_dict()["default"]
    shown = "required" if option.required else "" if option.is_flag or given in (None, (), []) else f"`{given}`"
    return f"| `{'`, `'.join(option.opts)}` | {value} | {shown} | {_cell(option.help or '')} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def python() -> str:
    """Return the reference of the public Python as Markdown: modules, their classes, methods and functions."""
    lines = [
        "# Python",
        "",
        "Generated from signatures and docstrings by `python docs/generate.py`. The project is run from its checkout;",
        "these modules are meant to be imported. Records and their columns: [data dictionary](../data_dictionary.md).",
        "",
    ]
    for title, modules in MODULES.items():
        lines += [f"## {title}", ""]
        for module in modules:
            lines += _module(module)
    return "\n".join(lines).rstrip() + "\n"


def _module(name: str) -> list[str]:
    tree = ast.parse((DOCS.parent / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8"))
    lines = [f"### {name}", "", *_prose(tree), ""]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            lines += _class(node)
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            lines += _function(node, node.name)
    return lines


def _class(node: ast.ClassDef) -> list[str]:
    fields = [_field(part) for part in node.body if isinstance(part, ast.AnnAssign)]
    made = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
    head = f"class {node.name}({', '.join(map(ast.unparse, node.bases))})".replace("()", "") + ":"
    body = [f"    {field}" for field in fields if not field.startswith("_")]
    body += [f"    def __init__({_OWN.sub('', ast.unparse(part.args))})" for part in made]
    lines = [
        f"#### `{node.name}`",
        "",
        "```python",
        *([head, *body] if body else [head[:-1]]),
        "```",
        "",
        *_prose(node),
        "",
    ]
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and ast.get_docstring(method) and method.name[0] != "_":
            lines += _function(method, f"{node.name}.{method.name}")
    return lines


def _field(node: ast.AnnAssign) -> str:
    said = ast.unparse(node)
    return said if node.value is None or isinstance(node.value, ast.Constant) else said.partition(" = ")[0]


def _function(node: ast.FunctionDef, name: str) -> list[str]:
    returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    is_property = any(ast.unparse(mark).endswith("property") for mark in node.decorator_list)
    arguments = "" if is_property else f"({_OWN.sub('', ast.unparse(node.args))})"
    return [f"#### `{name}`", "", "```python", f"{name}{arguments}{returned}", "```", "", *_prose(node), ""]


def _prose(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> list[str]:
    """Return a docstring of Google style as Markdown: its sections are bold, their entries a list."""
    lines: list[str] = []
    within = ""
    for line in (ast.get_docstring(node) or "").splitlines():
        if section := _SECTION.match(line):
            within = section[1]
            lines += [f"**{within}** {section[2]}".rstrip(), ""]
        elif within in _LISTS and re.match(r"^ {4}\S", line):
            name, colon, meaning = line.strip().partition(": ")
            lines.append(f"- `{name}`: {meaning}" if colon else f"- {line.strip()}")
        elif within in _LISTS and line.startswith(" "):
            lines.append(f"    {line.strip()}")
        else:
            lines.append(line.strip() if within else line)
    return lines
