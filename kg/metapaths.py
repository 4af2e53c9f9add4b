"""Which kinds of path mean something: a finite list of step sequences from a finding, cell or site to a diagnosis."""

from __future__ import annotations

import functools
import re
from itertools import product

from kg.predicates import PART_OF, ROLE_PREDICATES, SUBCLASS_OF
from kg.records import Edge

# One letter per step as it is walked; lower case from the finding's side up to the disease.
#   u/d  subclass_of towards the more general / the more special
#   p/q  part_of towards the whole / the part
#   i/j  indicates towards what is indicated / back
#   c/e  has_cell from the cell to what contains it / back
#   f/g  a role (has_finding, has_abnormal_cell, ...) from the finding to its holder / back
#   l/m  located_in from the finding to the place / back
#   x/x  anything else, never part of a meaningful path
_FORWARD = {SUBCLASS_OF: "u", PART_OF: "p", "indicates": "i", "has_cell": "e", "located_in": "l"}
_FORWARD |= dict.fromkeys(ROLE_PREDICATES, "g")
_BACKWARD = {SUBCLASS_OF: "d", PART_OF: "q", "indicates": "j", "has_cell": "c", "located_in": "m"}
_BACKWARD |= dict.fromkeys(ROLE_PREDICATES, "f")
INVERSE = dict(zip("udpqijcefglmx", "duqpjiecgfmlx", strict=True))
"""Letter of a step to that of the same step walked back."""
# A finding (or what it indicates, or what it is a kind of) is a finding of a disease (directly or by way of a grade),
# and so of the kinds of that disease; or a site, of which it may be a part, is where the disease arises.
_MEANINGFUL = re.compile(r"c?[ui]{0,2}f{1,2}(d{0,3}|u)|p{1,2}f(d{0,3}|u)")
_ALPHABET = "cuifdp"


def step(edge: Edge, start: str) -> str:
    """Return the letter of an edge walked from `start` to its other end."""
    return (_FORWARD if edge.subject == start else _BACKWARD).get(edge.predicate, "x")


@functools.cache
def meaningful(max_hops: int) -> frozenset[str]:
    """Return every meaningful sequence of at most `max_hops` steps, walked from either end."""
    found = set()
    for hops in range(1, max_hops + 1):
        for letters in product(_ALPHABET, repeat=hops):
            text = "".join(letters)
            if _MEANINGFUL.fullmatch(text):
                found |= {text, "".join(INVERSE[letter] for letter in reversed(text))}
    return frozenset(found)


@functools.cache
def heads(max_hops: int) -> frozenset[str]:
    """Return every beginning of a meaningful sequence, the empty one included."""
    return frozenset(text[:cut] for text in meaningful(max_hops) for cut in range(len(text) + 1))


@functools.cache
def tails(max_hops: int) -> frozenset[str]:
    """Return every end of a meaningful sequence, the empty one included."""
    return frozenset(text[cut:] for text in meaningful(max_hops) for cut in range(len(text) + 1))
