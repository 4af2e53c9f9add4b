from __future__ import annotations

from pathlib import Path

import torch

from training.encoder import Images
from training.optimizer import one_cycle
from training.refine import refine
from training.release import Release
from training.small_image_encoder import ImageEncoder
from training.steps import augment
from training.text_sampler import MOST_VALUES, TextSampler
from training.texts import FieldTexts, TextBook


def coordinates(side: int) -> Images:
    """Pixels that tell where they come from: the first colour is the column, the second the row."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    one = torch.stack([columns, rows, torch.zeros_like(rows)]).to(torch.uint8)
    return Images(one.expand(2, 3, 3, side, side), torch.ones(2, 3, dtype=torch.bool))


def test_crops_stay_near_the_middle_at_the_low_scale_and_roam_at_the_others() -> None:
    lows, highs = [], []
    for seed in range(40):
        draws = torch.Generator().manual_seed(seed)
        pixels = augment(coordinates(200), draws, crop_px=100, turn=False).looked_at()
        assert pixels.shape == (2, 3, 3, 100, 100)
        lows.append(int(pixels[0, 0, 0].min()))
        highs.append(int(pixels[0, 2, 0].min()))
    assert min(lows) >= 30
    assert max(lows) <= 70
    assert min(highs) < 20
    assert max(highs) > 80


def test_a_turned_crop_holds_the_same_pixels_in_another_place() -> None:
    plain, turned = (
        augment(coordinates(64), torch.Generator().manual_seed(5), crop_px=None, turn=turn).looked_at()
        for turn in (False, True)
    )
    assert plain.shape == turned.shape
    assert torch.equal(plain.flatten().sort().values, turned.flatten().sort().values)
    assert not torch.equal(plain, turned)


def test_tissue_around_the_low_field_does_not_change_its_vector() -> None:
    torch.manual_seed(0)
    encoder = ImageEncoder(8, (), 16, crop_px=32, dropout=0).eval()
    images = Images(torch.randint(0, 255, (1, 3, 3, 64, 64), dtype=torch.uint8), torch.ones(1, 3, dtype=torch.bool))
    around, middle = images.looked_at().clone(), images.looked_at().clone()
    around[:, 0, :, :16] = 0
    middle[:, 0, :, 24:40, 24:40] = 0
    with torch.no_grad():
        assert torch.equal(encoder(Images(around, images.present)), encoder(images))
        assert not torch.allclose(encoder(Images(middle, images.present)), encoder(images))


def test_a_missing_scale_has_its_own_learnt_vector() -> None:
    encoder = ImageEncoder(8, (), 16, crop_px=None, dropout=0).eval()
    pixels = torch.randint(0, 255, (1, 3, 3, 32, 32), dtype=torch.uint8)
    other = pixels.clone()
    other[:, 1] = 0
    present = torch.tensor([[True, False, True]])
    with torch.no_grad():
        assert torch.equal(encoder(Images(pixels, present)), encoder(Images(other, present)))


def test_the_learning_rate_rises_to_its_peak_and_falls_to_zero() -> None:
    assert one_cycle(0.0, 0.2) < 0.05
    assert one_cycle(0.2, 0.2) == 1.0
    assert one_cycle(1.0, 0.2) < 1e-9


def test_a_text_that_stands_for_several_fields_is_true_of_all_of_them(miniature: Path) -> None:
    book = TextBook.read(Release(miniature), "train")
    sampler = TextSampler(book, captions=2, negatives=3, questions=1, seed=0)
    ids = list(book.fields)[:24]
    batch = sampler.draw(ids, step=4)
    for row, field_id in enumerate(ids):
        for column, text in enumerate(batch.texts):
            assert batch.true[row, column] == (text in book.fields[field_id].true)
    assert batch.true.sum(axis=0).max() > 1
    assert not (batch.true & batch.unknown).any()
    for row, caption, wrong in batch.pairs:
        assert batch.true[row, caption]
        assert not batch.true[row, wrong].any()


def test_the_draw_depends_on_seed_and_step_alone(miniature: Path) -> None:
    book = TextBook.read(Release(miniature), "train")
    samplers = [TextSampler(book, captions=2, negatives=2, questions=1, seed=seed) for seed in (0, 0, 1)]
    ids = list(book.fields)[:8]
    samplers[1].draw(ids, 1)
    first, again, other = (sampler.draw(ids, 7) for sampler in samplers)
    assert (first.texts, first.pairs) == (again.texts, again.pairs)
    assert first.texts != other.texts
    assert first.texts != samplers[0].draw(ids, 8).texts


def test_of_many_values_some_are_set_against_the_one_that_is_there() -> None:
    book = TextBook()
    options = tuple(book.add(f"diagnosis: {value}") for value in range(100))
    book.fields["f"] = FieldTexts(findings=[(options, 77)])
    batch = TextSampler(book, captions=1, negatives=0, questions=0, seed=0).draw(["f"], 0)
    _, columns, answer = batch.findings[0]
    assert len(set(columns)) == MOST_VALUES
    assert batch.texts[columns[answer]] == options[77]


def test_refinement_changes_details_and_keeps_the_colour_of_windows() -> None:
    draws = torch.Generator().manual_seed(3)
    pixels = torch.randint(60, 200, (4, 3, 48, 48), generator=draws, dtype=torch.uint8)
    refined = refine(pixels, draws)
    assert refined.dtype == torch.uint8
    assert (refined.float() - pixels.float()).abs().mean() > 3
    flat = torch.full((1, 3, 40, 40), 90, dtype=torch.uint8)
    assert torch.equal(refine(flat, draws), flat)
    smooth = pixels.float().mean(dim=(2, 3)) - refined.float().mean(dim=(2, 3))
    assert smooth.abs().max() < 25


def test_refined_images_repeat_with_the_seed() -> None:
    images = coordinates(64)
    first, second = (
        augment(images, torch.Generator().manual_seed(5), crop_px=None, turn=False, refined=1.0).looked_at()
        for _ in range(2)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, images.looked_at())
