"""Which slides to work on: a folder, one file, or a manifest that says what each slide is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.errors import InputError
from schemas.ids import file_sha256
from schemas.records import Rejection
from schemas.rejection import Reason
from tasks.tiling.hashing import slide_files, slide_sha256, stamp
from tasks.tiling.remote import LIBRARY_FAULTS, leaves_the_network, remote_sha256, remote_state
from tasks.tiling.sheet import read_manifest

SLIDE_SUFFIXES = frozenset(
    {".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".dcm", ".czi"}
)
_OUTSIDE = "leads outside the folder of the manifest"


@dataclass(frozen=True, slots=True)
class SlideSource:
    """One slide to tile, with what its manifest says of it."""

    path: Path
    """Where the file lies on this machine; empty for a url. Never written anywhere."""
    name: str
    uri: str
    """Location relative to the manifest or folder, or the url."""
    patient_id: str
    sha256: str
    size_bytes: int
    root: Path
    """Folder that `annotations` is relative to; never written anywhere."""
    organ: str | None = None
    stain: str = "H&E"
    licence: str | None = None
    mpp: float | None = None
    """Micrometres per level-0 pixel where the manifest overrides the slide's own."""
    report: str | None = None
    annotations: str | None = None
    annotations_sha256: str | None = None
    modified_ns: int = 0
    version: str = ""
    """What the store said of a remote slide's content when it was listed."""

    @property
    def location(self) -> str:
        """What a reader opens: a local path or a url."""
        return self.uri if is_url(self.uri) else str(self.path)


def is_url(location: str) -> bool:
    """Return whether a location is an fsspec url such as `s3://bucket/slide.svs`."""
    return "://" in location


def read_sources(
    slides: Path, *, manifest: Path | None = None, cache: Path | None = None
) -> tuple[list[SlideSource], list[Rejection]]:
    """Return the slides to tile and the listed files that cannot be slides.

    Args:
        slides: a folder or one file. With a manifest, paths that are not beside it are looked for in this folder, and
            one file selects its row.
        manifest: CSV with the columns `path,patient_id` and optionally `organ,stain,licence,report,annotations,mpp`;
            paths are relative to it. Without one, every slide of the folder is taken and patient_id is the file's stem.
        cache: folder that remembers the digests of slides.

    Raises:
        InputError: the folder or manifest is missing or empty, a column is missing or unknown, or a cell is malformed.
    """
    if not slides.exists():
        raise InputError(f"no folder or slide {slides.name or slides}", remedy="check the path given for slides")
    if manifest is None:
        rows, roots = _listed_without_manifest(slides), [slides if slides.is_dir() else slides.parent]
    else:
        rows = read_manifest(manifest)
        roots = [manifest.parent, slides if slides.is_dir() else slides.parent]
    sources: list[SlideSource] = []
    rejections: list[Rejection] = []
    for row in rows:
        found = _source(row, [root.resolve() for root in roots], cache, links=manifest is None)
        if isinstance(found, Rejection):
            rejections.append(found)
        elif not (manifest is not None and slides.is_file() and found.path != slides.resolve()):
            sources.append(found)
    if manifest is not None and slides.is_file() and not sources:
        raise InputError(f"{manifest.name} has no row for {slides.name}", remedy="add a row or name another slide")
    return _without_duplicates(sources, rejections)


def _listed_without_manifest(slides: Path) -> list[dict[str, str]]:
    if slides.is_file():
        return [{"path": slides.name, "patient_id": slides.stem}]
    names = sorted(path.name for path in slides.iterdir() if path.suffix.lower() in SLIDE_SUFFIXES)
    series = [name for name in names if name.lower().endswith(".dcm")]
    names = [name for name in names if name not in series[1:]]  # the files of a DICOM folder are one slide
    if not names:
        suffixes = " ".join(sorted(SLIDE_SUFFIXES))
        raise InputError(f"no slide in folder {slides.name or slides}", remedy=f"slides end in one of {suffixes}")
    return [{"path": name, "patient_id": Path(name).stem} for name in names]


def _source(row: dict[str, str], roots: list[Path], cache: Path | None, *, links: bool) -> SlideSource | Rejection:
    uri, annotations = row["path"], row.get("annotations")
    if annotations and _locate(annotations, roots)[0] == _OUTSIDE:
        return _rejected(uri, "missing_file", f"has annotations in {annotations}, which {_OUTSIDE}")
    if is_url(uri):
        return _remote_source(row, roots, cache)
    return _local_source(row, roots, cache, links=links)


