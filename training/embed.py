"""Vectors of a split's fields and texts under a trained model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from training.config import TrainingConfig
from training.encoder import DualEncoder
from training.field_cache import FieldCache
from training.items import Scores
from training.release import Release, Split
from training.source import wanted_by

_BATCH = 64


@dataclass(frozen=True, slots=True)
class EmbeddedFields:
    """Unit vectors (N, D) of the fields of a split, with their ids and patients."""

    field_ids: list[str]
    patients: list[str]
    vectors: Scores


@torch.no_grad()
def embed_fields(
    model: DualEncoder, release: Release, split: Split, config: TrainingConfig, threads: int = 2
) -> EmbeddedFields:
    """Return the vectors of all fields of a split that have tiles and a patient."""
    columns = release.read("fields", split, ["field_id", "patient_id"]).to_pydict()
    patients = dict(zip(columns["field_id"], columns["patient_id"], strict=True))
    cache = FieldCache(release, split, wanted_by(config), threads)
    known = [place for place, field_id in enumerate(cache.field_ids) if field_id in patients]
    device = next(model.parameters()).device
    parts = []
    for start in range(0, len(known), _BATCH):
        batch = cache.take(torch.tensor(known[start : start + _BATCH]))
        parts.append(model.encode_images(batch.images.to(device)).double().cpu().numpy())
    ids = [cache.field_ids[place] for place in known]
    return EmbeddedFields(ids, [patients[field_id] for field_id in ids], np.concatenate(parts))


@torch.no_grad()
def embed_texts(model: DualEncoder, texts: list[str]) -> Scores:
    """Return the unit vectors (T, D) of texts."""
    vectors: Scores = model.encode_texts([model.tokenize(text) for text in texts]).double().cpu().numpy()
    return vectors
