"""The small encoders that learn from scratch on two CPU cores, and the protocol that larger ones follow too."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from schemas.records.shared import SCALES
from training.tokenizer import PADDING, Tokenizer


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


class ScaleTower(nn.Module):
    """One scale's images to one vector: a 4 x 4 patch stem, two strided 3 x 3 convolutions, mean and maximum.

    The mean tells how much there is of a texture, the maximum whether a small object is there at all, and the mean of
    the middle ninth, where it is asked for, what the field itself is among its surroundings.
    """

    def __init__(self, width: int, *, middle: bool) -> None:
        super().__init__()
        self.middle = middle
        layers: list[nn.Module] = []
        channels = [(3, width, 4, 4, 0), (width, 2 * width, 3, 2, 1), (2 * width, 4 * width, 3, 2, 1)]
        for into, out, kernel, stride, padding in channels:
            layers += [nn.Conv2d(into, out, kernel, stride, padding, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        for filters in (parameter for parameter in self.parameters() if parameter.ndim == 4):
            filters.data = filters.data.contiguous(memory_format=torch.channels_last)
        self.features = (12 if middle else 8) * width

    def forward(self, pixels: Tensor) -> Tensor:
        """Return (B, features) of (B, 3, H, W) pixels scaled to about -1 to 1."""
        maps = self.layers(pixels)
        parts = [maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))]
        if self.middle:
            side = maps.shape[-1]
            kept = slice(side // 3, side - side // 3)
            parts.append(maps[:, :, kept, kept].mean(dim=(2, 3)))
        return torch.cat(parts, dim=1)


class ScaleEncoder(nn.Module):
    """One scale of a field to one vector: a trained tower over its pixels, a linear map of its descriptor, or both.

    Args:
        width: channels of the tower's first layer; 0 for no tower.
        described: lengths of the blocks of the fixed front end's descriptors; empty for none. Each block has the same
            say, whatever its length: its standardised values are divided by the root of their number.
        embedding: dimensions D of the vector.
        dropout: share of the standardised descriptor that is left out in training.
        middle: whether the tower also looks at the middle alone.
    """

    say: Tensor

    def __init__(self, width: int, described: tuple[int, ...], embedding: int, *, dropout: float, middle: bool) -> None:
        super().__init__()
        self.tower = ScaleTower(width, middle=middle) if width else None
        self.project = nn.Linear(self.tower.features, embedding) if self.tower else None
        self.standard = nn.BatchNorm1d(sum(described), affine=False) if described else None
        self.dropout = nn.Dropout(dropout)
        self.refine = nn.Linear(sum(described), embedding) if described else None
        parts = [torch.full((length,), math.sqrt(min(described) / length)) for length in described]
        self.register_buffer("say", torch.cat(parts) if parts else torch.empty(0), persistent=False)

    def forward(self, pixels: Tensor | None, described: Tensor | None) -> Tensor:
        """Return (B, D) of (B, 3, H, W) uint8 pixels and (B, F) descriptors, each where the encoder looks at it."""
        parts = []
        if self.tower and self.project and pixels is not None:
            scaled = pixels.contiguous(memory_format=torch.channels_last).float().div(127.5).sub(1)
            parts.append(self.project(self.tower(scaled)))
        if self.standard and self.refine and described is not None:
            parts.append(self.refine(self.dropout(self.standard(described)) * self.say))
        return torch.stack(parts).sum(dim=0)


PARTS = len(SCALES) + 1
"""Of a vector: one for each scale, one for all together."""


class ImageEncoder(nn.Module):
    """Three scales of a field to one vector: a part of it for each scale by itself, and one for all together.

    Every part has the same length. How much each counts for a text, the text's vector says.

    Args:
        width: channels of the towers' first layers; 0 for no towers.
        described: lengths of the blocks of the fixed front end's descriptors; empty for none.
        embedding: dimensions D of the vector, a multiple of `PARTS`.
        crop_px: side of the crops that the towers are trained on. Of a whole tile at the low scale only the middle of
            that size is looked at: around it lie other tissues. At the other scales whole tiles are looked at.
        dropout: share of the standardised descriptors that is left out in training.
    """

    def __init__(
        self, width: int, described: tuple[int, ...], embedding: int, crop_px: int | None, dropout: float
    ) -> None:
        super().__init__()
        self.crop_px = crop_px
        self.scales = nn.ModuleList(
            ScaleEncoder(width, described, embedding, dropout=dropout, middle=scale == SCALES[0]) for scale in SCALES
        )
        self.missing = nn.Parameter(torch.zeros(len(SCALES), embedding))
        self.single = nn.ModuleList(nn.Linear(embedding, embedding // PARTS) for _ in SCALES)
        self.fuse = nn.Sequential(
            nn.LayerNorm(len(SCALES) * embedding),
            nn.Linear(len(SCALES) * embedding, 2 * embedding),
            nn.GELU(),
            nn.Linear(2 * embedding, embedding // PARTS),
        )
        self.direct = nn.Linear(len(SCALES) * embedding, embedding // PARTS)

    def forward(self, images: Images) -> Tensor:
        """Return (B, D), not yet of unit length."""
        vectors = []
        for place, scale in enumerate(self.scales):
            described = None if images.described is None else images.described[:, place]
            seen = scale(self._seen(images.pixels, place), described)
            vectors.append(torch.where(images.present[:, place, None], seen, self.missing[place]))
        joined = torch.cat(vectors, dim=1)
        parts = [single(vector) for single, vector in zip(self.single, vectors, strict=True)]
        parts.append(self.direct(joined) + self.fuse(joined))
        return torch.cat([functional.normalize(part.float(), dim=1) for part in parts], dim=1)

    def _seen(self, pixels: Tensor | None, place: int) -> Tensor | None:
        if pixels is None:
            return None
        spare = 0 if self.crop_px is None or place else max(0, pixels.shape[-1] - self.crop_px)
        kept = slice(spare // 2, pixels.shape[-1] - (spare - spare // 2))
        return pixels[:, place, :, kept, kept]


class TextBlock(nn.Module):
    """One pre-norm transformer block."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm_mix, self.norm_feed = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return (T, L, W) of (T, L, W) tokens; `mask` (T, 1, 1, L) is true where there is a token."""
        count, length, width = tokens.shape
        parts = self.mix(self.norm_mix(tokens)).view(count, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        tokens = tokens + self.out(mixed.transpose(1, 2).reshape(count, length, width))
        fed: Tensor = tokens + self.feed(self.norm_feed(tokens))
        return fed


class TextEncoder(nn.Module):
    """A short text to one vector: word and place, transformer blocks, mean and maximum over the words."""

    chunk = 128  # texts of similar length that are padded together

    def __init__(self, vocabulary: int, width: int, layers: int, limit: int, embedding: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width, padding_idx=PADDING)
        self.places = nn.Embedding(limit, width)
        nn.init.normal_(self.words.weight, std=0.5)
        nn.init.normal_(self.places.weight, std=0.1)
        self.blocks = nn.ModuleList(TextBlock(width) for _ in range(layers))
        self.norm = nn.LayerNorm(2 * width)
        self.project = nn.Linear(2 * width, embedding)

    def forward(self, texts: list[list[int]]) -> Tensor:
        """Return (T, D), not yet of unit length."""
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        parts = [
            self._encode([texts[place] for place in order[start : start + self.chunk]])
            for start in range(0, len(order), self.chunk)
        ]
        back = torch.empty(len(order), dtype=torch.long)
        back[torch.tensor(order)] = torch.arange(len(order))
        return torch.cat(parts)[back.to(self.words.weight.device)]

    def _encode(self, texts: list[list[int]]) -> Tensor:
        length = max(len(text) for text in texts)
        numbers = torch.tensor([text + [PADDING] * (length - len(text)) for text in texts])
        numbers = numbers.to(self.words.weight.device)
        there = numbers != PADDING
        there[:, 0] = True
        tokens = self.words(numbers) + self.places.weight[:length]
        for block in self.blocks:
            tokens = block(tokens, there[:, None, None])
        mean = (tokens * there[..., None]).sum(dim=1) / there.sum(dim=1, keepdim=True)
        most = tokens.masked_fill(~there[..., None], -1e4).amax(dim=1)
        vectors: Tensor = self.project(self.norm(torch.cat([mean, most], dim=1)))
        return vectors


class SmallDualEncoder(DualEncoder):
    """The embedded default: both small encoders and a learnt temperature."""

    parts = PARTS

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        width: int,
        described: tuple[int, ...],
        embedding: int,
        crop_px: int | None,
        dropout: float,
        text_width: int,
        text_layers: int,
        temperature: float,
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.image = ImageEncoder(width, described, embedding, crop_px, dropout)
        self.text = TextEncoder(tokenizer.size, text_width, text_layers, tokenizer.limit, embedding)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))

    def encode_images(self, images: Images) -> Tensor:
        """Return (B, D) unit vectors, one per field."""
        return functional.normalize(self.image(images).float(), dim=1)

    def encode_texts(self, texts: list[list[int]]) -> Tensor:
        """Return (T, D) unit vectors of tokenised texts."""
        return functional.normalize(self.text(texts).float(), dim=1)

    def tokenize(self, text: str) -> list[int]:
        """Return the token numbers of a text."""
        return self.tokenizer.encode(text)

    def inverse_temperature(self) -> Tensor:
        """Return the factor that turns similarities into logits, at most 100 (Radford et al., CLIP, 2021, 2.5)."""
        return self.log_scale.exp().clamp(max=100.0)
