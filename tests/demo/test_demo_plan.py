from collections import Counter
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.plan import ARTEFACTS, REGIONS_PER_SLIDE, SlidePlan, plan_demo
from demo.vocabulary import CYTOLOGY, TUMOUR_ARCHITECTURES, vocabulary

HIGH = {name: vocabulary().values[name][1] for name in (*CYTOLOGY, "inflammation", "grade")}
SEEDS = st.integers(0, 2**31)


def tumour(plans: tuple[SlidePlan, ...]) -> list[dict[str, str]]:
    return [region for plan in plans for region in plan.regions if "grade" in region]


def by_patient(plans: tuple[SlidePlan, ...]) -> list[list[dict[str, str]]]:
    patients = sorted({plan.patient_id for plan in plans})
    return [tumour(tuple(plan for plan in plans if plan.patient_id == patient)) for patient in patients]


def met(regions: list[dict[str, str]], first: str, second: str) -> Counter[tuple[str, str]]:
    return Counter((region[first], region[second]) for region in regions)


@settings(max_examples=20)
@given(SEEDS)
def test_grade_follows_the_majority_of_the_cytology(seed: int) -> None:
    for region in tumour(plan_demo(4, 2, seed)):
        high = sum(region[name] == HIGH[name] for name in CYTOLOGY)
        assert high >= 3 if region["grade"] == "high" else high <= 1


@settings(max_examples=20)
@given(SEEDS)
def test_within_a_patient_any_two_cytology_attributes_meet_evenly(seed: int) -> None:
    for regions in by_patient(plan_demo(4, 2, seed)):
        for first, second in combinations(CYTOLOGY, 2):
            assert set(met(regions, first, second).values()) == {2}
            assert len(met(regions, first, second)) == 4


@settings(max_examples=20)
@given(SEEDS)
def test_within_a_patient_every_contrast_of_compartment_and_grade_has_its_corners(seed: int) -> None:
    values = vocabulary().values
    for regions in by_patient(plan_demo(4, 2, seed)):
        assert met(regions, "architecture", "grade") == Counter(product(TUMOUR_ARCHITECTURES, values["grade"]))
        sites = Counter(product(values["inflammation"], values["inflammation_site"]))
        assert met(regions, "inflammation", "inflammation_site") == sites
        for first, second in (("stroma", "inflammation"), ("grade", "inflammation"), ("stroma", "grade")):
            assert set(met(regions, first, second).values()) == {2}


@pytest.mark.parametrize("seed", [0, 7, 99])
def test_over_all_patients_all_pairs_of_values_meet(seed: int) -> None:
    regions = tumour(plan_demo(24, 12, seed))
    names = [*CYTOLOGY, "architecture", "stroma", "inflammation", "inflammation_site"]
    for first, second in combinations(names, 2):
        counts = met(regions, first, second)
        assert len(counts) == len({region[first] for region in regions}) * len({region[second] for region in regions})
        assert max(counts.values()) <= 3 * min(counts.values())


def test_the_default_demo_has_the_slides_patients_and_artefacts_it_promises() -> None:
    plans = plan_demo(24, 12, 7)
    assert Counter(plan.patient_id for plan in plans) == Counter({f"p{number:02d}": 2 for number in range(1, 13)})
    assert Counter(plan.organ for plan in plans) == Counter(colon=8, breast=8, lung=8)
    kinds = Counter(region["architecture"] for plan in plans for region in plan.regions)
    assert kinds == Counter(glandular=24, solid=24, papillary=24, cribriform=24, stroma=24, necrosis=12, lymphoid=12)
    assert Counter(kind for plan in plans for kind in plan.artefacts) == Counter(dict.fromkeys(ARTEFACTS, 5))
    assert len({plan.name for plan in plans}) == 24


@settings(max_examples=20)
@given(SEEDS, st.integers(1, 5), st.integers(0, 7))
def test_any_number_of_slides_is_planned_with_values_of_the_vocabulary(seed: int, patients: int, more: int) -> None:
    plans = plan_demo(patients + more, patients, seed)
    assert [plan.index for plan in plans] == list(range(patients + more))
    assert len({plan.patient_id for plan in plans}) == patients
    for plan in plans:
        assert len(plan.regions) == REGIONS_PER_SLIDE
        for region in plan.regions:
            assert all(value in vocabulary().values[name] for name, value in region.items())


def test_a_plan_depends_on_its_seed_alone() -> None:
    def shown(seed: int) -> Any:
        return plan_demo(6, 3, seed)

    assert shown(1) == shown(1)
    assert shown(1) != shown(2)


def test_a_cohort_of_more_organs_deals_all_of_them() -> None:
    plans = plan_demo(10, 5, 7, organs=5)
    assert [plan.organ for plan in plans[::2]] == list(vocabulary().organs)
    assert {plan.organ for plan in plan_demo(24, 12, 7)} == {"colon", "breast", "lung"}
