"""What the documents say is there, is there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from flows.cli import _VERBS
from flows.config import load_config
from kg.sources import register

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_current() -> None:
    for page, text in script("generate").pages().items():
        written = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert written == text, f"run `python docs/generate.py`: {page} is out of date"


def test_every_page_has_its_place_in_the_navigation() -> None:
    named = re.findall(r"(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    named.remove("changelog.md")  # made of CHANGELOG.md
    assert sorted(named) == sorted(str(page.relative_to(ROOT / "docs")) for page in PAGES[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_verbs_named_in_the_documents_exist(page: Path) -> None:
    for verb in re.findall(r"slidesmith ([a-z]+)", page.read_text(encoding="utf-8")):
        assert verb in _VERBS, f"{page.name} names `slidesmith {verb}`"


def test_every_key_of_the_configuration_is_explained() -> None:
    table = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = [
        line for section in table.split("|---|---|---|---|\n")[1:] for line in section.split("\n\n")[0].splitlines()
    ]
    assert [row for row in rows if not (row.startswith("| `") and row.endswith(" |")) or row.endswith("|  |")] == []
    assert {"| `lora_rank`", "| `kl`", "| `tiling.tile_px`"} <= {" |".join(row.split(" |")[:1]) for row in rows}


def test_the_site_loads_nothing_from_elsewhere() -> None:
    errors = pytest.importorskip("mkdocs.exceptions")
    page = SimpleNamespace(file=SimpleNamespace(src_path="a.md"))
    hooks = script("site_hooks")
    linked = '<a href="https://openslide.org/">OpenSlide</a><link rel="canonical" href="https://example.org/">'
    assert hooks.on_post_page(linked, page) == linked
    for loaded in (
        '<script src="https://unpkg.com/x.js">',
        '<link rel="stylesheet" href="https://fonts.example/a.css">',
    ):
        with pytest.raises(errors.PluginError, match=r"a\.md loads from elsewhere"):
            hooks.on_post_page(linked + loaded, page)


def test_a_list_right_after_its_sentence_is_a_list_on_the_site() -> None:
    pytest.importorskip("mkdocs")
    read = script("site_hooks").on_page_markdown
    assert read("Two:\n- one\n  more\n- two") == "Two:\n\n- one\n  more\n- two"
    assert read("```yaml\nkey:\n- one\n```") == "```yaml\nkey:\n- one\n```"


def test_the_first_configuration_of_the_readme_is_valid_with_the_graph_and_without(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    plain = re.findall(r"```yaml\n(.+?)```", text, re.DOTALL)[0]
    with_graph = re.sub(r"^# ", "", plain, flags=re.MULTILINE)
    for yaml in (plain, with_graph):
        (tmp_path / "curation.yaml").write_text(yaml, encoding="utf-8")
        config = load_config(tmp_path / "curation.yaml")
    assert config.graph.sources == tuple(re.findall(r"--source (\w+)", with_graph))
    assert set(config.graph.sources) <= set(register())


def test_sources_are_fetched_before_a_graph_is_built_of_them() -> None:
    page = (ROOT / "docs" / "knowledge_graph.md").read_text(encoding="utf-8")
    verbs = re.findall(r"^slidesmith kg (\w+) (.*--sources-dir.*)$", page, re.MULTILINE)
    assert [verb for verb, _ in verbs] == ["fetch", "build"]
    fetched, built = (re.findall(r"--source (\S+)", rest) for _, rest in verbs)
    assert set(fetched) >= set(built) > set()