def _local_source(
    row: dict[str, str], roots: list[Path], cache: Path | None, *, links: bool
) -> SlideSource | Rejection:
    uri = row["path"]
    path = _locate(uri, roots, links=links)[0]
    if isinstance(path, str):
        return _rejected(uri, "missing_file", path)
    if path.is_dir():
        return _rejected(uri, "not_a_slide", "is a folder; name the slide file in it")
    try:
        files = slide_files(path)
        size, modified = stamp(files)
        if path.stat().st_size == 0:
            return _rejected(uri, "unreadable", "is empty (0 bytes); copy it again")
        sha256 = slide_sha256(path, cache)
    except OSError as error:
        return _rejected(uri, "unreadable", f"cannot be read: {error.strerror or 'input/output error'}")
    return _described(row, roots, path=path, name=Path(uri).name, sha256=sha256, size_bytes=size, modified_ns=modified)


def _described(
    row: dict[str, str],
    roots: list[Path],
    *,
    path: Path,
    name: str,
    sha256: str,
    size_bytes: int,
    modified_ns: int = 0,
    version: str = "",
) -> SlideSource:
    annotations = row.get("annotations") or None
    file, root = _locate(annotations, roots) if annotations else (None, roots[0])
    return SlideSource(
        path=path,
        name=name,
        uri=row["path"],
        patient_id=row["patient_id"],
        sha256=sha256,
        size_bytes=size_bytes,
        modified_ns=modified_ns,
        version=version,
        root=root,
        organ=row.get("organ") or None,
        stain=row.get("stain") or "H&E",
        licence=row.get("licence") or None,
        mpp=float(row["mpp"]) if row.get("mpp") else None,
        report=row.get("report") or None,
        annotations=annotations,
        annotations_sha256=file_sha256(file) if isinstance(file, Path) and file.is_file() else None,
    )


def _locate(uri: str, roots: list[Path], *, links: bool = False) -> tuple[Path | str, Path]:
    """Return the file inside one of the folders, or why there is none; and the folder.

    Only with `links` may a symbolic link lead out: a folder of links is the user's own, a manifest may be anyone's.
    """
    problem = "does not exist"
    for root in roots:
        try:
            path = (root / uri).resolve(strict=True)
        except FileNotFoundError:
            continue
        except (OSError, RuntimeError):  # RuntimeError: how Python 3.11 names a loop of symbolic links
            problem = "is a loop of symbolic links or cannot be reached"
            continue
        if links or path.is_relative_to(root):
            return path, root
        problem = _OUTSIDE
    return problem, roots[0]


def _remote_source(row: dict[str, str], roots: list[Path], cache: Path | None) -> SlideSource | Rejection:
    url = row["path"]
    if leaves_the_network(url):
        return _rejected(url, "missing_file", f"{_OUTSIDE}; give a path, or a plain url")
    try:
        size, version = remote_state(url)
        sha256 = remote_sha256(url, (size, version), cache)
    except FileNotFoundError:
        return _rejected(url, "missing_file", "does not exist")
    except (*LIBRARY_FAULTS, ImportError) as error:
        return _rejected(url, "unreadable", f"cannot be read: {error}")
    name = url.rsplit("/", 1)[-1]
    return _described(row, roots, path=Path(), name=name, sha256=sha256, size_bytes=size, version=version)


def _rejected(uri: str, reason: Reason, problem: str) -> Rejection:
    name = uri if is_url(uri) else Path(uri).as_posix()
    return Rejection(item_id=name, stage="slides", reason=reason, detail=f"{name} {problem}")


def _without_duplicates(
    sources: list[SlideSource], rejections: list[Rejection]
) -> tuple[list[SlideSource], list[Rejection]]:
    """One content under two names could stand in two splits: keep the first, count the others."""
    first: dict[str, SlideSource] = {}
    for source in sources:
        kept = first.setdefault(source.sha256, source)
        if kept is not source:
            detail = f"{source.uri} has the same content as {kept.uri}"
            rejections.append(Rejection(item_id=source.uri, stage="slides", reason="duplicate_image", detail=detail))
    return list(first.values()), rejections
