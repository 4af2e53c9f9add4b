from __future__ import annotations

import random
from pathlib import Path

from tasks.releases.stores import MANIFEST, LocalStore
from tasks.releases.versions import precedence, versions

# semver.org 2.0.0, item 11
ORDERED = [
    "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
    "1.0.0", "2.0.0", "2.1.0", "2.1.1",
]  # fmt: skip


def test_the_precedence_of_versions_is_that_of_the_standard() -> None:
    assert sorted(random.Random(0).sample(ORDERED, len(ORDERED)), key=precedence) == ORDERED
    assert precedence("1.0.0-1") < precedence("1.0.0-a")  # numbers are lower than words


def test_a_version_is_there_when_its_manifest_is(tmp_path: Path) -> None:
    for name in ("2.0.0", "10.0.0", "tags", "3.0.0"):
        (tmp_path / "sample" / name).mkdir(parents=True)
        if name != "3.0.0":
            (tmp_path / "sample" / name / MANIFEST).write_text("{}")
    assert versions(LocalStore(tmp_path), "sample") == ["2.0.0", "10.0.0"]
