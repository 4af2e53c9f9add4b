"""A pathology report for each patient, true to what the patient's slides show."""

from __future__ import annotations

import numpy as np

from demo.plan import Attributes, SlidePlan
from demo.vocabulary import CYTOLOGY, vocabulary

SPECIMENS = {
    "colon": ("segment of large bowel", "right hemicolectomy", "raised, ulcerated mass", "change in bowel habit"),
    "breast": ("oriented breast excision", "wide local excision", "firm, ill-defined stellate mass", "palpable lump"),
    "lung": ("lobe of lung", "lobectomy", "pale, lobulated subpleural mass", "peripheral opacity on imaging"),
    "stomach": ("segment of stomach", "distal gastrectomy", "raised, ulcerated antral mass", "early satiety"),
    "prostate": ("prostate gland", "radical prostatectomy", "firm, pale posterior nodule", "rising serum antigen"),
}
DECADES = ("fifth", "sixth", "seventh", "eighth")
# Findings that the demo never draws: they are denied, or for one of them left open.
NEVER_DRAWN = (
    ("lymphovascular invasion", "No {} is identified."),
    ("perineural invasion", "There is no evidence of {}."),
    ("involvement of the resection margin", "No {} is seen."),
)


def report(slides: tuple[SlidePlan, ...], seed: int) -> str:
    """Return the report of one patient.

    Args:
        slides: The patient's slides, in order.
        seed: The seed of the demo; measurements and wording are drawn from it.

    Returns:
        Text in five sections, each a heading in capitals with its text below, without name, date or number of a case.
    """
    rng = np.random.default_rng([seed, 3, slides[0].index])
    organ = slides[0].organ
    open_question = NEVER_DRAWN[int(rng.integers(len(NEVER_DRAWN)))][0] if rng.random() < 0.5 else None
    sections = (
        ("CLINICAL HISTORY", _history(organ, rng)),
        ("GROSS DESCRIPTION", _gross(organ, len(slides), rng)),
        ("MICROSCOPIC DESCRIPTION", _microscopy(slides, open_question, rng)),
        ("DIAGNOSIS", _diagnosis(slides)),
        ("COMMENT", _comment(slides, open_question)),
    )
    return "\n\n".join(f"{heading}:\n{text}" for heading, text in sections) + "\n"


def _history(organ: str, rng: np.random.Generator) -> str:
    decade = DECADES[int(rng.integers(len(DECADES)))]
    return f"Patient in the {decade} decade with a {SPECIMENS[organ][3]}. No previous malignancy is known."


def _gross(organ: str, slides: int, rng: np.random.Generator) -> str:
    specimen, procedure, mass, _ = SPECIMENS[organ]
    length, width, depth = sorted(rng.uniform(5.0, 17.0, 3).round(1), reverse=True)
    tumour = sorted(rng.uniform(1.8, 4.8, 3).round(1), reverse=True)
    margin = rng.uniform(0.4, 2.5)
    return (
        f"The specimen is a {specimen} ({procedure}) measuring {length:.1f} x {width:.1f} x {depth:.1f} cm. "
        f"The cut surface shows a {mass} of {tumour[0]:.1f} x {tumour[1]:.1f} x {tumour[2]:.1f} cm, "
        f"{margin:.1f} cm from the nearest margin. "
        f"Representative sections are submitted on {slides} slide{'s' if slides > 1 else ''}."
    )


def _microscopy(slides: tuple[SlidePlan, ...], open_question: str | None, rng: np.random.Generator) -> str:
    paragraphs = []
    for number, plan in enumerate(slides, start=1):
        sentences = [_tumour_sentences(region, rng) for region in plan.regions if "grade" in region]
        sentences += [_plain_sentence(region) for region in plan.regions if "grade" not in region]
        paragraphs.append(f"Slide {number}: " + " ".join(dict.fromkeys(sentences)))
    paragraphs.append(_denials(slides, open_question))
    return "\n".join(paragraphs)


def _tumour_sentences(region: Attributes, rng: np.random.Generator) -> str:
    label = {name: vocabulary().labels[name, value] for name, value in region.items()}
    nuclear = [label[name] for name in CYTOLOGY]
    lead = ("The tumour shows", "There is carcinoma with", "An area of tumour has")[int(rng.integers(3))]
    return (
        f"{lead} {label['architecture']} and {label['grade']}, with {', '.join(nuclear[:-1])} and {nuclear[-1]}. "
        f"It lies in {label['stroma']} with {label['inflammation']}, the {label['inflammation_site']}."
    )


def _plain_sentence(region: Attributes) -> str:
    label = vocabulary().labels["architecture", region["architecture"]]
    if region["architecture"] == "stroma":
        return f"Broad bands of {label} are present, here {vocabulary().labels['stroma', region['stroma']]}."
    if region["architecture"] == "necrosis":
        return f"A zone of {label} is seen."
    return f"A nodule of {label} with germinal centres is included."


def _denials(slides: tuple[SlidePlan, ...], open_question: str | None) -> str:
    shown = {region["architecture"] for plan in slides for region in plan.regions}
    sentences = [template.format(finding) for finding, template in NEVER_DRAWN if finding != open_question]
    if "necrosis" not in shown:
        sentences.append("Necrosis is absent.")
    if "lymphoid" not in shown:
        sentences.append("No lymphoid tissue is included.")
    if open_question is not None:
        sentences.append(f"A single focus is suspicious for {open_question}.")
    return " ".join(sentences)


def _diagnosis(slides: tuple[SlidePlan, ...]) -> str:
    organ = slides[0].organ
    tumour = [region for plan in slides for region in plan.regions if "grade" in region]
    names = list(dict.fromkeys(vocabulary().diagnoses[organ, region["architecture"]] for region in tumour))
    if not names:
        return f"{organ.capitalize()}, {SPECIMENS[organ][1]}: no tumour in the sections examined."
    grades = {region["grade"] for region in tumour}
    grade = vocabulary().labels["grade", "high" if "high" in grades else "low"]
    others = f"; with components of {_enumerate(names[1:])}" if len(names) > 1 else ""
    return f"{organ.capitalize()}, {SPECIMENS[organ][1]}: {names[0]}{others}; {'focally ' * (len(grades) > 1)}{grade}."


def _comment(slides: tuple[SlidePlan, ...], open_question: str | None) -> str:
    if open_question is not None:
        return (
            f"The focus suspicious for {open_question} is too small for a definite opinion; deeper levels are advised. "
            "Metastatic carcinoma cannot be excluded on these sections alone."
        )
    return "The pattern is mixed; components are named in the order in which they were met. No work-up is advised."


def _enumerate(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
