"""Any open_clip model behind the same protocol: by name, local directory or hub id."""

from __future__ import annotations

import importlib
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from schemas.errors import InputError, MissingExtraError
from schemas.records.shared import SCALES
from training.encoder import DualEncoder, Images


class OpenClipDualEncoder(DualEncoder):
    """A pretrained image-text model whose image tower sees every scale, joined by learnt weights.

    The weights begin equal, so that before training a field's vector is the mean of its tiles' vectors.

    Args:
        name: open_clip model name (`ViT-B-16`), `local-dir:PATH` or `hf-hub:ORG/NAME`.
        pretrained: tag or file of weights, for plain names; None trains from random weights.
        temperature: first temperature, where the model is untrained.

    Raises:
        MissingExtraError: open_clip is not installed.
        InputError: open_clip knows no such model.
    """

    def __init__(self, name: str, pretrained: str | None, temperature: float) -> None:
        super().__init__()
        try:
            open_clip: Any = importlib.import_module("open_clip")
        except (ImportError, RuntimeError) as error:  # a torchvision that does not fit torch raises RuntimeError
            raise MissingExtraError(
                f"encoder {name} needs open_clip", remedy="pip install -c constraints.txt -e '.[clip]' in the checkout"
            ) from error
        try:
            self.clip: Any = open_clip.create_model(name, pretrained=pretrained, force_image_size=None)
            self._tokenizer: Any = open_clip.get_tokenizer(name)
        except (RuntimeError, ValueError, OSError) as error:
            reason = f"{name}: {str(error).splitlines()[0]}"
            raise InputError(f"open_clip has no encoder {reason}", remedy="see open_clip.list_models()") from error
        visual = self.clip.visual
        size = getattr(visual, "image_size", 224)
        self.size_px = int(size[0] if isinstance(size, tuple | list) else size)
        mean = getattr(visual, "image_mean", None) or open_clip.OPENAI_DATASET_MEAN
        deviation = getattr(visual, "image_std", None) or open_clip.OPENAI_DATASET_STD
        self._mean = nn.Parameter(torch.tensor(mean).view(3, 1, 1) * 255, requires_grad=False)
        self._deviation = nn.Parameter(torch.tensor(deviation).view(3, 1, 1) * 255, requires_grad=False)
        self.scale_weights = nn.Parameter(torch.zeros(len(SCALES)))
        if pretrained is None and ":" not in name:
            self.clip.logit_scale.data.fill_(math.log(1 / temperature))

    def encode_images(self, images: Images) -> Tensor:
        """Return (B, D) unit vectors, one per field: the weighted mean over the scales that it has."""
        count, scales = images.present.shape
        pixels = images.looked_at().flatten(0, 1).float()
        if pixels.shape[-1] != self.size_px:
            pixels = functional.interpolate(pixels, self.size_px, mode="bilinear", antialias=True)
        vectors = functional.normalize(self.clip.encode_image((pixels - self._mean) / self._deviation).float(), dim=1)
        weights = self.scale_weights.masked_fill(~images.present, -1e4).softmax(dim=1)
        return functional.normalize((vectors.view(count, scales, -1) * weights[..., None]).sum(dim=1), dim=1)

    def encode_texts(self, texts: list[list[int]]) -> Tensor:
        """Return (T, D) unit vectors of tokenised texts."""
        tokens = torch.tensor(texts, device=self.scale_weights.device)
        return functional.normalize(self.clip.encode_text(tokens).float(), dim=1)

    def tokenize(self, text: str) -> list[int]:
        """Return the token numbers of a text, padded to the model's context length."""
        numbers: list[int] = self._tokenizer([text])[0].tolist()
        return numbers

    def inverse_temperature(self) -> Tensor:
        """Return the factor that turns similarities into logits, at most 100."""
        scale: Tensor = self.clip.logit_scale.exp().clamp(max=100.0)
        return scale
