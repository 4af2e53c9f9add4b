"""The configuration of a run: one YAML file, one frozen model, every key known and every value in range."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from kg.sources import STARTER_NAME
from schemas.errors import ConfigError
from tasks.generation.config import GenerationConfig
from tasks.releases.config import ReleaseConfig
from tasks.review.config import ReviewConfig
from tasks.screening.config import ScreeningConfig
from tasks.settings import StageConfig
from tasks.tiling.config import TilingConfig
from training.config import TrainingConfig


class GraphConfig(StageConfig):
    """Which ontologies stand beside the starter graph."""

    sources_dir: Path | None = Field(default=None, description="folder of ontology files named as in kg/sources.yaml")
    sources: tuple[str, ...] = Field(default=(), description="names of kg/sources.yaml to merge with the starter graph")

    @model_validator(mode="after")
    def _named_sources_have_a_folder(self) -> GraphConfig:
        if set(self.sources) - {STARTER_NAME} and self.sources_dir is None:
            raise ValueError(f"`sources` names {', '.join(self.sources)}, but `sources_dir` is not given")
        return self


class DemoConfig(StageConfig):
    """Synthetic slides to draw before anything else."""

    slides: int = Field(default=24, ge=6, le=1000, description="slides to draw")
    patients: int = Field(default=12, ge=3, le=500, description="patients that they belong to")
    seed: int = Field(default=7, ge=0, description="same seed, same bytes")


class RunnerConfig(StageConfig):
    """Where tasks run, and how many at once. The bytes of a run do not depend on it."""

    kind: Literal["threads", "dask", "ray"] = Field(
        default="threads", description="threads of this process, or processes of a Dask or Ray cluster"
    )
    workers: int = Field(default=0, ge=0, le=256, description="slides at once; 0 = one per available core")
    address: str | None = Field(
        default=None,
        description="of a running cluster, `tcp://...` or `ray://...`; default: one on this machine",
    )

    @model_validator(mode="after")
    def _address_of_a_cluster(self) -> RunnerConfig:
        if self.address and self.kind == "threads":
            raise ValueError("`address` is given, but `kind` is threads; choose dask or ray")
        return self


def _absolute(path: Path | None) -> Path | None:
    return path.absolute() if path else None


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
OptionalPath = Annotated[Path | None, AfterValidator(_absolute)]


class RunConfig(StageConfig):
    """Everything a curation run needs to know."""

    slides: AbsolutePath = Field(description="folder of slides, or one slide")
    manifest: OptionalPath = Field(
        default=None, description="CSV: path,patient_id,organ,stain,licence,report,annotations[,mpp]"
    )
    reports: OptionalPath = Field(
        default=None, description="CSV, JSON or JSONL file of reports; default: the manifest's report column"
    )
    captions: OptionalPath = Field(default=None, description="CSV or JSONL of expert captions per scale")
    decisions: OptionalPath = Field(
        default=None, description="JSONL of review events; default: review/decisions.jsonl in `out`"
    )
    splits: OptionalPath = Field(
        default=None,
        description="JSON of patient: split; who is named keeps it, others are added; default: splits.json in `out`",
    )
    out: AbsolutePath = Field(description="folder for the store, the report and the work")
    shards: str | None = Field(
        default=None,
        pattern=r"^s3://[^/]+",
        description="`s3://bucket/prefix` where machines share shards; `out` then holds copies of what was needed",
    )
    releases: str | None = Field(
        default=None, pattern=r"^s3://[^/]+", description="`s3://bucket/prefix` for releases; default: `store` in `out`"
    )
    demo: DemoConfig | None = Field(default=None, description="draw synthetic slides beside the manifest first")
    runner: RunnerConfig = RunnerConfig()
    graph: GraphConfig = GraphConfig()
    tiling: TilingConfig = TilingConfig()
    generation: GenerationConfig = GenerationConfig()
    screening: ScreeningConfig = ScreeningConfig()
    review: ReviewConfig = ReviewConfig()
    release: ReleaseConfig = ReleaseConfig()
    training: TrainingConfig | None = Field(default=None, description="null: release only, no training")


Section = TypeVar("Section", bound=BaseModel)

_PATH_KEYS = (
    ("slides",),
    ("manifest",),
    ("reports",),
    ("captions",),
    ("decisions",),
    ("splits",),
    ("out",),
    ("graph", "sources_dir"),
    ("screening", "endpoint", "folder"),
    *(("screening", model, key) for model in ("language_model", "lora") for key in ("model", "scores")),
)

_MAY_HOLD_A_SECRET = {"base_url", "api_key_env"}  # where a key is put by mistake: what is refused is not repeated


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no configuration file {path}", remedy="name an existing YAML file") from error
    except (yaml.YAMLError, ValueError, OSError) as error:  # ValueError: bytes or dates that are none
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        raise ConfigError(f"{path} is not a readable YAML file{line}", remedy="mend its syntax") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} holds no settings", remedy="write `key: value` lines; see docs/configuration.md")
    return raw


def load_section(path: Path | None, section: type[Section], name: str = "") -> Section:
    """Read one section that stands in a YAML file of its own; no file gives the defaults.

    Args:
        path: the YAML file.
        section: the section's model.
        name: the section's name in a run's file: such a file is read too, and the section's paths are relative to it.

    Raises:
        ConfigError: as `load_config`.
    """
    raw = _read_yaml(path) if path else {}
    if path and name:
        raw = raw[name] if isinstance(raw.get(name), dict) else raw
        _resolve_paths({name: raw}, path.absolute().parent)
    return _validate(section, raw, str(path))


def load_config(path: Path, **overrides: Any) -> RunConfig:
    """Read a run's YAML file; relative paths in it are relative to the file.

    Args:
        path: the YAML file.
        **overrides: top-level keys that the command line gives; they win.

    Raises:
        ConfigError: the file is missing or not YAML, a key is unknown, or a value is out of range.
    """
    raw = _read_yaml(path)
    _resolve_paths(raw, path.absolute().parent)
    return parse_config({**raw, **overrides}, str(path))


def parse_config(raw: dict[str, Any], name: str) -> RunConfig:
    """Validate a configuration given as a dictionary; `name` is what errors call it."""
    return _validate(RunConfig, raw, name)


def _validate(section: type[Section], raw: dict[str, Any], name: str) -> Section:
    try:
        return section.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{name}: {_explain(error)}", remedy="see docs/configuration.md for every key") from error


def _resolve_paths(raw: dict[str, Any], folder: Path) -> None:
    for keys in _PATH_KEYS:
        place: Any = raw
        for key in keys[:-1]:
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict) and isinstance(place.get(keys[-1]), str):
            place[keys[-1]] = str(folder / Path(place[keys[-1]]).expanduser())


def _explain(error: ValidationError) -> str:
    problems = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"]) or "configuration"
        if item["type"] == "extra_forbidden":
            problems.append(f"unknown key `{key}`")
        elif item["type"] == "missing":
            problems.append(f"`{key}` is missing")
        elif item["type"] == "value_error" and isinstance(item["input"], dict):
            problems.append(f"`{key}`: {item['ctx']['error']}")
        else:
            given = "" if item["loc"][-1] in _MAY_HOLD_A_SECRET else f" is {item['input']!r}"
            problems.append(f"`{key}`{given}: {item['msg'][:1].lower()}{item['msg'][1:]}")
    return "; ".join(problems)


def resolve_config(config: RunConfig | Path) -> RunConfig:
    """Return the configuration itself, or read it from the YAML file named."""
    return load_config(config) if isinstance(config, Path) else config
