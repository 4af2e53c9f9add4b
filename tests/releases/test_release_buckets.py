"""The same promises in a bucket: against a server that speaks S3, on loopback."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from schemas.errors import GateError, MissingExtraError, StoreError, VersionExistsError
from tasks.releases.buckets import BucketStore
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.delete import delete
from tasks.releases.diff import diff
from tasks.releases.lineage import trace
from tasks.releases.manifest import manifest_bytes
from tasks.releases.publish import publish
from tasks.releases.pull import pull
from tasks.releases.read import Release, list_releases, open_release
from tasks.releases.retract import retract
from tasks.releases.stores import Content, ObjectRef, objects_of
from tasks.releases.tags import list_tags, set_tag
from tasks.releases.verify import verify
from tasks.releases.versions import taken_numbers, versions
from tests.releases.beside import beside

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client libraries
STORE = "s3://lab-bucket/releases"


@pytest.fixture
def store(s3: Any) -> BucketStore:
    return BucketStore(STORE)


@pytest.fixture
def release(store: BucketStore, lean: Candidate, config: ReleaseConfig) -> Release:
    return publish(lean, config, store)


def keys(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="lab-bucket")["Contents"]]


def test_a_release_in_a_bucket_lies_as_it_lies_in_a_folder(
    release: Release, s3: Any, lean: Candidate, config: ReleaseConfig, tmp_path: Path, store: BucketStore
) -> None:
    local = publish(lean, config, tmp_path / "store")
    assert release.manifest == local.manifest
    assert verify(release) == []
    there = {key.removeprefix("releases/sample/1.0.0/") for key in keys(s3) if key.startswith("releases/sample/1.0.0/")}
    assert there == {path.relative_to(local.path).as_posix() for path in local.path.rglob("*") if path.is_file()}
    assert [one.name for one in list_releases(store)] == ["sample 1.0.0"]
    assert list_tags(release.store, "sample") == {"latest": "1.0.0"}
    pulled = pull(release, tmp_path / "pulled")
    assert verify(pulled) == []
    assert pq.read_table(pulled.path / "data" / "tiles").num_rows == 6


def test_other_verbs_work_on_buckets_too(
    release: Release, lean: Candidate, config: ReleaseConfig, store: BucketStore
) -> None:
    newer = publish(lean, config.model_copy(update={"version": "1.0.1"}), store)
    assert diff(release, newer).empty
    set_tag(release.store, "sample", "paper", "1.0.0")
    set_tag(release.store, "sample", "paper", "1.0.0")
    assert open_release(store, "sample", "paper").version == "1.0.0"
    assert open_release(f"{STORE}/sample/1.0.1").version == "1.0.1"
    tile = release.store.open(f"sample/1.0.0/{release.tables['tiles']['files'][0]['path']}")
    tile_id = pq.read_table(tile, columns=["tile_id"]).column(0)[0].as_py()
    assert trace(release, tile_id)["item"]["table"] == "tiles"


def test_unchanged_objects_are_not_sent_again(
    release: Release, s3: Any, lean: Candidate, config: ReleaseConfig, store: BucketStore
) -> None:
    before = {key for key in keys(s3) if key.endswith(".parquet") and "/objects/" in key}
    publish(lean, config.model_copy(update={"version": "1.0.1"}), store)
    assert {key for key in keys(s3) if key.endswith(".parquet") and "/objects/" in key} == before


def test_a_flipped_byte_and_a_missing_file_are_found(release: Release, s3: Any) -> None:
    path = release.tables["tiles"]["files"][0]["path"]
    key = f"releases/sample/1.0.0/{path}"
    data = bytearray(s3.get_object(Bucket="lab-bucket", Key=key)["Body"].read())
    data[100] ^= 1
    s3.put_object(Bucket="lab-bucket", Key=key, Body=bytes(data))
    s3.delete_object(Bucket="lab-bucket", Key="releases/sample/1.0.0/README.md")
    assert verify(release) == [f"{path} was altered: its digest differs", "README.md is missing"]


def test_of_two_publishers_the_second_is_refused_and_changes_nothing(
    release: Release, s3: Any, lean: Candidate, config: ReleaseConfig, tmp_path: Path, store: BucketStore
) -> None:
    lexicon = tmp_path / "other.parquet"
    lexicon.write_bytes(b"another lexicon")
    other = Candidate(**{**vars(lean), "lexicon": lexicon})
    with pytest.raises(VersionExistsError, match="with other content"):
        publish(other, config, store)
    assert verify(release) == []
    assert publish(lean, config, store).manifest == release.manifest


class DiesError(Exception):
    """Stands for the end of a process."""


class DyingStore(BucketStore):
    """A store whose user dies before its n-th change of the bucket."""

    def __init__(self, store: BucketStore, point: int) -> None:
        vars(self).update(vars(store))
        self.left = point

    def _step(self) -> None:
        if self.left == 0:
            raise DiesError
        self.left -= 1

    def create(self, path: str, data: bytes) -> bool:
        self._step()
        return super().create(path, data)

    def replace(self, path: str, data: bytes) -> None:
        self._step()
        super().replace(path, data)

    def add_object(self, path: Path, sha256: str) -> None:
        self._step()
        super().add_object(path, sha256)

    def copy(self, source: str, place: str) -> None:
        self._step()
        super().copy(source, place)


def small_version(number: int) -> tuple[dict[str, Content], bytes]:
    """Return contents and manifest of a version of two files, one of which nobody else has."""
    card = f"card of publisher {number}".encode()
    document = {"path": "README.md", "sha256": hashlib.sha256(card).hexdigest(), "bytes": len(card)}
    shard = {"path": "data/t/train-00000-of-00001.parquet", "sha256": hashlib.sha256(b"shard").hexdigest(), "bytes": 5}
    content = {"documents": [document], "tables": {"t": {"files": [shard]}}, "version": "1.0.0", "dataset": "sample"}
    return {"README.md": card, str(shard["path"]): ObjectRef(str(shard["sha256"]))}, manifest_bytes(content)


def with_shard(store: BucketStore, folder: Path) -> BucketStore:
    shard = folder / "shard"
    shard.write_bytes(b"shard")
    BucketStore.add_object(store, shard, hashlib.sha256(b"shard").hexdigest())
    return store


@pytest.mark.parametrize("point", range(5))
def test_a_claim_that_was_not_carried_out_is_carried_out_by_whoever_finds_it(
    s3: Any, tmp_path: Path, point: int, store: BucketStore
) -> None:
    """A publisher dies before its n-th change: 0 is the card, 1 the claim, 2 and 3 copies, 4 the manifest."""
    with pytest.raises(DiesError):
        with_shard(DyingStore(store, point), tmp_path).publish("sample/1.0.0", *small_version(1))
    assert list_releases(store) == []
    claimed = any("/claims/" in key for key in keys(s3))
    assert claimed == (point > 1)
    assert store.publish("sample/1.0.0", *small_version(2)) != claimed
    release = open_release(store, "sample", "1.0.0")
    assert verify(release) == []
    winner = 1 if claimed else 2
    assert release.open("README.md").read() == f"card of publisher {winner}".encode()
    assert store.publish("sample/1.0.0", *small_version(winner))


def test_a_publisher_that_died_after_its_claim_finishes_when_it_comes_again(
    s3: Any, lean: Candidate, config: ReleaseConfig, store: BucketStore
) -> None:
    with pytest.raises(DiesError):
        publish(lean, config, DyingStore(store, 15))  # 8 objects, 3 documents, the claim, 3 copies
    assert list_releases(store) == []
    assert verify(publish(lean, config, store)) == []


def test_a_claim_that_nobody_has_carried_out_counts_for_the_gate_and_keeps_its_number(
    s3: Any, lean: Candidate, config: ReleaseConfig, store: BucketStore, tmp_path: Path
) -> None:
    following = config.model_copy(update={"version": "next"})
    with pytest.raises(DiesError):
        publish(lean, following, DyingStore(store, 12))
    assert (versions(store, "sample"), taken_numbers(store, "sample")) == ([], ["1.0.0"])
    swapped = replace(lean, split_of_patient={"P00": "test", "P01": "train"})
    with pytest.raises(GateError, match="patients_keep_their_split: P00 stands in split test, in 1.0.0 in train"):
        publish(swapped, following, store, refused=tmp_path)
    assert publish(lean, following, store).version == "1.1.0"
    assert versions(store, "sample") == ["1.1.0"]


def test_a_version_that_is_claimed_after_the_gate_has_looked_makes_it_look_again(
    s3: Any, lean: Candidate, config: ReleaseConfig, store: BucketStore, tmp_path: Path
) -> None:
    following = config.model_copy(update={"version": "next"})
    store = beside(store, lambda: publish(lean, following, STORE))
    swapped = replace(lean, split_of_patient={"P00": "test", "P01": "train"})
    with pytest.raises(GateError, match="patients_keep_their_split"):
        publish(swapped, following, store, refused=tmp_path)
    assert versions(store, "sample") == ["1.0.0"]


def test_what_was_deleted_does_not_come_back_out_of_its_claim(
    release: Release, s3: Any, lean: Candidate, config: ReleaseConfig, store: BucketStore
) -> None:
    successor = retract(store, "sample", "P01").successor
    for entry in s3.list_objects_v2(Bucket="lab-bucket", Prefix="releases/sample/1.0.0/")["Contents"]:
        s3.delete_object(Bucket="lab-bucket", Key=entry["Key"])  # by hand; its claim is still there
    with pytest.raises(StoreError, match=r"somebody has withdrawn since sample 1\.0\.0 was claimed, .*release delete"):
        publish(lean, config, store)
    assert versions(store, "sample") == ["1.0.1"]
    assert delete(store, "sample", "1.0.0") > 0
    assert not [key for key in keys(s3) if "1.0.0" in key and "/deleted/" not in key]
    named = {f"releases/{path}" for _, path in objects_of(successor.manifest)}
    assert {key for key in keys(s3) if "/objects/" in key} == named
    assert verify(successor) == []
    with pytest.raises(VersionExistsError, match=r"sample 1\.0\.0 was deleted"):
        publish(lean, config, store)
    delete(store, "sample", "1.0.1")
    assert keys(s3) == ["releases/sample/deleted/1.0.0.json", "releases/sample/deleted/1.0.1.json"]


def test_eight_publish_one_version_at_once_and_one_wins(s3: Any, tmp_path: Path, store: BucketStore) -> None:
    with_shard(store, tmp_path)
    gate, won = threading.Barrier(8), []

    def compete(number: int) -> None:
        version = small_version(number)
        gate.wait(60)
        if store.publish("sample/1.0.0", *version):
            won.append(number)

    threads = [threading.Thread(target=compete, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    release = open_release(store, "sample", "1.0.0")
    assert verify(release) == []
    assert [release.open("README.md").read()] == [f"card of publisher {number}".encode() for number in won]


def test_a_bucket_that_is_not_there_and_a_service_that_does_not_answer_are_one_line_each(
    s3: Any, lean: Candidate, config: ReleaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match="s3://no-such-bucket/x cannot be used"):
        publish(lean, config, "s3://no-such-bucket/x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StoreError, match=r"check address, credentials and network"):
        list_releases(STORE)


def test_without_s3fs_the_extra_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingExtraError, match=r"needs s3fs, which is not installed; pip install -e '\.\[scale\]'"):
        BucketStore(STORE)
