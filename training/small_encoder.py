"""The small encoder that learns from scratch on two CPU cores: its text side, and both sides together."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.encoder import DualEncoder, Images
from training.small_image_encoder import PARTS, ImageEncoder
from training.tokenizer import PADDING, Tokenizer


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
