"""How fast does a language model read questions without their image, and are the scores those of the naive scheme?

On a GPU: a model of 7B shape with random weights in bfloat16 (speed does not depend on what weights say). Without one
the same path is measured with a small model in float32 on the CPU, and the GPU's figures are said to be unmeasured.

Usage: python -m benchmarks.screening_gpu [--quick] [--json FILE]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._claims import Claim, claim, keep, tell
from tasks.screening.causal_model import CausalModel
from tasks.screening.config import Mode
from tasks.screening.forked import padded, row_logits
from tasks.screening.items import LETTERS, Item, panel_of
from tasks.screening.language_model import LanguageModelReader
from tasks.screening.prompts import DOMAIN, GUESS, cloze_prefix, options_suffix, question_prefix, rotated
from tasks.screening.stored_scores import StoredScores

K = 4
QUESTION_WORDS, OPTION_WORDS = 99, 27  # with the prompt's own words about 231 tokens a question and rotation
SHAPES: dict[str, dict[str, Any]] = {
    "7B": {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28},
    "small": {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 4, "num_attention_heads": 8},
}
KV_HEADS, VOCABULARY = {"7B": 4, "small": 4}, {"7B": 152_064, "small": 8_192}
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Bench:
    """A model on a device with the tokens that a batch may hold."""

    loaded: CausalModel
    shape: str
    device: str
    budget: int

    def wait(self) -> None:
        """Wait until the device has done what it was given."""
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()


def random_items(n: int) -> list[Item]:
    """Return questions of random words, each with four options."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(2000)])

    def text(length: int) -> str:
        return " ".join(rng.choice(words, length))

    return [Item(str(i), text(QUESTION_WORDS), tuple(text(OPTION_WORDS) for _ in range(K)), 0) for i in range(n)]


def word_tokenizer() -> Any:
    """Return a tokenizer whose tokens are the benchmark's words, letters and marks."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    split = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    texts = [question_prefix(""), cloze_prefix(""), GUESS, DOMAIN, ". : -", " ".join(f"w{n}" for n in range(2000))]
    known = {word for text in texts for word, _ in split.pre_tokenize_str(text)} | set(LETTERS)
    vocabulary = {word: place for place, word in enumerate(["<s>", "<unk>", *sorted(known)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106 - a token of text
    tokenizer.pre_tokenizer = split
    fast: Any = transformers.PreTrainedTokenizerFast
    return fast(tokenizer_object=tokenizer, bos_token="<s>", unk_token="<unk>")  # noqa: S106


def random_model(shape: str, device: str, dtype: str) -> CausalModel:
    """Return a model with random weights, made on its device."""
    import torch
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY[shape],
        num_key_value_heads=KV_HEADS[shape],
        max_position_embeddings=4096,
        **SHAPES[shape],
    )
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        with torch.device(device):
            model: Any = transformers.LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
    return CausalModel(model.eval(), word_tokenizer(), shape, f"random {dtype}")


def prompts_of(loaded: CausalModel, item: Item) -> list[tuple[int, ...]]:
    """Return the whole prompt of every rotation."""
    prefix = loaded.start(question_prefix(item.question))
    return [prefix + loaded.encode(options_suffix(rotated(item.options, turn))) for turn in range(K)]


def in_batches(bench: Bench, rows: Sequence[tuple[int, ...]], last: Callable[[Any, Any], Any]) -> Any:
    """Return what `last` makes of (tokens, mask) of left-padded rows, in batches of the same budget."""
    import torch

    size = max(1, bench.budget // max(map(len, rows)))
    parts = []
    with torch.inference_mode():
        for first in range(0, len(rows), size):
            tokens, mask = padded(rows[first : first + size], 0, left=True, device=bench.device)
            parts.append(last(tokens, mask))
    return torch.cat(parts).float().cpu().numpy()


def averaged(log_p: NDArray[np.floating]) -> Scores:
    """Return (items x K,) means over rotations of log p (items, K rotations, K letters)."""
    turns = np.arange(K)
    columns = [log_p[:, turns, (option + turns) % K].mean(axis=1) for option in range(K)]
    return np.column_stack(columns).ravel().astype(np.float64)


def naive(bench: Bench, items: Sequence[Item]) -> Scores:
    """Run every option in every rotation as a text of its own, with logits at every position."""
    import torch

    letters = bench.loaded.letter_tokens(K)
    rows = [(*prompt, letter) for item in items for prompt in prompts_of(bench.loaded, item) for letter in letters]

    def last(tokens: Any, mask: Any) -> Any:
        places = (mask.cumsum(1) - 1).clamp(min=0)
        logits = bench.loaded.model(input_ids=tokens, attention_mask=mask, position_ids=places, use_cache=False).logits
        return torch.log_softmax(logits[:, -2].float(), dim=1).gather(1, tokens[:, -1:])

    each = in_batches(bench, rows, last).reshape(len(items), K, K)
    return averaged(each - np.log(np.exp(each).sum(axis=2, keepdims=True)))


def independent(bench: Bench, items: Sequence[Item]) -> Scores:
    """Run every rotation as a text of its own, with logits of the letters at the last position alone."""
    import torch

    model, letters = bench.loaded.model, torch.tensor(bench.loaded.letter_tokens(K), device=bench.device)
    rows = [prompt for item in items for prompt in prompts_of(bench.loaded, item)]

    def last(tokens: Any, mask: Any) -> Any:
        places = (mask.cumsum(1) - 1).clamp(min=0)
        states = model.base_model(input_ids=tokens, attention_mask=mask, position_ids=places, use_cache=False)
        return torch.log_softmax(row_logits(model, states.last_hidden_state[:, -1], letters), dim=1)

    return averaged(in_batches(bench, rows, last).reshape(len(items), K, K))


def reader(mode: Mode) -> Callable[[Bench, Sequence[Item]], Scores]:
    """Return the project's own reader in one mode."""

    def read(bench: Bench, items: Sequence[Item]) -> Scores:
        return LanguageModelReader(bench.loaded, mode, bench.budget, StoredScores(None)).read(panel_of(items))

    return read


