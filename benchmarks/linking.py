"""Figures of the linker on hand-labelled sentences, with two simpler matchers beside it in the same run.

    python -m benchmarks.linking [--sources-dir FOLDER] [--reports FILE] [--json FILE] [--quick]

The contestants see the same surface forms: `substring` looks for every form anywhere in the text, as PathReasoner's
entity matcher does ("duct" in "by-product"); `flashtext` is that library, where it is installed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._claims import Figures, keep
from kg.build import build_graph
from kg.forms import STOP_WORDS, fold, words_only
from kg.gold import Labelled, Sentence, read_marked, read_standoff, score
from kg.lexicon import Lexicon
from kg.link import Linker
from kg.sources import load_sources, starter_source

ROOT = Path(__file__).resolve().parent.parent
LABELS = ROOT / "tests" / "data" / "linking"
SHARED = ROOT.parent / "shared"
REPORTS = SHARED / "text" / "pathreasoner_diagnosis_example.json"
SENTENCES_PER_TEXT = 15
Matcher = Callable[[str], list[tuple[int, int]]]


def sentences(reports: Path) -> list[Sentence]:
    """Return the labelled sentences: ours, and those in the shared reports where these are there."""
    ours = read_marked(LABELS / "sentences.tsv")
    return ours + (read_standoff(LABELS / "shared_reports.tsv", reports) if reports.is_file() else [])


def substring_matcher(forms: list[str]) -> Matcher:
    """Return a matcher that finds every form anywhere, inside words too."""
    import ahocorasick

    automaton = ahocorasick.Automaton()
    for form in forms:
        automaton.add_word(form, len(form))
    automaton.make_automaton()
    return lambda text: [(last + 1 - length, last + 1) for last, length in automaton.iter(fold(text))]


def flashtext_matcher(forms: list[str]) -> Matcher:
    """Return flashtext's matcher on the same forms."""
    processor = importlib.import_module("flashtext").KeywordProcessor()
    for form in forms:
        processor.add_keyword(form, form)

    def find(text: str) -> list[tuple[int, int]]:
        found = processor.extract_keywords(words_only(fold(text)), span_info=True)
        return [(start, end) for _, start, end in found]

    return find


def longest(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans that overlap no longer one."""
    chosen: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
        if all(end <= other[0] or start >= other[1] for other in chosen):
            chosen.append((start, end))
    return chosen


def rate(matcher: Callable[[str], Any], texts: list[str], rounds: int) -> tuple[float, int]:
    """Return the best of several rounds, in spans per CPU second, and the spans of one pass."""
    best, spans = 0.0, 0
    for _ in range(rounds):
        started = time.process_time()
        spans = sum(len(matcher(text)) for text in texts for _ in range(5))
        best = max(best, spans / (time.process_time() - started))
    return best, spans // 5


def quality(figures: Figures, linker: Linker, labelled: list[Sentence]) -> None:
    """Span and status F1 on both halves; the claims are about the half that no rule was tuned on."""
    for half in ("tune", "measure"):
        chosen = [sentence for sentence in labelled if sentence.half == half]
        pairs: list[tuple[tuple[Labelled, ...], list[Labelled]]] = []
        for sentence in chosen:
            links = linker.link(sentence.text)
            pairs.append((sentence.mentions, [(link.start, link.end, link.status) for link in links]))
        scores = score(pairs)
        measured = half == "measure"
        figures.add(f"labelled sentences, {half} half", len(chosen), "", ">= 100", len(chosen) >= 100)
        text = f"span F1, {half} half ({scores.mentions} mentions)"
        figures.add(text, scores.span_f1, "F1", ">= 0.85" if measured else "", scores.span_f1 >= 0.85)
        text = f"status F1, mean of present, absent, uncertain, {half} half"
        figures.add(text, scores.status_f1, "F1", ">= 0.90" if measured else "", scores.status_f1 >= 0.9)


def ambiguity(figures: Figures, linker: Linker, texts: list[str]) -> None:
    """Mentions with more than one node, and hits that are stop words."""
    links = [link for text in texts for link in linker.link(text)]
    several = sum(len(link.candidates) > 1 for link in links) / max(len(links), 1)
    figures.add("mentions with several nodes", several, "share", "< 0.10", several < 0.1)
    stops = sum(fold(link.surface) in STOP_WORDS for link in links)
    figures.add("hits that are stop words", stops, "hits", "0", stops == 0)


def contest(figures: Figures, linker: Linker, forms: list[str], labelled: list[Sentence], rounds: int) -> None:
    """Speed and exact-span F1 of each matcher on the same forms and texts."""
    every = [sentence.text for sentence in labelled]
    texts = [" ".join(every[at : at + SENTENCES_PER_TEXT]) for at in range(0, len(every), SENTENCES_PER_TEXT)]
    speed, spans = rate(linker.spans, texts, rounds)
    figures.add(f"our matcher ({spans} spans)", speed, "spans/s", ">= 300000", speed >= 300_000)
    speed, _ = rate(linker.link, texts, rounds)
    figures.add("our linker with candidates and status", speed, "links/s", "", True)
    others: dict[str, Matcher] = {"substring": substring_matcher(forms)}
    if importlib.util.find_spec("flashtext") is not None:
        others["flashtext"] = flashtext_matcher(forms)
    for name, matcher in others.items():
        speed, spans = rate(matcher, texts, 1)
        figures.add(f"{name} ({spans} spans)", speed, "spans/s", "", True)
        pairs: list[tuple[tuple[Labelled, ...], list[Labelled]]] = [
            (sentence.mentions, [(start, end, "present") for start, end in longest(matcher(sentence.text))])
            for sentence in labelled
        ]
        f1 = score(pairs).span_f1
        figures.add(f"{name}: span F1 of its longest spans, all sentences", f1, "F1", "", True)


def main() -> None:
    """Print every figure; write them as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sources-dir", type=Path, default=SHARED / "kg")
    parser.add_argument("--reports", type=Path, default=REPORTS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="the starter graph and one source")
    options = parser.parse_args()
    figures = Figures()
    specs = [starter_source()]
    if options.sources_dir.is_dir():
        specs += load_sources(options.sources_dir, ["ncit"] if options.quick else None)
    lexicon = Lexicon.from_graph(build_graph(specs).graph)
    forms = sorted({entry.form for entry in lexicon.entries})
    figures.add("surface forms", len(forms), "", "> 0", bool(forms))
    labelled = sentences(options.reports)
    linker = Linker(lexicon)
    quality(figures, linker, labelled)
    ambiguity(figures, linker, [sentence.text for sentence in labelled])
    contest(figures, linker, forms, labelled, 2 if options.quick else 5)
    keep(figures.rows, options.json)


if __name__ == "__main__":
    main()
