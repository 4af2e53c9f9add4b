"""What training needs of an image-text model, and the images that it is given."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Images:
    """The pixels of B fields.

    Attributes:
        pixels: (B, 3, 3, H, W) uint8: field, scale in the order low, mid, high, colour; None where only descriptors are
            looked at.
        present: (B, 3) bool: the field has a tile at the scale.
        described: (B, 3, F) what the fixed front end says of the whole tiles; None where none is used.
    """

    pixels: Tensor | None
    present: Tensor
    described: Tensor | None = None

    def looked_at(self) -> Tensor:
        """Return the pixels.

        Raises:
            ValueError: there are only descriptors.
        """
        if self.pixels is None:
            raise ValueError("images without pixels, for an encoder that looks at them")
        return self.pixels

    def to(self, device: torch.device) -> Images:
        """Return the same images on another device."""
        return Images(*(side if side is None else side.to(device) for side in self._sides()))  # type: ignore[arg-type]

    def pinned(self) -> Images:
        """Return the same images in memory that a GPU copies from without waiting."""
        return Images(*(side if side is None else side.pin_memory() for side in self._sides()))  # type: ignore[arg-type]

    def used_by(self, stream: torch.cuda.Stream) -> None:
        """Keep the memory from being given away before a stream other than that of its copying is done with it."""
        for side in self._sides():
            if side is not None:
                side.record_stream(stream)

    def rows(self, rows: Tensor | list[int]) -> Images:
        """Return some of the fields."""
        return Images(*(side if side is None else side[rows] for side in self._sides()))  # type: ignore[arg-type]

    def _sides(self) -> tuple[Tensor | None, ...]:
        return self.pixels, self.present, self.described


class DualEncoder(nn.Module):
    """What training and evaluation need of a model: both sides into one space, unit length.

    Attributes:
        parts: into how many parts of equal size the vectors fall: one per scale and one for all scales together; 1
            where they are of one piece.
    """

    parts = 1

    def encode_images(self, images: Images) -> Tensor:
        """Return (B, D) unit vectors, one per field."""
        raise NotImplementedError

    def encode_texts(self, texts: list[list[int]]) -> Tensor:
        """Return (T, D) unit vectors of tokenised texts."""
        raise NotImplementedError

    def tokenize(self, text: str) -> list[int]:
        """Return the token numbers of a text."""
        raise NotImplementedError

    def inverse_temperature(self) -> Tensor:
        """Return the factor that turns similarities into logits."""
        raise NotImplementedError

    def forward(self, images: Images, texts: list[list[int]]) -> Tensor:
        """Return (B, T) logits of fields against tokenised texts."""
        logits: Tensor = self.inverse_temperature() * self.encode_images(images) @ self.encode_texts(texts).T
        return logits
