"""The linker's lexicon: every surface form with the concepts that it can mean; one Parquet file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kg.curies import preference
from kg.forms import forms_of
from schemas.errors import GraphError
from schemas.records.shared import doc

if TYPE_CHECKING:
    from kg.graph import Graph

# Genes, processes and bare qualities are said in words that reports use for other things.
UNLINKED = frozenset({"Gene", "Process", "Quality", "Other"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One meaning of one surface form."""

    form: str = field(metadata=doc("folded form"))
    kind: int = field(
        metadata=doc("kg/forms.py: 0 label, 2 exact synonym, 1 and 3 their variants, 4 adjective, 5 loose")
    )
    concept_id: str = field(metadata=doc("CURIE of the concept"))
    label: str = field(metadata=doc("preferred label of the concept"))
    category: str = field(metadata=doc("category of the concept"))
    cased: str = field(default="", metadata=doc("spelling that must match exactly, for acronyms; else empty"))


def _order(entry: Entry) -> tuple[str, int, tuple[int, str], str]:
    return (entry.form, entry.kind, preference(entry.concept_id), entry.cased)


class Lexicon:
    """Entries in the order of their form, the strongest meaning of a form first."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries: tuple[Entry, ...] = tuple(sorted(entries, key=_order))

    @classmethod
    def from_graph(cls, graph: Graph, unlinked: frozenset[str] = UNLINKED) -> Lexicon:
        """Return the lexicon of a graph, without the categories in `unlinked`."""
        best: dict[tuple[str, str, str], Entry] = {}
        for node in graph.nodes.values():
            if node.category in unlinked:
                continue
            for form in forms_of(node):
                cased = form.cased or ""
                key = (form.text, node.curie, cased)
                if key not in best or form.kind < best[key].kind:
                    best[key] = Entry(form.text, form.kind, node.curie, node.label, node.category, cased)
        return cls(best.values())

    def save(self, path: Path) -> None:
        """Write the lexicon as one Parquet file; equal lexicons give equal bytes."""
        import pyarrow.parquet as pq

        from schemas.arrow import to_table

        pq.write_table(to_table(self.entries, Entry), path, compression="zstd")

    @classmethod
    def load(cls, path: Path) -> Lexicon:
        """Read what `save` wrote.

        Raises:
            GraphError: the file is missing or no lexicon.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        from schemas.arrow import from_table

        try:
            return cls(from_table(pq.read_table(path), Entry))
        except FileNotFoundError:
            raise GraphError(f"there is no lexicon {path.name}", remedy="build the graph first") from None
        except (pa.ArrowInvalid, ValueError) as error:
            raise GraphError(f"{path.name} is no lexicon ({error})", remedy="build the graph again") from error
