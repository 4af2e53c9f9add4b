import re

import pytest

from demo.plan import SlidePlan, plan_demo
from demo.report_text import NEVER_DRAWN, report
from demo.vocabulary import vocabulary

HEADINGS = ["CLINICAL HISTORY", "GROSS DESCRIPTION", "MICROSCOPIC DESCRIPTION", "DIAGNOSIS", "COMMENT"]


def patients(seed: int = 7) -> list[tuple[SlidePlan, ...]]:
    plans = plan_demo(24, 12, seed, organs=5)
    names = sorted({plan.patient_id for plan in plans})
    return [tuple(plan for plan in plans if plan.patient_id == name) for name in names]


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^([A-Z ]+):\n", text, flags=re.MULTILINE)
    assert parts[0] == ""
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("slides", patients(), ids=lambda slides: slides[0].patient_id)
def test_a_report_says_of_each_slide_what_it_shows_and_nothing_else(slides: tuple[SlidePlan, ...]) -> None:
    text = sections(report(slides, 7))
    assert list(text) == HEADINGS
    paragraphs = text["MICROSCOPIC DESCRIPTION"].strip().split("\n")
    for number, plan in enumerate(slides, start=1):
        paragraph = next(part for part in paragraphs if part.startswith(f"Slide {number}:"))
        shown = {label for region in plan.regions for label in labels(region)}
        said = {label for label in vocabulary().labels.values() if label in paragraph}
        assert said == shown | ({"fibrous stroma"} & said)


def labels(region: dict[str, str]) -> list[str]:
    return [vocabulary().labels[pair] for pair in region.items()]


def test_each_tumour_region_has_its_own_sentence_with_all_its_values() -> None:
    for slides in patients():
        text = report(slides, 7)
        for plan in slides:
            for region in plan.regions:
                if "grade" in region:
                    pattern = ".*".join(
                        re.escape(vocabulary().labels[name, region[name]])
                        for name in ("architecture", "grade", "nuclear_size", "nucleoli", "stroma", "inflammation_site")
                    )
                    assert re.search(pattern, text)


def test_what_is_denied_is_not_on_the_slides() -> None:
    absent = 0
    for slides in patients():
        text = report(slides, 7)
        kinds = {region["architecture"] for plan in slides for region in plan.regions}
        assert ("Necrosis is absent" in text) == ("necrosis" not in kinds)
        assert ("No lymphoid tissue" in text) == ("lymphoid" not in kinds)
        absent += "Necrosis is absent" in text
    assert absent > 0


def test_a_finding_is_denied_or_left_open_and_never_both() -> None:
    left_open = 0
    for slides in patients():
        text = report(slides, 7)
        for finding, template in NEVER_DRAWN:
            denied, suspected = template.format(finding) in text, f"suspicious for {finding}" in text
            assert denied != suspected
            left_open += suspected
    assert 0 < left_open < 12


def test_the_diagnosis_names_the_architectures_of_the_patient_in_the_organ() -> None:
    for slides in patients():
        text = sections(report(slides, 7))["DIAGNOSIS"]
        organ = slides[0].organ
        for (place, architecture), name in vocabulary().diagnoses.items():
            present = place == organ and any(
                region["architecture"] == architecture for p in slides for region in p.regions
            )
            assert (name in text) == present


def test_a_report_measures_the_specimen_and_names_no_one() -> None:
    for slides in patients():
        text = report(slides, 7)
        assert re.search(r"\d+\.\d x \d+\.\d x \d+\.\d cm", sections(text)["GROSS DESCRIPTION"])
        assert not re.search(r"\d{4}|\b\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b|\b(Mr|Mrs|Ms|Dr)\b", text)


def test_a_patient_without_tumour_gets_a_report_without_a_diagnosis_of_one() -> None:
    plan = SlidePlan(0, "one", "p01", "lung", "whole", ({"architecture": "necrosis"},), ())
    assert "no tumour" in sections(report((plan,), 3))["DIAGNOSIS"]
