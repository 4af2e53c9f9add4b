from __future__ import annotations

import math

import torch

from training.losses import contrastive_loss, multi_positive_info_nce, negative_loss, question_loss, scale_loss

EYE = torch.eye(3, dtype=torch.bool)
ALL = torch.ones(3, 3, dtype=torch.bool)


def test_with_one_positive_each_the_loss_is_cross_entropy() -> None:
    logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.cross_entropy(logits, torch.arange(3))
    assert torch.allclose(multi_positive_info_nce(logits, EYE), expected)
    both = (expected + torch.nn.functional.cross_entropy(logits.T, torch.arange(3))) / 2
    assert torch.allclose(contrastive_loss(logits, EYE, ALL), both)


def test_a_repeated_caption_is_a_positive_and_not_a_false_negative() -> None:
    logits = torch.full((2, 2), 5.0)
    assert multi_positive_info_nce(logits, torch.ones(2, 2, dtype=torch.bool)).item() < 1e-6
    assert multi_positive_info_nce(logits, torch.eye(2, dtype=torch.bool)).item() > 0.6


def test_texts_that_are_neither_true_nor_false_change_nothing() -> None:
    candidate = torch.tensor([[True, True, False]])
    positive = torch.tensor([[True, False, False]])
    low, high = (multi_positive_info_nce(torch.tensor([[1.0, 0.0, x]]), positive, candidate) for x in (-9.0, 9.0))
    assert torch.equal(low, high)


def test_rows_without_a_positive_do_not_count() -> None:
    logits = torch.tensor([[2.0, 0.0], [7.0, 7.0]])
    positive = torch.tensor([[True, False], [False, False]])
    assert torch.allclose(multi_positive_info_nce(logits, positive), torch.tensor(math.log1p(math.exp(-2))))
    assert multi_positive_info_nce(logits, torch.zeros(2, 2, dtype=torch.bool)).item() == 0


def test_the_negative_loss_is_that_of_the_caption_among_its_perturbations() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0]])
    loss = negative_loss(logits, torch.tensor([0]), torch.tensor([[1, 2]]), torch.tensor([[True, True]]))
    assert torch.allclose(loss, torch.nn.functional.cross_entropy(logits, torch.tensor([0])))
    alone = negative_loss(logits, torch.tensor([0]), torch.tensor([[2, 0]]), torch.tensor([[True, False]]))
    assert torch.allclose(alone, torch.tensor(math.log1p(math.e)))


def test_a_row_is_the_mean_over_its_positives_and_a_loss_the_mean_over_its_rows() -> None:
    several = multi_positive_info_nce(torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([[True, True, False]]))
    assert torch.allclose(several, torch.tensor((math.log1p(math.exp(-3)) + math.log1p(math.exp(-1))) / 2))
    logits = torch.tensor([[1.0, 3.0, 2.0], [0.0, 1.0, 4.0]])
    place, pairs, there = torch.tensor([0, 1]), torch.tensor([[0, 2], [2, 1]]), torch.ones(2, 2, dtype=torch.bool)
    for loss in (question_loss, negative_loss):
        given = (pairs, there, place) if loss is question_loss else (place, pairs, there)
        rows = [loss(logits[row : row + 1], *(part[row : row + 1] for part in given)) for row in (0, 1)]
        assert torch.allclose(loss(logits, *given), (rows[0] + rows[1]) / 2)
        assert loss(logits[:0], *(part[:0] for part in given)).item() == 0
    texts = torch.eye(4)[[3, 0]]
    spoken = torch.tensor([[True, True], [False, False]])
    assert torch.equal(scale_loss(texts, 4, spoken), scale_loss(texts[:1], 4, spoken[:1]))


def test_padding_of_short_option_lists_is_never_chosen() -> None:
    logits = torch.tensor([[9.0, 1.0, 2.0]])
    loss = question_loss(logits, torch.tensor([[1, 2, 0]]), torch.tensor([[True, True, False]]), torch.tensor([1]))
    assert torch.allclose(loss, torch.tensor(math.log1p(math.exp(-1.0))))


def test_a_text_of_one_scale_pays_for_what_it_looks_for_at_others() -> None:
    parts = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 1.0], [0.6, 0, 0, 0.8]]).repeat_interleave(2, dim=1) / math.sqrt(2)
    low = torch.tensor([True, False, False])
    known, nowhere = low.expand(3, 3), torch.zeros(3, 3, dtype=torch.bool)
    costs = [scale_loss(parts[row : row + 1], 4, known[:1]).item() for row in range(3)]
    assert costs[0] < 1e-5 < costs[2] < 1.1 < costs[1]
    assert abs(costs[2] + math.log(0.36)) < 1e-4
    assert scale_loss(parts, 4, nowhere).item() == 0
    assert scale_loss(parts[:1], 4, ~low[None]).item() > 10
