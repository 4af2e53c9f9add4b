"""Counterbalance: which field is asked with which option set, so that every option is the key equally often.

Fields are taken in blocks. A block uses one option set, in one order of its options, on k fields, one for each option:
within it a reader of the text sees k times the same string with k different keys and is right exactly once, whatever
it does. All fields of a block are of one split and, wherever possible, of one patient, so that folds grouped by
patient are balanced as well. The property is an identity of counting and holds for readers of any strength.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from operator import itemgetter

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
Waiting = list[list[tuple[int, int, FieldView]]]
"""A heap for each option of a set: its fields, first that with the most questions left, then the first in order."""


class Allocation:
    """The use of fields by one dimension: each at most `questions_per_field` times, with another set each time."""

    def __init__(self, views: Sequence[FieldView], split_of: Mapping[str, str], tools: Tools) -> None:
        self._split_of = split_of
        self._tools = tools
        self._left = {view.field.field_id: tools.config.questions_per_field for view in views}
        self._views = views

    def blocks(self, by_template: Sequence[Sequence[OptionSet]]) -> list[Block]:
        """Return the blocks of a dimension: within patients, and across those of a split.

        What a patient's own fields give depends on nobody else's, so questions, and what people decided about them,
        stay when slides of others come or go. Patients whose fields give no block are then asked together, and at last
        all fields of anybody that nothing was asked about. Of these questions most stay: the fields stand in an order,
        and options are shown in one, that does not depend on who else is there.
        """
        pools = [self._pools(sets) for sets in by_template]
        places = {place for by_set in pools for pool in by_set.values() for place in pool}
        blocks = [block for place in sorted(places) for block in self._at(place, by_template, pools, 1)]
        for group in (places - {(block.split, block.patient_id) for block in blocks}, places):
            across = [{name: self._across(name, pool, group) for name, pool in by_set.items()} for by_set in pools]
            patients = Counter(split for split, _ in group)
            for split in sorted(patients):
                blocks += self._at((split, ""), by_template, across, patients[split])
        return blocks

    def _across(self, set_id: str, pool: Pool, group: Set[Place]) -> Pool:
        """Return the pool of a set's patients of a group together, by split: fields that nothing was asked about."""
        merged: Pool = defaultdict(lambda: defaultdict(list))
        for split, patient in sorted(pool.keys() & group):
            for option, views in pool[split, patient].items():
                merged[split, ""][option] += [view for view in views if self._is_unasked(view)]
        for by_option in merged.values():
            for views in by_option.values():
                views.sort(key=lambda view: self._tools.rank("fields", set_id, view.field.field_id))
        return merged

    def _is_unasked(self, view: FieldView) -> bool:
        return self._left[view.field.field_id] == self._tools.config.questions_per_field

    def _at(
        self,
        place: Place,
        by_template: Sequence[Sequence[OptionSet]],
        pools: Sequence[Mapping[str, Pool]],
        patients: int,
    ) -> list[Block]:
        """Return the blocks of a patient, or of so many patients of a split.

        Of each template `sets_per_template` sets (for each patient) are used, spread over the attributes that they ask
        about, in an order of this place's own that other fields do not change. Templates take turns, and within each
        its sets, until none finds a block.
        """
        most = self._tools.config.sets_per_template * patients
        queues = [
            deque(
                (option_set, self._waiting(option_set, by_set[option_set.set_id][place]))
                for option_set in self._select(sets, by_set, place)[:most]
            )
            for sets, by_set in zip(by_template, pools, strict=True)
        ]
        blocks: list[Block] = []
        while any(queues):
            for queue in filter(None, queues):
                option_set, waiting = queue.popleft()
                if taken := self._one_block(waiting):
                    blocks.append(Block(option_set, *place, taken))
                    queue.append((option_set, waiting))
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
        by_attributes: dict[tuple[str, ...], list[tuple[bytes, OptionSet]]] = defaultdict(list)
        for option_set in sets:
            by_option = pools[option_set.set_id].get(place, {})
            if all(by_option.get(option) for option in range(len(option_set.options))):
                ordered = self._tools.rank("sets", *place, option_set.set_id)
                by_attributes[option_set.attributes].append((ordered, option_set))
        ranked = [
            (turn, *item)
            for group in by_attributes.values()
            for turn, item in enumerate(sorted(group, key=itemgetter(0)))
        ]
        return [option_set for _, _, option_set in sorted(ranked, key=itemgetter(0, 1))]

    def _waiting(self, option_set: OptionSet, fields: Mapping[int, Sequence[FieldView]]) -> Waiting:
        heaps = [
            [(-self._left[view.field.field_id], place, view) for place, view in enumerate(fields.get(option, ()))]
            for option in range(len(option_set.options))
        ]
        for heap in heaps:
            heapq.heapify(heap)
        return heaps

    def _one_block(self, waiting: Waiting) -> tuple[FieldView, ...] | None:
        """Take a field for each option; None, and nothing taken, where an option has none."""
        if not all(self._settled(heap) for heap in waiting):
            return None
        taken = tuple(heapq.heappop(heap)[2] for heap in waiting)
        for view in taken:
            self._left[view.field.field_id] -= 1
        return taken

    def _settled(self, heap: list[tuple[int, int, FieldView]]) -> bool:
        """Bring to the top of a heap what belongs there by now; return whether there is anything."""
        while heap:
            counted, place, view = heap[0]
            left = self._left[view.field.field_id]
            if left == -counted:
                return True
            if left:
                heapq.heapreplace(heap, (-left, place, view))
            else:
                heapq.heappop(heap)
        return False
