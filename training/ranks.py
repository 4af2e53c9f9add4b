"""Several processes that train one model: torchrun starts them, this module lets them act as one.

Every process encodes its own images and its share of the texts; the vectors are gathered, so that the loss is that of
the whole batch, with the negatives of all processes, however many there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train together; one of one where torchrun did not start it.

    Attributes:
        rank: number of this process.
        count: how many there are.
        local: number of this process on its machine, and of its GPU.
        objects: the processes as a group that sends objects from memory to memory, so that no GPU is waited for.
    """

    rank: int = 0
    count: int = 1
    local: int = 0
    objects: Any = None

    @classmethod
    def join(cls, *, gpu: bool) -> Ranks:
        """Return this process's place, from the variables that torchrun sets; joins the others over NCCL or gloo."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls()
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if gpu:
            torch.cuda.set_device(local)
        if not dist.is_initialized():
            dist.init_process_group("nccl" if gpu else "gloo")
        return cls(dist.get_rank(), count, local, dist.new_group(backend="gloo"))

    @property
    def first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def gather_objects(self, mine: Any) -> list[Any]:
        """Return what every process has, in their order."""
        if self.count == 1:
            return [mine]
        every: list[Any] = [None] * self.count
        dist.all_gather_object(every, mine, group=self.objects)
        return every

    def gather(self, vectors: Tensor) -> Tensor:
        """Return the rows of all processes one after another; gradients flow into this process's own rows alone.

        Shapes:
            (N, D), N alike in all processes, to (count N, D).
        """
        if self.count == 1:
            return vectors
        every = [torch.empty_like(vectors) for _ in range(self.count)]
        dist.all_gather(every, vectors.detach().contiguous())
        every[self.rank] = vectors
        return torch.cat(every)

    def share(self, texts: Sequence[Any]) -> list[Any]:
        """Return the texts that this process encodes: every count-th, filled up so that all have equally many."""
        each = -(-len(texts) // self.count)
        mine = list(texts[self.rank :: self.count])
        return mine + list(texts[:1]) * (each - len(mine))

    def gather_shares(self, vectors: Tensor, total: int) -> Tensor:
        """Return the vectors of all texts in their order, from those of every process's share."""
        if self.count == 1:
            return vectors
        each = vectors.shape[0]
        order = torch.arange(total, device=vectors.device)
        return self.gather(vectors)[order % self.count * each + order // self.count]

    def own_part(self, value: Tensor) -> Tensor:
        """Return a value that all processes compute alike, with a gradient that they do not count several times."""
        return value if self.count == 1 else value.detach() + (value - value.detach()) / self.count

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their sums over all processes, in one message.

        Each process's gradient is that of the whole loss with respect to what it encoded, so the sum is the gradient.
        """
        if self.count == 1:
            return
        held = [parameter for parameter in parameters if parameter.requires_grad]
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten().float() for p in held])
        dist.all_reduce(flat)
        for parameter, part in zip(held, torch.split(flat, [p.numel() for p in held]), strict=True):
            parameter.grad = part.view_as(parameter).to(parameter.dtype)

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes."""
        if self.count > 1:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def average_buffers(self, model: nn.Module) -> None:
        """Give all processes the same running statistics, the means of theirs."""
        if self.count == 1:
            return
        held = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        if held:
            flat = self.sum(torch.cat([buffer.flatten() for buffer in held])) / self.count
            for buffer, part in zip(held, torch.split(flat, [b.numel() for b in held]), strict=True):
                buffer.copy_(part.view_as(buffer))

    def wait(self) -> None:
        """Return when all processes have come here."""
        if self.count > 1:
            dist.barrier()
