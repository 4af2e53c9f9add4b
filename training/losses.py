"""The contrastive objective L = L_con + alpha L_neg + beta L_pos (PathoHR), for repeated captions and hard negatives.

Throughout, s_it is the similarity of field i and text t times the inverse temperature.

References:
    Huang et al., PathoHR: Hierarchical Reasoning for Vision-Language Models in Pathology, EMNLP 2025
    (arXiv 2509.06105): the objective and the three branches. The paper leaves the form of the terms open.
    van den Oord et al., Representation Learning with Contrastive Predictive Coding, 2018, eq. 4: InfoNCE.
    Khosla et al., Supervised Contrastive Learning, NeurIPS 2020, eq. 2: the mean over several positives.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_FAR = -1e4  # stands for minus infinity, and stays finite in bf16


def multi_positive_info_nce(logits: Tensor, positive: Tensor, candidate: Tensor | None = None) -> Tensor:
    """Return InfoNCE over rows with several positives each.

        L = mean_i 1/|P_i| sum_{p in P_i} -log( exp(s_ip) / (exp(s_ip) + sum_{n in N_i} exp(s_in)) )

    Deviation from Khosla et al., eq. 2: the other positives of i are left out of the denominator, so that a field's
    captions do not push one another away and the loss can reach 0. Texts that are neither in P_i nor in N_i (a true
    caption of the field that is worded otherwise) count on no side.

    Args:
        logits: s, rows against columns.
        positive: P, the pairs that belong together.
        candidate: pairs that take part, P or N; all where None.

    Shapes:
        (B, T) each; scalar returned, 0 where no row has a positive.
    """
    negative = ~positive if candidate is None else candidate & ~positive
    against = torch.logsumexp(logits.masked_fill(~negative, _FAR), dim=1, keepdim=True)
    each = functional.softplus(against - logits)
    counts = positive.sum(dim=1)
    rows = (each * positive).sum(dim=1) / counts.clamp(min=1)
    return rows.sum() / (counts > 0).sum().clamp(min=1)


def contrastive_loss(logits: Tensor, positive: Tensor, candidate: Tensor) -> Tensor:
    """Return L_con: InfoNCE with several positives from image to text and from text to image, averaged.

    Shapes:
        (B, T) each; scalar returned.
    """
    forward = multi_positive_info_nce(logits, positive, candidate)
    return (forward + multi_positive_info_nce(logits.T, positive.T, candidate.T)) / 2


def negative_loss(logits: Tensor, caption: Tensor, perturbed: Tensor, present: Tensor) -> Tensor:
    """Return L_neg: each caption against the perturbed captions of the same image.

        L_neg = mean_(i,c) -log( exp(s_ic) / (exp(s_ic) + sum_k exp(s_ic'_k)) )

    Args:
        logits: the rows of s of the images concerned.
        caption: column of the caption.
        perturbed: columns of its perturbed captions.
        present: which of `perturbed` are there (the others are padding).

    Shapes:
        (N, T), (N,), (N, K), (N, K); scalar returned, 0 where N is 0.
    """
    right = logits.gather(1, caption[:, None])
    wrong = logits.gather(1, perturbed).masked_fill(~present, _FAR)
    return functional.softplus(torch.logsumexp(wrong, dim=1) - right[:, 0]).sum() / max(len(caption), 1)


def scale_loss(texts: Tensor, parts: int, spoken: Tensor) -> Tensor:
    """Return how much texts about some scales look for themselves in what was seen at others.

        L_scale = mean_t -log( sum_{s in S_t} |t_s|^2 ),  t of unit length, t_s its part for scale s

    A text on nuclei is answered by the high scale; what a few hundred training fields happen to show at the others is
    noise, and a model that listens to it learns their patients by heart.

    Args:
        texts: unit vectors of parts of equal size, the first of which belong to the scales.
        parts: into how many parts a vector falls.
        spoken: S, the scales that each text speaks of; rows without any do not count.

    Shapes:
        (T, D), (T, scales); scalar returned, 0 where no text speaks of a scale.
    """
    shares = texts.view(len(texts), parts, -1).square().sum(dim=2)[:, : spoken.shape[1]]
    known = spoken.any(dim=1)
    inside = (shares * spoken).sum(dim=1).clamp(min=1e-6)
    return -(inside.log() * known).sum() / known.sum().clamp(min=1)


def question_loss(logits: Tensor, options: Tensor, present: Tensor, answer: Tensor) -> Tensor:
    """Return the cross-entropy of the right option among the options of each question.

    Shapes:
        (N, T), (N, K), (N, K), (N,); scalar returned, 0 where N is 0.
    """
    scores = logits.gather(1, options).masked_fill(~present, _FAR)
    return functional.cross_entropy(scores, answer, reduction="sum") / max(len(answer), 1)
