"""Between the release's fields and a language model: wording its prompts, encoding its images."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image
from torch import Tensor

from training.decode import decode_tile
from training.release import Release, Split
from training.tile_index import TileIndex


class Conversation:
    """Words prompts as the model's chat template has them, and encodes them with the tiles of their field.

    Args:
        release: the release.
        split: its split.
        processor: a tokenizer, or a processor of text and images.
        images: show the field's tiles, low to high, before the text.
        image_px: side of the images.
    """

    def __init__(self, release: Release, split: Split, processor: Any, *, images: bool, image_px: int) -> None:
        self.processor = processor
        self.tokenizer = getattr(processor, "tokenizer", processor)
        self._index = TileIndex(release, split) if images else None
        self._image_px = image_px
        self._tokens_of_images: dict[int, int] = {}

    def pictures(self, field_id: str) -> list[Image.Image]:
        """Return the tiles of a field, from low to high scale; empty where the model sees no images."""
        if self._index is None:
            return []
        return [Image.fromarray(decode_tile(data, self._image_px)) for data in self._index.tiles(field_id).values()]

    def messages(self, text: str, field_id: str) -> list[dict[str, Any]]:
        """Return the prompt as one turn of the user, with a place for every picture."""
        if self._index is None:
            return [{"role": "user", "content": text}]
        places: list[dict[str, Any]] = [{"type": "image"} for _ in self._index.tiles(field_id)]
        return [{"role": "user", "content": [*places, {"type": "text", "text": text}]}]

    def prompt(self, text: str, field_id: str) -> str:
        """Return the prompt as text that the model's answer follows; plain text where the model has no template."""
        if getattr(self.processor, "chat_template", None) is None:
            return f"{text}\n"
        prompt: str = self.processor.apply_chat_template(
            self.messages(text, field_id), add_generation_prompt=True, tokenize=False
        )
        return prompt

    def encode(self, text: str, field_id: str) -> dict[str, Any]:
        """Return the token numbers of a prompt as `input_ids`, and the encoded pictures."""
        if self._index is None:
            return {"input_ids": self.tokenizer.encode(text, add_special_tokens=False)}
        encoded = self.processor(text=[text], images=self.pictures(field_id) or None, return_tensors="pt")
        whole = {name: value for name, value in encoded.items() if name != "attention_mask"}
        return {**whole, "input_ids": encoded["input_ids"][0].tolist()}

    def image_tokens(self, text: str, field_id: str) -> int:
        """Return by how many tokens the pictures of a field make a prompt longer than its words.

        All pictures have one size, so that it is measured once for each number of pictures.
        """
        count = 0 if self._index is None else len(self._index.tiles(field_id))
        if count not in self._tokens_of_images:
            words = len(self.tokenizer.encode(text, add_special_tokens=False))
            self._tokens_of_images[count] = len(self.encode(text, field_id)["input_ids"]) - words if count else 0
        return self._tokens_of_images[count]

    def join_images(self, rows: list[dict[str, Any]], length: int) -> dict[str, Tensor]:
        """Return what the processor made of the pictures of several rows, as one batch.

        Per-token columns (same length as the row's tokens) are padded with 0 to `length`; all others, such as pixels
        and grids, are laid end to end.
        """
        joined = {}
        for name in [name for name in rows[0] if name != "input_ids"]:
            values = [row[name] for row in rows]
            per_token = all(value.shape == (1, len(row["input_ids"])) for value, row in zip(values, rows, strict=True))
            if per_token:
                values = [torch.nn.functional.pad(value, (0, length - value.shape[1])) for value in values]
            joined[name] = torch.cat(values)
        return joined
