"""Configuration of leakage screening."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from tasks.endpoint.config import EndpointConfig
from tasks.settings import StageConfig

Family = Literal["prior", "logistic", "boosting", "tfidf", "forest"]


Mode = Literal["letters", "options", "cloze"]
EndpointMode = Literal["letters", "options"]


class LocalModelConfig(StageConfig):
    """A local causal language model; nothing is downloaded."""

    model: Path = Field(description="folder of the model, as `save_pretrained` writes it")
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:1")
    dtype: Literal["bfloat16", "float32"] = Field(default="bfloat16", description="type of the weights on a GPU")
    batch_tokens: int = Field(default=8192, ge=64, description="tokens of a batch; halved where memory is short")
    scores: Path | None = Field(default=None, description="file of scores already asked for, so that a rerun resumes")


class LanguageModelConfig(LocalModelConfig):
    """A local causal language model as a reader."""

    modes: tuple[Mode, ...] = Field(
        default=("letters", "options", "cloze"), description="ways of asking, each a reader"
    )


class LoraConfig(LocalModelConfig):
    """A local causal language model that is fitted to each training part by low-rank adapters."""

    rank: int = Field(default=8, ge=1, le=256, description="rank of the adapters")
    epochs: int = Field(default=2, ge=1, le=50, description="passes over the training part")
    learning_rate: float = Field(default=2e-4, gt=0, le=0.1, description="highest learning rate; falls to zero")
    step_questions: int = Field(default=16, ge=1, description="questions per step")


class EndpointReaderConfig(StageConfig):
    """A language model behind an OpenAI-compatible endpoint as a reader."""

    endpoint: EndpointConfig = Field(description="how the endpoint is reached, and what may be spent")
    modes: tuple[EndpointMode, ...] = Field(default=("letters", "options"), description="ways of asking, each a reader")
    logprobs: bool = Field(default=True, description="ask for the probabilities of the letters; no: answers are votes")
    samples: int = Field(
        default=1, ge=1, le=64, description="answers per rotation; more than one are drawn at temperature 1"
    )
    answer_tokens: int = Field(default=16, ge=1, description="longest answer; more for models that think first")
    folder: Path | None = Field(
        default=None, description="folder of answers and ledger; null: `work/endpoint` of the run, or of `--out`"
    )


class ScreeningConfig(StageConfig):
    """How hard the text-only readers try, and what a cell must show to pass."""

    families: tuple[Family, ...] = Field(
        default=("prior", "logistic", "boosting", "tfidf"),
        description="fitted readers that select: their verdicts flag items and drop cells",
    )
    certifier: Family | None = Field(
        default="forest", description="fitted reader held back: it never selects, it certifies what is left"
    )
    folds: int = Field(default=5, ge=2, le=20, description="folds, grouped by patient")
    alpha: float = Field(default=0.05, gt=0, lt=0.5, description="item gate: false-positive rate over all tiers")
    min_bits: float = Field(
        default=0.5, ge=0, description="item gate: a flag needs at least this much information about the key, in bits"
    )
    significance: float = Field(
        default=0.025, gt=0, lt=0.5, description="cell gate: chance that anything fails in a wholly clean file"
    )
    margin: float = Field(default=0.05, gt=0, lt=0.5, description="equivalence: a cell passes below 1/k + margin")
    confidence: float = Field(default=0.90, ge=0.5, lt=1, description="level of the intervals")
    permutations: int = Field(default=999, ge=199, le=99_999, description="sign flips of the max-T null")
    null_draws: int = Field(default=48, ge=8, le=1024, description="pseudo-key draws that set the item gate")
    language_model: LanguageModelConfig | None = Field(
        default=None, description="a local language model that reads along"
    )
    endpoint: EndpointReaderConfig | None = Field(
        default=None, description="a language model behind an endpoint that reads along"
    )
    lora: LoraConfig | None = Field(
        default=None, description="a local language model that is fitted out of fold, as the other fitted readers are"
    )
    writer: EndpointConfig | None = Field(
        default=None, description="an endpoint that words the questions of failing cells anew; it is not told the key"
    )
    min_items: int = Field(default=50, ge=2, description="a cell with fewer items is too small to decide")
    min_groups: int = Field(default=5, ge=3, description="a cell with fewer patients is too small to decide")
    trees: int = Field(default=60, ge=1, le=2000, description="boosting rounds")
    forest_trees: int = Field(default=40, ge=1, le=2000, description="trees of the forest")
    vocabulary: int = Field(default=20_000, ge=100, description="most frequent words and word pairs of TF-IDF")
    on_fail: Literal["drop", "keep"] = Field(
        default="drop", description="drop: items of failing cells become rejections with reason `leaks`"
    )
    rounds: int = Field(default=3, ge=0, le=3, description="repairs of a failing cell before it is dropped")
    round: int = Field(default=0, ge=0, description="screening round that is written into the verdicts")
    seed: int = Field(default=0, ge=0, description="seed of folds, trees, ties and permutations")

    @property
    def local_models(self) -> tuple[LocalModelConfig, ...]:
        """The language models of this host that read along."""
        return tuple(model for model in (self.language_model, self.lora) if model is not None)

    def portable(self) -> dict[str, Any]:
        """Return the section as plain data without paths and addresses: models go by their names."""
        plain: dict[str, Any] = self.model_dump(mode="json")
        for section in ("language_model", "lora"):
            if plain[section]:
                plain[section]["model"] = Path(plain[section]["model"]).name
                del plain[section]["scores"]
        if self.endpoint is not None:
            plain["endpoint"]["endpoint"] = self.endpoint.endpoint.portable()
            del plain["endpoint"]["folder"]
        plain["writer"] = self.writer.portable() if self.writer is not None else None
        return plain

    @model_validator(mode="after")
    def _certifier_is_held_back(self) -> ScreeningConfig:
        if self.certifier in self.families:
            raise ValueError(f"certifier {self.certifier!r} also selects: take it out of `families`")
        if len(set(self.families)) != len(self.families):
            raise ValueError("a family stands twice in `families`")
        return self
