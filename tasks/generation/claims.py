"""What a text claims: its findings by the phrases of the phrase file and by the linker, with their status.

Texts of endpoints have to say findings in the words that they were given, so a finding is found where it stands; the
linker finds what they add in other words, as far as the lexicon knows them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from kg.link import Linker
from schemas.records.shared import Status
from tasks.generation.findings import DIAGNOSIS
from tasks.generation.open_findings import open_finding
from tasks.generation.view import Tools


class Claims:
    """Reads texts; what it knows are the values of the vocabulary, diagnoses, and visible findings of the graph."""

    def __init__(self, tools: Tools, linker: Linker) -> None:
        self._tools = tools
        self._linker = linker

    @functools.cached_property
    def _concept_of(self) -> Mapping[str, str]:
        phrases = self._tools.phrases.file.phrases
        said = {phrase.lower(): concept for concept, several in phrases.items() for phrase in several}
        values = self._tools.vocabulary.attributes.values()
        said |= {value.label.lower(): value.concept_id for item in values for value in item.values.values()}
        return said

    @functools.cached_property
    def _finder(self) -> re.Pattern[str]:
        longest = sorted(self._concept_of, key=len, reverse=True)
        return re.compile(r"\b(?:" + "|".join(map(re.escape, longest)) + r")\b", re.IGNORECASE)

    def of(self, text: str) -> dict[str, Status]:
        """Return the status of each concept that a text claims; `uncertain` where it claims two."""
        found: dict[str, Status] = {}
        plain = self._finder.sub(lambda match: self._label(self._concept_of[match.group(0).lower()]), text)
        for link in self._linker.link(plain):
            if self._is_finding(link.concept_id):
                known = found.setdefault(link.concept_id, link.status)
                found[link.concept_id] = known if known == link.status else "uncertain"
        for match in self._finder.finditer(text):
            found.setdefault(self._concept_of[match.group(0).lower()], "present")
        return found

    def fault(self, text: str, needed: Mapping[str, Status], allowed: frozenset[str] = frozenset()) -> str | None:
        """Return what is wrong with the claims of a text, None where nothing is.

        Args:
            text: what was written.
            needed: status of each concept that it has to claim.
            allowed: concepts that it may claim besides.
        """
        said = self.of(text)
        for concept, status in needed.items():
            if concept not in said:
                return f"does not say {self._tools.say(concept)!r}"
            if said[concept] != status:
                return f"says {self._tools.say(concept)!r} as {said[concept]}, not as {status}"
        added = sorted(set(said) - set(needed) - allowed)
        return f"adds {self._tools.say(added[0])!r}" if added else None

    def _label(self, concept: str) -> str:
        node = self._tools.graph.nodes.get(concept)
        return node.label if node is not None else self._tools.say(concept)

    def _is_finding(self, concept: str) -> bool:
        if self._tools.vocabulary.value_of(concept) is not None:
            return True
        return concept in self._diagnoses or open_finding(concept, self._tools.graph) is not None

    @functools.cached_property
    def _diagnoses(self) -> frozenset[str]:
        organs = self._tools.vocabulary.diagnoses
        return frozenset(curie for organ in organs for curie in self._tools.values.of(DIAGNOSIS, organ).values())
