"""Readers and a writer from outside: language models of this host and endpoints, as the configuration names them."""

from __future__ import annotations

from pathlib import Path

from tasks.screening.board import TextReader
from tasks.screening.config import ScreeningConfig
from tasks.screening.repair import Rewriter


def outside_readers(config: ScreeningConfig, folder: Path | None = None) -> list[TextReader]:
    """Return the readers that know the language, loaded once for all rounds.

    Args:
        config: the section; what is null there is not made.
        folder: where answers of endpoints are kept, unless the configuration says.

    Raises:
        InputError: a folder holds no model, or there is no folder for an endpoint's answers.
        MissingExtraError: what a reader needs is not installed.
    """
    readers: list[TextReader] = []
    if config.language_model is not None:
        from tasks.screening.language_model import language_model_readers

        readers += language_model_readers(config.language_model)
    if config.endpoint is not None:
        from tasks.screening.endpoint_reader import endpoint_readers

        readers += endpoint_readers(config.endpoint, folder)
    return readers


def outside_writer(config: ScreeningConfig, folder: Path, lexicon: Path) -> Rewriter | None:
    """Return who writes the questions of failing cells anew; None where nobody is configured.

    Args:
        config: the section.
        folder: where answers and ledger are kept.
        lexicon: the knowledge graph's lexicon, by which new words are checked.
    """
    if config.writer is None:
        return None
    from kg.link import Lexicon, Linker
    from tasks.endpoint.client import Endpoint
    from tasks.screening.rewriting import EndpointWriter

    linker = Linker(Lexicon.load(lexicon))

    def read(text: str) -> dict[str, str]:
        return {link.concept_id: link.status for link in linker.link(text)}

    return EndpointWriter(Endpoint(config.writer, folder), read)
