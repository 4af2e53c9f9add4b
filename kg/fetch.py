"""Sources from their official addresses into a folder, each checked before it appears under its name."""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kg.sources import Registered, local_source, register
from schemas.errors import GraphError, MissingExtraError


def fetch(
    folder: Path,
    names: Sequence[str] | None = None,
    *,
    progress: Callable[[str, str], None] | None = None,
    bar: Callable[[str], Any] | None = None,
    entries: dict[str, Registered] | None = None,
) -> list[Path]:
    """Download sources that are not there yet; return where all of them stand.

    A file that is there with the right checksum is left alone, so that a broken run goes on where it stopped. A
    download is checked in a hidden place and appears by one rename.

    Args:
        folder: where the files belong.
        names: which sources; None takes the whole register.
        progress: called with the name of a source and `kept` or `fetched`.
        bar: called with the name of a source, returns what pooch calls a progress bar: `total`, `update`, `reset`,
            `close`.
        entries: register to use; default is `sources.yaml`.

    Raises:
        GraphError: a name is unknown, an address does not answer, or the bytes are not those of the register.
        MissingExtraError: pooch is not installed.
    """
    if importlib.util.find_spec("pooch") is None:
        raise MissingExtraError(
            "kg fetch needs pooch", remedy="pip install pooch, or copy the files and use sources_dir"
        )
    known = entries if entries is not None else register()
    folder.mkdir(parents=True, exist_ok=True)
    placed = []
    for name in known if names is None else names:
        if name not in known:
            raise GraphError(f"{name} is no source of the register", remedy=f"known are {', '.join(known)}")
        kept = _is_there(known[name], folder)
        if not kept:
            _download(known[name], folder, bar(name) if bar else False)
        if progress:
            progress(name, "kept" if kept else "fetched")
        placed.append(folder / known[name].file)
    return placed


def _is_there(entry: Registered, folder: Path) -> bool:
    if not (folder / entry.file).is_file():
        return False
    try:
        local_source(entry, folder / entry.file)
    except GraphError:
        return False
    return True


def _download(entry: Registered, folder: Path, bar: Any) -> None:
    import requests

    pooch = importlib.import_module("pooch")

    pooch.get_logger().setLevel("WARNING")
    if entry.url is None:
        raise GraphError(f"{entry.name} has no official address", remedy=f"put {entry.file} into {folder}")
    with tempfile.TemporaryDirectory(prefix=".fetch.", dir=folder) as hidden:
        place = Path(hidden)
        try:
            loader = pooch.HTTPDownloader(progressbar=bar) if bar else None
            raw = Path(pooch.retrieve(entry.url, None, fname="download", path=place, downloader=loader))
        except (requests.RequestException, OSError, ValueError) as error:
            raise GraphError(
                f"{entry.name} could not be fetched from {entry.url} ({type(error).__name__})",
                remedy=f"try again, or put {entry.file} into {folder}",
            ) from error
        whole = place / entry.file
        if whole.suffix == ".gz" and Path(entry.url).suffix != ".gz":
            with raw.open("rb") as source, whole.open("wb") as target, gzip.GzipFile("", "wb", 9, target, 0) as packed:
                shutil.copyfileobj(source, packed)
        else:
            raw.rename(whole)
        local_source(entry, whole)
        whole.replace(folder / entry.file)
