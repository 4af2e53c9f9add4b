"""Who has what: patients, slides and the attributes of every region, balanced by construction.

Counterbalanced questions are built inside patient splits, so the balance is made within every patient: over a patient's
eight tumour regions, any two cytology attributes take their four combinations twice each; inflammation meets each site
once per value; grade meets inflammation, stroma and architecture evenly. What remains free is drawn from the seed and
chosen so that pairs of values stay level over all patients.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from demo.vocabulary import CYTOLOGY, TUMOUR_ARCHITECTURES, vocabulary

REGIONS_PER_SLIDE = 6
TUMOUR_PER_SLIDE = 4
SLIDES_PER_DECK = 2  # a deck of twelve regions is dealt onto two slides
CANDIDATES = 40
ARTEFACTS = ("fold", "pen", "blur", "missing_corner")
ARTEFACT_SHARE = 0.2
SECTIONS = ("whole", "pair", "strips")

Attributes = dict[str, str]


@dataclass(frozen=True)
class SlidePlan:
    """One slide to draw: whose it is, what its regions show, which artefacts it has."""

    index: int
    name: str
    patient_id: str
    organ: str
    sections: str
    regions: tuple[Attributes, ...]
    artefacts: tuple[str, ...]


def plan_demo(slides: int, patients: int, seed: int, organs: int = 3) -> tuple[SlidePlan, ...]:
    """Return the plan of every slide; equal arguments give equal plans.

    Args:
        slides: How many slides; they are dealt to the patients in turn, a patient's slides stand together.
        patients: How many patients, at most `slides`; organs alternate between them.
        seed: The source of all choices.
        organs: How many organs of the vocabulary; a small cohort of few organs has enough patients of each.
    """
    rng = np.random.default_rng([seed, 0])
    dealer = _Dealer(rng)
    named = vocabulary().organs[:organs]
    artefacts = _artefacts(slides, rng)
    plans: list[SlidePlan] = []
    for patient in range(patients):
        organ = named[patient % len(named)]
        count = slides // patients + (patient < slides % patients)
        for number, regions in enumerate(dealer.deal(count)):
            index = len(plans)
            patient_id = f"p{patient + 1:02d}"
            name = f"{patient_id}-{organ}-{number + 1}"
            sections = SECTIONS[(index + index // len(SECTIONS)) % len(SECTIONS)]
            plans.append(SlidePlan(index, name, patient_id, organ, sections, regions, artefacts[index]))
    return tuple(plans)


def _artefacts(slides: int, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Return each slide's artefacts: every kind stands on one slide in five, drawn without replacement."""
    marks: list[list[str]] = [[] for _ in range(slides)]
    order = rng.permutation(slides)
    count = round(ARTEFACT_SHARE * slides)
    for kind_index, kind in enumerate(ARTEFACTS):
        for turn in range(count):
            marks[order[(kind_index * count + turn) % slides]].append(kind)
    return [tuple(kinds) for kinds in marks]


class _Dealer:
    """Deals decks of regions onto slides and remembers how often values met, to keep them level."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._codes = {
            pair: code
            for code, pair in enumerate(
                (name, value) for name, values in vocabulary().values.items() for value in values
            )
        }
        self._met = np.zeros((len(self._codes), len(self._codes)))
        self._plain: list[tuple[str, str]] = []

    def deal(self, slides: int) -> list[tuple[Attributes, ...]]:
        """Return the regions of one patient's slides."""
        dealt: list[tuple[Attributes, ...]] = []
        while len(dealt) < slides:
            tumour, plain = self._tumour_deck(), self._plain_deck()
            plain_per_slide = REGIONS_PER_SLIDE - TUMOUR_PER_SLIDE
            for number in range(SLIDES_PER_DECK):
                regions = tumour[number * TUMOUR_PER_SLIDE :][:TUMOUR_PER_SLIDE]
                regions = regions + plain[number * plain_per_slide :][:plain_per_slide]
                dealt.append(tuple(regions[place] for place in self._rng.permutation(len(regions))))
        return dealt[:slides]

    def _tumour_deck(self) -> list[Attributes]:
        decks = [_tumour_regions(self._rng) for _ in range(CANDIDATES)]
        met = [self._met + self._meetings(deck) for deck in decks]
        best = min(range(CANDIDATES), key=lambda index: float((met[index] ** 2).sum()))
        self._met = met[best]
        return [decks[best][place] for place in self._rng.permutation(len(decks[best]))]

    def _meetings(self, deck: list[Attributes]) -> NDArray[np.float64]:
        shown = np.zeros((len(deck), len(self._codes)))
        for row, region in enumerate(deck):
            shown[row, [self._codes[pair] for pair in region.items()]] = 1.0
        return shown.T @ shown

    def _plain_deck(self) -> list[Attributes]:
        if not self._plain:
            pairs = [("necrosis", "lymphoid"), ("lymphoid", "necrosis"), ("necrosis",) * 2, ("lymphoid",) * 2]
            self._plain = [pairs[place] for place in self._rng.permutation(len(pairs))]
        deck = [{"architecture": kind} for kind in self._plain.pop()]
        deck += [{"architecture": "stroma", "stroma": kind} for kind in vocabulary().values["stroma"]]
        return [deck[place] for place in self._rng.permutation(len(deck))]


def _tumour_regions(rng: np.random.Generator) -> list[Attributes]:
    """Return a deck of eight: each architecture at each grade, one cytology attribute of each against its grade."""
    values = vocabulary().values
    exceptions = {grade: rng.permutation(len(CYTOLOGY)) for grade in (0, 1)}
    dense_when_low = rng.permutation([0, 0, 1, 1])  # by architecture; the other grade has the other inflammation
    low_sites = rng.permutation(4)
    high_sites = _partners(low_sites, dense_when_low) if rng.integers(2) else low_sites
    by_site = _stroma_by_site(low_sites, dense_when_low, rng)
    deck = []
    for place, grade in product(range(len(TUMOUR_ARCHITECTURES)), (0, 1)):
        dense = grade ^ int(dense_when_low[place])
        site = int((high_sites if grade else low_sites)[place])
        choice = {
            "stroma": dense ^ int(by_site[site]),
            "inflammation": dense,
            "inflammation_site": site,
            "grade": grade,
        }
        for number, name in enumerate(CYTOLOGY):
            choice[name] = grade ^ int(exceptions[grade][place] == number)
        region = {name: values[name][choice[name]] for name in values if name in choice}
        deck.append({"architecture": TUMOUR_ARCHITECTURES[place]} | region)
    return deck


def _partners(sites: NDArray[np.int64], classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sites with the two members of each class swapped, which keeps inflammation even at every site."""
    swapped = sites.copy()
    for kind in (0, 1):
        swapped[classes == kind] = sites[classes == kind][::-1]
    return swapped


def _stroma_by_site(
    sites: NDArray[np.int64], dense_when_low: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return which sites turn the stroma: one of each inflammation class, so that stroma is even within a grade."""
    turns = np.zeros(4, np.int64)
    for kind in (0, 1):
        turns[rng.choice(sites[dense_when_low == kind])] = 1
    return turns
