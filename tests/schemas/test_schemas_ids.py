from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from schemas.ids import canonical_json, content_id, digest, file_sha256, tree_sha256


def test_ids_depend_on_content_not_on_key_order() -> None:
    assert content_id("tile", {"a": 1, "b": 2}) == content_id("tile", {"b": 2, "a": 1})
    assert content_id("tile", "ab", "c") != content_id("tile", "a", "bc")


def test_an_id_is_its_prefix_and_20_hex_digits_of_the_sha256_of_the_parts_as_json() -> None:
    expected = hashlib.sha256('["é",1]'.encode()).hexdigest()
    assert digest("é", 1) == expected
    assert content_id("tile", "é", 1) == f"tile_{expected[:20]}"


def test_not_a_number_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        canonical_json(float("nan"))


def test_a_file_is_digested_to_its_last_byte(tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192 + b"the end"  # two blocks and a rest
    (tmp_path / "large").write_bytes(data)
    assert file_sha256(tmp_path / "large") == hashlib.sha256(data).hexdigest()


def test_the_digest_of_a_tree_sees_names_folders_and_bytes_but_no_order_nor_place(tmp_path: Path) -> None:
    def tree(root: str, **files: str) -> tuple[list[Path], Path]:
        paths = [tmp_path / root / folder / "f" for folder in files]
        for path, text in zip(paths, files.values(), strict=True):
            path.parent.mkdir(parents=True)
            path.write_text(text)
        return paths, tmp_path / root

    paths, root = tree("one", a="x", b="y")
    first = tree_sha256(paths, root)
    assert tree_sha256(reversed(paths), root) == first
    assert tree_sha256(*tree("elsewhere", a="x", b="y")) == first
    assert len({first, tree_sha256(*tree("two", a="y", b="x")), tree_sha256(*tree("three", a="x", c="y"))}) == 3
