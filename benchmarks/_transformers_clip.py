"""A CLIP of a given shape with random weights out of transformers, for speed where open_clip is not installed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from schemas.records.shared import SCALES
from training.encoder import DualEncoder, Images
from training.tokenizer import Tokenizer

WORDS, PLACES = 49_408, 77
VIT_B_16: dict[str, dict[str, int]] = {
    "vision": {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},
    "text": {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 8},
}
"""Radford et al., CLIP, 2021, table 20."""
TINY: dict[str, dict[str, int]] = {
    "vision": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4},
    "text": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4},
}


class TransformersClip(DualEncoder):
    """Towers of a shape, patches of 16 px; every scale of a field is an image, every text has 77 tokens.

    Args:
        shape: sizes of the two towers.
        words: what the texts are made of; they are numbered, not cut into pieces.
        image_px: side of the images.
    """

    def __init__(self, shape: dict[str, dict[str, int]], words: list[str], image_px: int) -> None:
        super().__init__()
        import transformers

        kinds: Any = transformers
        config = kinds.CLIPConfig(
            vision_config={**shape["vision"], "image_size": image_px, "patch_size": 16},
            text_config={**shape["text"], "vocab_size": WORDS, "max_position_embeddings": PLACES, "eos_token_id": 2},
            projection_dim=shape["text"]["hidden_size"],
        )
        self.clip: Any = kinds.CLIPModel(config)
        self._tokenizer = Tokenizer(tuple(words), PLACES)
        self.scale_weights = nn.Parameter(torch.zeros(len(SCALES)))

    def encode_images(self, images: Images) -> Tensor:
        """Return (B, D) unit vectors, one per field: the weighted mean over the scales."""
        pixels = images.looked_at().flatten(0, 1).float().div(127.5).sub(1)
        pooled = self.clip.vision_model(pixel_values=pixels).pooler_output
        vectors = functional.normalize(self.clip.visual_projection(pooled).float(), dim=1)
        weights = self.scale_weights.masked_fill(~images.present, -1e4).softmax(dim=1)
        return functional.normalize((vectors.view(*images.present.shape, -1) * weights[..., None]).sum(dim=1), dim=1)

    def encode_texts(self, texts: list[list[int]]) -> Tensor:
        """Return (T, D) unit vectors of tokenised texts."""
        tokens = torch.tensor(texts, device=self.scale_weights.device)
        pooled = self.clip.text_model(input_ids=tokens).pooler_output
        return functional.normalize(self.clip.text_projection(pooled).float(), dim=1)

    def tokenize(self, text: str) -> list[int]:
        """Return the numbers of the words of a text, padded to 77 as those of CLIP are."""
        numbers = self._tokenizer.encode(text)[:PLACES]
        return numbers + [0] * (PLACES - len(numbers))

    def inverse_temperature(self) -> Tensor:
        """Return the factor that turns similarities into logits, at most 100."""
        scale: Tensor = self.clip.logit_scale.exp().clamp(max=100.0)
        return scale