SCHEMES = {"naive": naive, "independent": independent, "shared prefix": reader("letters"), "cloze": reader("cloze")}


def timed(bench: Bench, items: Sequence[Item], rounds: int) -> tuple[dict[str, float], dict[str, Scores]]:
    """Return seconds per question (median of interleaved rounds) and scores of every scheme."""
    seconds: dict[str, list[float]] = {name: [] for name in SCHEMES}
    scores: dict[str, Scores] = {}
    for turn in range(rounds + 1):
        for name, scheme in SCHEMES.items():
            part = items[: len(items) // 4] if name == "naive" else items  # a quarter is enough of the slowest
            bench.wait()
            begun = time.perf_counter()
            scores[name] = scheme(bench, part)
            bench.wait()
            if turn:  # the first round warms up
                seconds[name].append((time.perf_counter() - begun) / len(part))
    return {name: statistics.median(values) for name, values in seconds.items()}, scores


def product_peak(device: str, dtype: str, size: int) -> float:
    """Return the fastest measured matrix product, in floating-point operations per second."""
    import torch

    a, b = (torch.randn(size, size, device=device, dtype=getattr(torch, dtype)) for _ in range(2))
    best = 0.0
    for _ in range(6):
        if device == "cuda":
            torch.cuda.synchronize()
        begun = time.perf_counter()
        for _ in range(4):
            a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        best = max(best, 8.0 * size**3 / (time.perf_counter() - begun))
    return best


def operations(bench: Bench, items: Sequence[Item]) -> float:
    """Return floating-point operations that one question costs with a shared prefix: 2 per weight and token."""
    named = bench.loaded.model.model.named_parameters()
    body = sum(int(weight.numel()) for name, weight in named if "embed" not in name)
    tokens = []
    for item in items:
        prefix = len(bench.loaded.start(question_prefix(item.question)))
        tokens.append(prefix + sum(len(prompt) - prefix for prompt in prompts_of(bench.loaded, item)))
    return 2.0 * body * float(np.mean(tokens))


def speed(bench: Bench, n: int, rounds: int, dtype: str) -> list[Claim]:
    """Return the figures of one model on one device."""
    items = random_items(n)
    where = f"{bench.shape} model, {dtype}, {bench.device}"
    length = round(float(np.mean([len(p) for item in items for p in prompts_of(bench.loaded, item)])))
    seconds, scores = timed(bench, items, rounds)
    shared = seconds["shared prefix"]
    rows = [claim(f"{where}: {name}", 1.0 / took, "questions/s", "-", True) for name, took in seconds.items()]
    if bench.device == "cuda":
        rows[2] = claim(f"{where}: shared prefix", 1.0 / shared, "questions/s", ">= 40", 1.0 / shared >= 40)
    for name, least in (("naive", 5.0), ("independent", 1.4)):
        ratio = seconds[name] / shared
        rows.append(claim(f"{where}: shared prefix against {name}", ratio, "times", f">= {least:g}", ratio >= least))
    whole = scores["shared prefix"]
    bound = 0.05 if dtype == "bfloat16" else 1e-5
    for name in ("naive", "independent"):
        gap = float(np.abs(whole[: len(scores[name])] - scores[name]).max())
        rows.append(claim(f"{where}: largest |dlogp| to {name}", gap, "nats", f"<= {bound:g}", gap <= bound))
    peak = product_peak(bench.device, dtype, 8192 if bench.device == "cuda" else 1024)
    share = operations(bench, items) / shared / peak
    rows.append(claim(f"{where}: share of the measured matrix-product peak", share, "share", "-", True))
    rows.append(claim(f"{where}: tokens of a prompt", float(length), "tokens", "-", True))
    return rows


def memory(bench: Bench) -> list[Claim]:
    """Return the device memory that reading takes beyond the weights: nothing as large as vocabulary x length."""
    import torch

    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    reader("letters")(bench, random_items(64))
    peak = (torch.cuda.max_memory_allocated() - before) / 2**30
    logits = bench.budget * VOCABULARY[bench.shape] * 4 / 2**30
    return [claim("7B: memory beyond the weights", peak, "GiB", f"<= {logits:.2f}", peak <= logits)]


def main() -> None:
    """Print the table."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="finish within a minute")
    parser.add_argument("--json", type=Path, help="write the claims here")
    arguments = parser.parse_args()
    n = 8 if arguments.quick else 24
    small = Bench(random_model("small", "cpu", "float32"), "small", "cpu", 4096)
    rows = speed(small, n, 1 if arguments.quick else 3, "float32")
    if torch.cuda.is_available():
        large = Bench(random_model("7B", "cuda", "bfloat16"), "7B", "cuda", 16_384)
        rows += speed(large, 32 if arguments.quick else 256, 1 if arguments.quick else 3, "bfloat16") + memory(large)
    else:
        rows.append(claim("7B model, bfloat16, cuda: shared prefix", "not measured: no GPU", "", ">= 40", False))
    tell(rows)
    keep(rows, arguments.json)


if __name__ == "__main__":
    main()
