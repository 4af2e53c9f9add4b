"""A scripted model that follows the prompts of generation, so that they can be tried where no model is at hand.

It reads the prompt, keeps its rules, and varies words a little; of images it knows nothing and names any of the values.
Run `python -m demo.scripted_writer` for an endpoint on this machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from demo.scripted_endpoint import Body, Said, ScriptedEndpoint
from kg.vocabulary import load_vocabulary

_OPENINGS = ("Here, ", "In this field, ", "As seen, ", "On this slide, ")
PORT = 8399


def write(body: Body) -> Said:
    """Answer a prompt in the form that its JSON schema names."""
    form = body["response_format"]["json_schema"]
    content = body["messages"][1]["content"]
    prompt = content if isinstance(content, str) else content[0]["text"]
    name = form["name"]
    if name.endswith("Findings"):
        return Said(json.dumps(_findings(form["schema"], json.dumps(content))))
    return Said(json.dumps(_WRITERS[name](prompt)))


def _findings(schema: dict[str, Any], seed: str) -> dict[str, str]:
    number = int(sha256(seed.encode()).hexdigest(), 16)
    said = {}
    for attribute, values in schema["properties"].items():
        number, place = divmod(number, len(values["enum"]))
        said[attribute] = values["enum"][place]
    return said


def _line(prompt: str, key: str) -> str:
    return next(line[len(key) :].strip() for line in prompt.splitlines() if line.startswith(key))


def _block(prompt: str, number: int) -> str:
    return prompt.split("\n\n")[number].strip()


def _open(text: str, opening: str) -> str:
    keeps = text[1:2].isupper()
    return opening + (text if keeps else text[:1].lower() + text[1:])


def _wordings(prompt: str) -> dict[str, Any]:
    return {"wordings": [_open(_block(prompt, 1), opening) for opening in _OPENINGS]}


def _question_wording(prompt: str) -> dict[str, Any]:
    question, pattern = _line(prompt, "question:"), _line(prompt, "pattern of every option:")
    return {
        "questions": [_open(question, opening) for opening in ("After looking closely: ", "All in all: ")],
        "options": [f"one finds {pattern}", f"what is seen: {pattern}"],
        "rationale": _open(_line(prompt, "rationale of the right option:"), "Looking closely, "),
    }


def _paragraph(prompt: str) -> dict[str, Any]:
    return {"text": _open(_block(prompt, 1), "Taken from low to high magnification, ")}


def _replacements(prompt: str) -> dict[str, Any]:
    marked = set(re.findall(r"\w+", prompt.split("**")[1].lower()))
    vocabulary = load_vocabulary()
    groups = [[value.label for value in attribute.values.values()] for attribute in vocabulary.attributes.values()]
    groups += [[value.label for value in several.values()] for several in vocabulary.diagnoses.values()]
    nearest = max(groups, key=lambda labels: sum(len(marked & set(label.lower().split())) for label in labels))
    return {"replacements": [label for label in nearest if set(label.lower().split()) != marked]}


def _free_form(prompt: str) -> dict[str, Any]:
    states = [line.partition(": ")[2].split("; ") for line in prompt.splitlines() if line.startswith("state ")]
    return {
        "question": "Which account of this field do the tissue and its cells bear out when both are looked at?",
        "options": [f"looked at from far and near, there is {' together with '.join(state)}" for state in states],
        "rationales": [f"The field shows {' and '.join(state)}." for state in states],
    }


def _reasoned(prompt: str) -> dict[str, Any]:
    steps = [line.partition(". ")[2] for line in prompt.splitlines() if re.match(r"\d+\. ", line)]
    said = [_open(step, opening) for step, opening in zip(steps, _OPENINGS * len(steps), strict=False)]
    return {"observe": _open(_line(prompt, "Observed:"), "I see the following: "), "steps": said}


def _judgement(_prompt: str) -> dict[str, Any]:
    return {"faithful": 5, "logical": 4, "fault": "none"}


_WRITERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "CaptionWording": _wordings,
    "QuestionWording": _question_wording,
    "Paragraph": _paragraph,
    "Replacements": _replacements,
    "FreeForm": _free_form,
    "Reasoned": _reasoned,
    "Judgement": _judgement,
}


def main() -> None:
    """Serve on this machine until interrupted."""
    with ScriptedEndpoint(write, port=PORT) as server:
        server.wait()


if __name__ == "__main__":
    main()
