"""Where refused candidates go: their files and the gate's report, for the person who has to find out why."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from schemas.ids import canonical_json, digest, file_sha256
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.gate import GateReport

QUARANTINE = "quarantine"
TEMPLATES = Path(__file__).parent / "templates"


def quarantine(candidate: Candidate, config: ReleaseConfig, report: GateReport, root: Path) -> str:
    """Keep a refused candidate and its report; the folder appears whole. The same refusal again finds it there.

    Args:
        candidate: what was refused.
        config: its configuration.
        report: why.
        root: the store's folder, or a local folder where the store is a bucket.

    Returns:
        The folder, relative to `root`.
    """
    files = {
        f"{table}/{at:05d}.parquet": path for table, paths in candidate.tables.items() for at, path in enumerate(paths)
    }
    name = digest(
        sorted((place, file_sha256(path)) for place, path in files.items()),
        candidate.split_of_patient,
        candidate.stage_counts,
        candidate.leak_table,
        report.to_json(),
    )
    folder = f"{QUARANTINE}/{config.dataset}/{config.version}-{name[:12]}"
    if (root / folder).exists():
        return folder
    (root / folder).parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".refused-", dir=(root / folder).parent))
    try:
        for place, path in files.items():
            _link(path, made / "tables" / place)
        (made / "report.json").write_text(report.to_json())
        (made / "report.html").write_text(report_page(report, config))
        (made / "candidate.json").write_text(canonical_json(_about(candidate, config)))
        made.chmod(0o755)
        if not (root / folder).exists():
            made.rename(root / folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def _link(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.hardlink_to(source)
    except OSError:  # another file system
        shutil.copyfile(source, place)


def _about(candidate: Candidate, config: ReleaseConfig) -> dict[str, object]:
    return {
        "release": config.model_dump(mode="json"),
        "split_of_patient": dict(candidate.split_of_patient),
        "stage_counts": [dict(row) for row in candidate.stage_counts],
        "leak_table": [dict(row) for row in candidate.leak_table],
        "lineage": dict(candidate.lineage),
        "config": dict(candidate.config),
        "code_version": candidate.code_version,
        "sources": [dict(row) for row in candidate.sources],
    }


def report_page(report: GateReport, config: ReleaseConfig) -> str:
    """Return the gate's report as one HTML page."""
    pages = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template("gate.html.j2").render(report=report, config=config)
