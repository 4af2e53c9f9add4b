"""The verbs of `slidesmith kg` as a user calls them; the commands of the documentation are run as they stand there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from flows.cli import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "knowledge_graph.md"
COMMANDS = [  # the agreement is asked for below, on a graph that was built with NCIt
    command
    for command in re.findall(r"^slidesmith (kg .+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    if not command.startswith("kg agreement")
]


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    main(["kg", *arguments, "--json"])
    return json.loads(capsys.readouterr().out)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["kg", *arguments])
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_paths_cite_a_source_on_every_hop_and_tell_no_walk_twice(capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, "paths", "--from", "solid architecture", "--to", "SSG:breast_medullary_carcinoma")
    assert found["paths"]
    assert all(hop["sources"] and hop["edge_ids"] for path in found["paths"] for hop in path["hops"])
    told = [tuple(hop["text"] for hop in path["hops"]) for path in found["paths"]]
    assert len(set(told)) == len(told)


def test_link_tells_status(capsys: pytest.CaptureFixture[str]) -> None:
    text = "Solid architecture with prominent nucleoli. No geographic necrosis is seen."
    status = {row["label"]: row["status"] for row in asked(capsys, "link", text)["links"]}
    assert status["solid architecture"] == "present"
    assert status["geographic necrosis"] == "absent"


def test_a_built_graph_is_used_by_every_verb_and_built_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "graph"
    made = asked(capsys, "build", "--out", str(folder))
    assert made["report"]["sources"][0]["name"] == "starter"
    assert json.loads((folder / "report.json").read_text()) == made["report"]
    assert asked(capsys, "stats", "--graph", str(folder))["nodes"] == made["nodes"]
    assert "is there already" in complaint(capsys, "build", "--out", str(folder))


def test_exports_stand_where_they_were_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, turtle, tables = tmp_path / "a" / "n.html", tmp_path / "a" / "g.ttl", tmp_path / "kgx"
    where = ("--html", str(page), "--turtle", str(turtle), "--kgx", str(tables))
    assert asked(capsys, "export", *where, "--concept", "squamous cell carcinoma") == {
        "html": "n.html",
        "turtle": "g.ttl",
        "kgx": "kgx",
    }
    drawn = page.read_text(encoding="utf-8")
    assert "keratin pearls" in drawn
    assert "<script" not in drawn
    assert "prov:Activity" in turtle.read_text(encoding="utf-8")
    assert sorted(path.name for path in tables.iterdir()) == ["edges.tsv", "nodes.tsv"]


def test_a_drawn_neighbourhood_shows_every_category_of_its_neighbours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "n.html"
    asked(capsys, "export", "--html", str(page), "--concept", "adenocarcinoma of the lung", "--limit", "6")
    drawn = page.read_text(encoding="utf-8")
    assert drawn.count("<circle") == 7
    for category in ("Biomarker", "MorphologicFinding", "Neoplasm"):
        assert f"</i>{category}" in drawn


def test_the_starter_graph_keeps_its_promises_by_shacl_too(capsys: pytest.CaptureFixture[str]) -> None:
    report = asked(capsys, "validate")
    assert report["violations"] == []
    assert report["shacl_signatures"] > 10


def test_sparql_is_answered_with_the_known_prefixes(capsys: pytest.CaptureFixture[str]) -> None:
    query = 'select ?concept where { ?concept skos:prefLabel "keratin pearls" }'
    ((concept,),) = (row.values() for row in asked(capsys, "query", query)["rows"])
    assert concept.endswith("/keratin_pearls")
    assert "no SPARQL" in complaint(capsys, "query", "select where")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("agreement",), "holds nothing of infores:ncit"),
        (("export",), "nothing to export to"),
        (("export", "--html", "x.html"), "one concept"),
        (("paths", "--from", "zzz", "--to", "necrosis"), "no concept is called 'zzz'"),
        (("build", "--out", "x", "--source", "ncit"), "--sources-dir"),
        (("stats", "--graph", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    complained = complaint(capsys, *arguments)
    assert says in complained
    assert len(complained.splitlines()) == 1


@pytest.mark.slide
def test_local_copies_are_kept_and_the_starter_graph_is_held_against_ncit(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = asked(capsys, "fetch", "--sources-dir", str(shared / "kg"), "--source", "oncotree", "--source", "pato")
    assert told["sources"] == [{"source": "oncotree", "what": "kept"}, {"source": "pato", "what": "kept"}]
    folder = str(tmp_path / "graph")
    asked(capsys, "build", "--out", folder, "--sources-dir", str(shared / "kg"), "--source", "ncit")
    held = asked(capsys, "agreement", "--graph", folder)
    assert held["verdicts"]["agrees"] >= 10
    assert "contradicts" not in held["verdicts"]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_documentation_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.txt").write_text("Keratin pearls are present.", encoding="utf-8")
    (tmp_path / "ontologies").symlink_to(shared / "kg")
    if "--graph graph" in command:
        main(["kg", "build", "--out", "graph"])
    main(shlex.split(command.replace("--source ncit --source mondo --source mondo-ncit", "--source oncotree")))
    assert capsys.readouterr().out.strip()
