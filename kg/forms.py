"""Surface forms of concepts: folding, inflection, adjectives, spelling variants, acronyms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kg import language
from kg.records import Node

# Characters that separate words inside a name; each is folded to one space, so that spans keep their length.
_FOLD = str.maketrans({"-": " ", "\u2010": " ", "\u2011": " ", "\u2013": " ", "/": " ", "_": " ", "\u2019": "'"})
_SIGNS = {code: " " for code in range(128) if not chr(code).isalnum()}
_NO_WORD = re.compile(r"[\W_]")
_SPACES = re.compile(r"\s+")
_TOKEN = re.compile(r"[^\W_]+")
_MIN_INFLECTED = 4  # stripping "s" from three-letter forms produced "in" and "be": 9% of all hits
_MAX_ACRONYM = 6
_MAX_WORDS = 9

LABEL, LABEL_VARIANT, EXACT, EXACT_VARIANT, ADJECTIVE, LOOSE = range(6)
"""Kinds of form, the strongest first: preferred label, exact synonym (each with its inflections and spellings),
adjective, and broad, narrow or related synonym."""

STOP_WORDS = frozenset(row[0] for row in language.rows("stop_words.tsv"))
_IRREGULAR_PLURAL = {row[0]: row[1] for row in language.rows("plurals.tsv")}
_IRREGULAR_SINGULAR = {plural: singular for singular, plural in _IRREGULAR_PLURAL.items()}
_ADJECTIVES = {noun: tuple(cell.split("|")) for noun, cell in language.rows("adjectives.tsv")}
_ADJECTIVE_ENDINGS = {noun[1:]: cells for noun, cells in _ADJECTIVES.items() if noun.startswith("-")}
_SPELLINGS = tuple((british, american, both == "yes") for british, american, both in language.rows("spellings.tsv"))
# Names that state a result themselves ("HER2 negative", "absence of invasion"): their status is part of the name.
_DENYING = ("absence of ", "no ")
_RESULTS = (" negative", " positive", " absent", " not present")
# Endings that have no plural of their own.
_INVARIABLE = ("ss", "us", "is", "ed", "ing", "ic", "al")


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a concept.

    Attributes:
        text: the folded form.
        kind: LABEL, LABEL_VARIANT, EXACT, EXACT_VARIANT, ADJECTIVE or LOOSE.
        cased: exact spelling that the text must have, for acronyms; None for ordinary words.
    """

    text: str
    kind: int
    cased: str | None = None


def fold(text: str) -> str:
    """Return text in one case with hyphens and slashes as spaces; the length is kept, so spans stay valid."""
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = "".join(low if len(low := char.lower()) == 1 else char for char in text)
    return lowered.translate(_FOLD)


def fold_name(name: str) -> str:
    """Return a concept's name as it is looked up: folded, words apart by one space, other signs by one space each."""
    return words_only(_SPACES.sub(" ", fold(name)).strip(" .,;:"))


def words_only(folded: str) -> str:
    """Return folded text with a space for every sign that is no letter or digit; the length is kept.

    A name that stands across a comma in the text has two spaces there, and is therefore not found.
    """
    return folded.translate(_SIGNS) if folded.isascii() else _NO_WORD.sub(" ", folded)


def is_acronym(name: str) -> bool:
    """Return whether a name is written in capitals and short, so that its case must match."""
    letters = [char for char in name if char.isalpha()]
    return bool(letters) and len(name) <= _MAX_ACRONYM and all(char.isupper() for char in letters)


def forms_of(node: Node) -> Iterator[Form]:
    """Yield every way to write a concept; the same form may come more than once, with different kinds."""
    yield from _forms(node.label, LABEL)
    for synonym in node.synonyms:
        yield from _forms(synonym.text, EXACT if synonym.scope == "exact" else LOOSE)
    if node.category in ("MorphologicFinding", "AnatomicSite"):
        for name in (node.label, *(synonym.text for synonym in node.synonyms if synonym.scope == "exact")):
            yield from (Form(text, ADJECTIVE) for text in adjectives(fold_name(name)))


def _forms(name: str, kind: int) -> Iterator[Form]:
    folded = fold_name(name)
    if is_acronym(name):
        if len(name) > 1 and folded not in STOP_WORDS:
            yield Form(folded, kind, name)
        return
    if not speakable(folded, name):
        return
    if kind == LOOSE and " and " in folded:
        return
    yield Form(folded, kind)
    weaker = kind if kind == LOOSE else kind + 1
    for variant in {*spellings(folded), *(more for text in spellings(folded) for more in inflections(text))} - {folded}:
        yield Form(variant, weaker)


def speakable(folded: str, name: str = "") -> bool:
    """Return whether a name is specific enough to be looked for in text; "low-grade" is, "low" and "grade" are not."""
    words = _TOKEN.findall(folded)
    if folded.startswith(_DENYING) or folded.endswith(_RESULTS):
        return False
    general = all(word in STOP_WORDS or word.isdigit() for word in (name.lower().split() if "-" in name else words))
    if not words or len(words) > _MAX_WORDS or general:
        return False
    return len(folded) > 2 and (sum(map(str.isalpha, folded)) > 2 or any(map(str.isdigit, folded)))


def american(folded: str) -> str:
    """Return the American spelling of a folded name."""
    for british, spelling, _ in _SPELLINGS:
        folded = folded.replace(british, spelling)
    return folded


def spellings(folded: str) -> set[str]:
    """Return the British and American spellings of a folded name, itself included."""
    found = {folded}
    for british, american, both in _SPELLINGS:
        found |= {text.replace(british, american) for text in found}
        if both:
            found |= {text.replace(american, british) for text in found if british not in text}
    return found


def inflections(folded: str) -> set[str]:
    """Return the singular and plural of a name's head noun: its last word, or the word before `of`."""
    head, sep, rest = folded.partition(" of ")
    words = head.split(" ")
    found = set()
    for form in _numbers(words[-1]):
        found.add(" ".join([*words[:-1], form]) + sep + rest)
    return found


def _numbers(word: str) -> set[str]:
    if len(word) < _MIN_INFLECTED or not word.isalpha():
        return set()
    irregular = _IRREGULAR_SINGULAR.get(word) or _IRREGULAR_PLURAL.get(word)
    return {irregular} if irregular else _regular_numbers(word)


def _regular_numbers(word: str) -> set[str]:
    if word.endswith("sis"):
        return {word[:-2] + "es"}
    if word.endswith("oma"):
        return {word + "s", word + "ta"}
    if word.endswith(("ium", "lum")):
        return {word[:-2] + "a"}
    if word.endswith("s") and not word.endswith(_INVARIABLE):
        return {word[:-3] + "y" if word.endswith("ies") else word[:-1]}
    return set() if word.endswith(_INVARIABLE) else {_plural(word)}


def _plural(word: str) -> str:
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("x", "ch", "sh", "z")) else "s")


def adjectives(folded: str) -> tuple[str, ...]:
    """Return the adjectives of a one-word name: necrosis -> necrotic; of an organ: colon -> colonic."""
    if folded in _ADJECTIVES:
        return _ADJECTIVES[folded]
    if " " in folded or len(folded) < 2 * _MIN_INFLECTED - 1:
        return ()
    for noun, endings in _ADJECTIVE_ENDINGS.items():
        if folded.endswith(noun):
            return tuple(folded[: -len(noun)] + ending for ending in endings)
    return ()
