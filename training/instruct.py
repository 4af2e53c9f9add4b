"""Rows for supervised fine-tuning and reinforcement learning from a release's questions and reasoning samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.records.generation import ANSWER, OBSERVE, THINK
from training.release import Release, Split
from training.rewards import LETTERS
from training.trajectory import trajectory_of

IGNORED = -100
"""Label of a token that the loss leaves out; PyTorch's and TRL's convention."""

INSTRUCTION = (
    f"First write what the images show in <{OBSERVE}>, then think step by step, one step a line, in <{THINK}>, "
    f"then give the answer alone in <{ANSWER}>."
)


class TextTokenizer(Protocol):
    """What is needed of a Hugging Face tokenizer."""

    eos_token_id: int | None

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Return the token numbers of a text."""
        ...


@dataclass(frozen=True, slots=True)
class MaskedRow:
    """One training row: tokens, and labels that are -100 where nothing is to be learnt."""

    input_ids: list[int]
    labels: list[int]

    def columns(self) -> dict[str, list[int]]:
        """Return the row as the columns that TRL's SFTTrainer takes as they are."""
        return {"input_ids": self.input_ids, "labels": self.labels}


def masked_row(tokenizer: TextTokenizer, given: str, learnt: str, limit: int) -> MaskedRow | None:
    """Return a row whose loss is that of the learnt text alone, ending with the end-of-text token.

    Returns:
        None where the row is longer than `limit` tokens: a trajectory without its answer teaches the wrong thing.
    """
    head = tokenizer.encode(given, add_special_tokens=False)
    tail = tokenizer.encode(learnt, add_special_tokens=False)
    tail += [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    if len(head) + len(tail) > limit:
        return None
    return MaskedRow(head + tail, [IGNORED] * len(head) + tail)


def trajectory_rows(
    release: Release, split: Split, tokenizer: TextTokenizer, *, limit: int = 1024
) -> Iterator[tuple[str, int, MaskedRow | None]]:
    """Yield for every reasoning sample one row per number of given steps: m of L steps given, the rest is learnt.

    Yields:
        (sample id, m, row); the row is None where it is too long.
    """
    columns = ["sample_id", "prompt", "observe", "think", "answer"]
    for row in release.read("reasoning", split, columns).to_pylist():
        trajectory = trajectory_of(row)
        for given in range(len(trajectory.think)):
            head, tail = trajectory.split(given)
            prompt = f"{row['prompt']}\n{INSTRUCTION}\n"
            yield row["sample_id"], given, masked_row(tokenizer, prompt + head, tail, limit)


def question_prompts(release: Release, split: Split) -> Iterator[dict[str, Any]]:
    """Yield questions as GRPO rows: `prompt` and the columns that `question_reward` takes, and the field's id."""
    columns = ["question_id", "field_id", "question", "options", "answer_index"]
    for row in release.read("questions", split, columns).to_pylist():
        options = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, row["options"], strict=False))
        yield {
            "prompt": f"{row['question']}\n{options}\n{INSTRUCTION}\n",
            "options": row["options"],
            "answer_index": row["answer_index"],
            "field_id": row["field_id"],
            "data_source": "questions",
        }


def reasoning_prompts(release: Release, split: Split) -> Iterator[dict[str, Any]]:
    """Yield reasoning samples as GRPO rows: `prompt`, `reference`, and the field's id."""
    columns = ["field_id", "prompt", "observe", "think", "answer"]
    for row in release.read("reasoning", split, columns).to_pylist():
        yield {
            "prompt": f"{row['prompt']}\n{INSTRUCTION}\n",
            "reference": trajectory_of(row).text(),
            "field_id": row["field_id"],
            "data_source": "reasoning",
        }
