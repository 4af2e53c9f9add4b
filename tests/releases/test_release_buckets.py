"""The same promises in a bucket: against a server that speaks S3, on loopback."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from schemas.errors import MissingExtraError, StoreError, VersionExistsError
from tasks.releases.buckets import BucketStore
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.diff import diff
from tasks.releases.lineage import trace
from tasks.releases.publish import publish
from tasks.releases.pull import pull
from tasks.releases.read import Release, list_releases, open_release
from tasks.releases.tags import list_tags, set_tag
from tasks.releases.verify import verify

boto3 = pytest.importorskip("boto3")
moto_server = pytest.importorskip("moto.server")
pytest.importorskip("s3fs")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client libraries
STORE = "s3://lab-bucket/releases"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket. The server answers one request at a time: its conditional puts are atomic, as those of S3 are."""
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, moto_server.DomainDispatcherApplication(moto_server.create_backend_app))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="lab-bucket")
    yield client
    for entry in client.list_objects_v2(Bucket="lab-bucket").get("Contents", []):
        client.delete_object(Bucket="lab-bucket", Key=entry["Key"])
    server.shutdown()
    server.server_close()


@pytest.fixture
def release(s3: Any, lean: Candidate, config: ReleaseConfig) -> Release:
    return publish(lean, config, STORE)


def keys(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="lab-bucket")["Contents"]]


def test_a_release_in_a_bucket_lies_as_it_lies_in_a_folder(
    release: Release, s3: Any, lean: Candidate, config: ReleaseConfig, tmp_path: Path
) -> None:
    local = publish(lean, config, tmp_path / "store")
    assert release.manifest == local.manifest
    assert verify(release) == []
    there = {key.removeprefix("releases/sample/1.0.0/") for key in keys(s3) if key.startswith("releases/sample/1.0.0/")}
    assert there == {path.relative_to(local.path).as_posix() for path in local.path.rglob("*") if path.is_file()}
    assert [one.name for one in list_releases(STORE)] == ["sample 1.0.0"]
    assert list_tags(release.store, "sample") == {"latest": "1.0.0"}
    pulled = pull(release, tmp_path / "pulled")
    assert verify(pulled) == []
    assert pq.read_table(pulled.path / "data" / "tiles").num_rows == 6


def test_other_verbs_work_on_buckets_too(release: Release, lean: Candidate, config: ReleaseConfig) -> None:
    newer = publish(lean, config.model_copy(update={"version": "1.0.1"}), STORE)
    assert diff(release, newer).empty
    set_tag(release.store, "sample", "paper", "1.0.0")
    set_tag(release.store, "sample", "paper", "1.0.0")
    assert open_release(STORE, "sample", "paper").version == "1.0.0"
    assert open_release(f"{STORE}/sample/1.0.1").version == "1.0.1"
    tile = release.store.open(f"sample/1.0.0/{release.tables['tiles']['files'][0]['path']}")
    tile_id = pq.read_table(tile, columns=["tile_id"]).column(0)[0].as_py()
    assert trace(release, tile_id)["item"]["table"] == "tiles"


def test_unchanged_objects_are_not_sent_again(
    release: Release, s3: Any, lean: Candidate, config: ReleaseConfig
) -> None:
    before = {key for key in keys(s3) if key.endswith(".parquet") and "/objects/" in key}
    publish(lean, config.model_copy(update={"version": "1.0.1"}), STORE)
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
    release: Release, s3: Any, lean: Candidate, config: ReleaseConfig, tmp_path: Path
) -> None:
    lexicon = tmp_path / "other.parquet"
    lexicon.write_bytes(b"another lexicon")
    other = Candidate(**{**vars(lean), "lexicon": lexicon})
    with pytest.raises(VersionExistsError, match="with other content"):
        publish(other, config, STORE)
    assert verify(release) == []
    assert publish(lean, config, STORE).manifest == release.manifest


class DiesError(Exception):
    """Stands for the end of a process."""


class DyingStore(BucketStore):
    """A store whose user dies before its n-th change of the bucket."""

    def __init__(self, uri: str, point: int) -> None:
        super().__init__(uri)
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


@pytest.mark.parametrize("point", [4, 11, 12, 23, 24])
def test_a_claim_that_was_not_carried_out_is_carried_out_by_whoever_finds_it(
    s3: Any, lean: Candidate, config: ReleaseConfig, tmp_path: Path, point: int
) -> None:
    """The publisher dies before its n-th change of the bucket; another, with other content, comes next.

    Changes 0 to 7 are objects, 8 to 10 documents, 11 the claim, 12 to 22 copies, 23 the manifest, 24 the tag.
    """
    with pytest.raises(DiesError):
        publish(lean, config, DyingStore(STORE, point))
    for found in list_releases(STORE):
        assert verify(found) == []
    claimed = any("/claims/" in key for key in keys(s3))
    assert claimed == (point > 11)
    lexicon = tmp_path / "other.parquet"
    lexicon.write_bytes(b"another lexicon")
    other = Candidate(**{**vars(lean), "lexicon": lexicon})
    if claimed:
        with pytest.raises(VersionExistsError, match="with other content"):
            publish(other, config, STORE)
    else:
        publish(other, config, STORE)
    release = open_release(STORE, "sample", "1.0.0")
    assert verify(release) == []
    assert release.fingerprint == publish(lean if claimed else other, config, STORE).fingerprint


def test_eight_threads_publish_one_version_and_one_wins(
    s3: Any, lean: Candidate, config: ReleaseConfig, tmp_path: Path
) -> None:
    gate, outcomes = threading.Barrier(8), []

    def compete(number: int) -> None:
        lexicon = tmp_path / f"{number}.parquet"
        lexicon.write_bytes(f"lexicon {number}".encode())
        store = BucketStore(STORE)
        appear = store.publish
        setattr(store, "publish", lambda *a: (gate.wait(100), appear(*a))[1])  # noqa: B010
        try:
            outcomes.append(publish(Candidate(**{**vars(lean), "lexicon": lexicon}), config, store).fingerprint)
        except VersionExistsError as error:
            outcomes.append(error.problem)

    threads = [threading.Thread(target=compete, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    release = open_release(STORE, "sample", "1.0.0")
    assert sorted(outcomes) == sorted([release.fingerprint] + ["sample 1.0.0 is there already, with other content"] * 7)
    assert verify(release) == []


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
