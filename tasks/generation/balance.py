"""Counterbalance: which field is asked with which option set, so that every option is the key equally often.

Fields are taken in blocks. A block uses one option set, in one order of its options, on k fields, one for each option:
within it a reader of the text sees k times the same string with k different keys and is right exactly once, whatever
it does. All fields of a block are of one split and, wherever possible, of one patient, so that folds grouped by
patient are balanced as well. The property is an identity of counting and holds for readers of any strength.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from schemas.ids import content_id
from tasks.generation.option_sets import OptionSet
from tasks.generation.view import FieldView, Tools


@dataclass(frozen=True, slots=True)
class Block:
    """One use of an option set: `fields[i]` is the field for which option `i` of the set is right."""

    option_set: OptionSet
    split: str
    patient_id: str
    fields: tuple[FieldView, ...]

    @property
    def order_seed(self) -> str:
        """What seeds the order of the options: across patients the set alone, so that partners change no question."""
        return self.block_id if self.patient_id else self.option_set.set_id

    @property
    def block_id(self) -> str:
        """Told by what the block holds alone: it stays the same when other fields come or go."""
        return content_id("blk", self.option_set.set_id, [view.field.field_id for view in self.fields])


Place = tuple[str, str]
"""Split and patient; a patient of no name stands for all of the split."""
Pool = dict[Place, dict[int, list[FieldView]]]
"""Option -> fields for which it is right, by place."""


class Allocation:
    """The use of fields by one dimension: each at most `questions_per_field` times, with another set each time."""

    def __init__(self, views: Sequence[FieldView], split_of: Mapping[str, str], tools: Tools) -> None:
        self._split_of = split_of
        self._tools = tools
        self._left = {view.field.field_id: tools.config.questions_per_field for view in views}
        self._views = views

    def blocks(self, by_template: Sequence[Sequence[OptionSet]]) -> list[Block]:
        """Return the blocks of a dimension: within patients; across those of a split whose own fields give none.

        What a patient with blocks of their own is asked depends on nobody else's fields, so questions, and what people
        decided about them, stay when slides of others come or go. Of the others' most do: their fields stand in an
        order, and options are shown in one, that does not depend on who else is there.
        """
        pools = [self._pools(sets) for sets in by_template]
        places = sorted({place for by_set in pools for pool in by_set.values() for place in pool})
        blocks = [block for place in places for block in self._at(place, by_template, pools)]
        waiting = set(places) - {(block.split, block.patient_id) for block in blocks}
        across = [{name: self._across(name, pool, waiting) for name, pool in by_set.items()} for by_set in pools]
        for split in sorted({split for split, _ in waiting}):
            blocks += self._at((split, ""), by_template, across)
        return blocks

    def _across(self, set_id: str, pool: Pool, waiting: Set[Place]) -> Pool:
        """Return the pool of a set's waiting patients together, by split."""
        merged: Pool = defaultdict(lambda: defaultdict(list))
        for split, patient in sorted(pool.keys() & waiting):
            for option, views in pool[split, patient].items():
                merged[split, ""][option] += views
        for by_option in merged.values():
            for views in by_option.values():
                views.sort(key=lambda view: self._tools.rank("fields", set_id, view.field.field_id))
        return merged

    def _at(
        self, place: Place, by_template: Sequence[Sequence[OptionSet]], pools: Sequence[Mapping[str, Pool]]
    ) -> list[Block]:
        """Return the blocks of a patient, or of a split.

        Of each template the `sets_per_template` sets with the most fields are used, spread over the attributes that
        they ask about. Templates take turns, and within each its sets, until none finds a block any more.
        """
        queues = [
            deque((option_set, by_set[option_set.set_id][place]) for option_set in self._select(sets, by_set, place))
            for sets, by_set in zip(by_template, pools, strict=True)
        ]
        blocks: list[Block] = []
        used: dict[str, set[str]] = defaultdict(set)
        while any(queues):
            for queue in filter(None, queues):
                option_set, fields = queue.popleft()
                if taken := self._one_block(option_set, fields, used[option_set.set_id]):
                    blocks.append(Block(option_set, *place, taken))
                    queue.append((option_set, fields))
        return blocks

    def _pools(self, sets: Sequence[OptionSet]) -> dict[str, Pool]:
        index: dict[tuple[str, ...], dict[tuple[str | None, ...], list[FieldView]]] = {}
        pools: dict[str, Pool] = {}
        for option_set in sets:
            names = option_set.conditions
            if names not in index:
                index[names] = defaultdict(list)
                for view in self._views:
                    index[names][view.values(names)].append(view)
            pool: Pool = defaultdict(lambda: defaultdict(list))
            for option, values in enumerate(option_set.wanted):
                for view in index[names].get(values, []):
                    patient = view.field.patient_id
                    if patient in self._split_of:
                        pool[self._split_of[patient], patient][option].append(view)
            for place in sorted(pool):
                for option, views in pool[place].items():
                    self._tools.choice("fields", option_set.set_id, *place, str(option)).shuffle(views)
            pools[option_set.set_id] = pool
        return pools

    def _select(self, sets: Sequence[OptionSet], pools: Mapping[str, Pool], place: Place) -> list[OptionSet]:
        by_attributes: dict[tuple[str, ...], list[tuple[int, str, OptionSet]]] = defaultdict(list)
        for option_set in sets:
            if room := _blocks_in(pools[option_set.set_id].get(place, {}), len(option_set.options)):
                by_attributes[option_set.attributes].append((-room, option_set.set_id, option_set))
        ranked = [
            (rank, item) for group in by_attributes.values() for rank, item in enumerate(sorted(group, key=_by_room))
        ]
        ranked.sort(key=lambda pair: (pair[0], _by_room(pair[1])))
        return [item[2] for _, item in ranked[: self._tools.config.sets_per_template]]

    def _one_block(
        self, option_set: OptionSet, fields: Mapping[int, Sequence[FieldView]], used: set[str]
    ) -> tuple[FieldView, ...] | None:
        found: list[FieldView] = []
        for option in range(len(option_set.options)):
            free = [v for v in fields.get(option, []) if self._left[v.field.field_id] and v.field.field_id not in used]
            if not free:
                return None
            found.append(max(free, key=lambda view: self._left[view.field.field_id]))
        for view in found:
            self._left[view.field.field_id] -= 1
            used.add(view.field.field_id)
        return tuple(found)


def _by_room(item: tuple[int, str, OptionSet]) -> tuple[int, str]:
    return item[:2]


def _blocks_in(fields: Mapping[int, Sequence[FieldView]], k: int) -> int:
    return min((len(fields.get(option, ())) for option in range(k)), default=0)
