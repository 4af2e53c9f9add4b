"""Shards in a bucket: machines find one another's work, fetch what they need, and see damage."""

from __future__ import annotations

import pickle
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from schemas.errors import StoreError
from tasks.bucket import Bucket
from tasks.bucket_shards import BucketShardStore
from tasks.store import SUMMARY, Shard, ShardInfo, ShardStore, ShardWriter

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client libraries
SHARDS = "s3://lab-bucket/shards"


def numbers(out: ShardWriter) -> None:
    out.write("numbers", pa.table({"n": list(range(1000))}))
    out.path("overlay.png").write_bytes(b"picture")
    out.count(items_in=0, items_out=0, rejections=[])


def plain_files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("[!.]*") if path.is_file()}


def never(out: ShardWriter) -> None:
    pytest.fail("made twice")


def test_another_machine_finds_the_work_done_and_fetches_only_what_it_reads(s3: Any, tmp_path: Path) -> None:
    info, found = BucketShardStore(tmp_path / "one", SHARDS).ensure("tiling", "k", numbers)
    assert not found
    other = BucketShardStore(tmp_path / "two", SHARDS)
    assert other.ensure("tiling", "k", never) == (info, True)
    shard: Shard = pickle.loads(pickle.dumps(other.open("tiling", "k")))  # noqa: S301
    assert plain_files(tmp_path / "two") == {SUMMARY}
    assert shard.table("numbers").num_rows == 1000
    assert plain_files(tmp_path / "two") == {SUMMARY, "numbers.parquet"}
    assert plain_files(shard.folder) == {SUMMARY, *info.sha256}


def test_what_is_known_of_the_bucket_is_asked_once(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    BucketShardStore(tmp_path / "one", SHARDS).ensure("tiling", "k", numbers)
    info = BucketShardStore(tmp_path / "two", SHARDS).open("tiling", "k").info
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")  # nothing answers there
    assert BucketShardStore(tmp_path / "two", SHARDS).open("tiling", "k").info == info


def test_of_two_makers_with_unequal_bytes_the_first_wins(s3: Any, tmp_path: Path) -> None:
    one, two = (BucketShardStore(tmp_path / name, SHARDS) for name in ("one", "two"))
    first: list[ShardInfo] = []

    def slower(out: ShardWriter) -> None:
        first.append(one.ensure("tiling", "k", numbers)[0])
        numbers(out)
        out.write("numbers", pa.table({"n": [7]}))

    assert two.ensure("tiling", "k", slower) == (first[0], True)
    for machine in ("one", "two", "three"):
        shard = BucketShardStore(tmp_path / machine, SHARDS).open("tiling", "k")
        assert shard.info == first[0]
        assert shard.table("numbers").num_rows == 1000
        assert shard.path("overlay.png").read_bytes() == b"picture"


def test_two_makers_at_the_last_moment_leave_one_summary(s3: Any, tmp_path: Path) -> None:
    stores = [BucketShardStore(tmp_path / str(number), SHARDS) for number in range(4)]
    together = threading.Barrier(4)
    made: list[ShardInfo] = []

    def make(number: int) -> None:
        def unequal(out: ShardWriter) -> None:
            out.write("numbers", pa.table({"n": [number]}))
            out.count(items_in=0, items_out=0, rejections=[])
            together.wait(timeout=60)

        made.append(stores[number].ensure("tiling", "k", unequal)[0])

    makers = [threading.Thread(target=make, args=(number,)) for number in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(timeout=60)
    assert [info == made[0] for info in made] == [True] * 4
    read = {store.open("tiling", "k").table("numbers")["n"][0].as_py() for store in stores}
    assert len(read) == 1


def test_what_was_made_before_the_bucket_was_named_is_shared(s3: Any, tmp_path: Path) -> None:
    info, _ = ShardStore(tmp_path / "one").ensure("tiling", "k", numbers)
    assert BucketShardStore(tmp_path / "one", SHARDS).ensure("tiling", "k", never) == (info, True)
    assert BucketShardStore(tmp_path / "two", SHARDS).open("tiling", "k").table("numbers").num_rows == 1000


def test_who_looks_shares_nothing_and_fetches_what_it_reads(s3: Any, tmp_path: Path) -> None:
    ShardStore(tmp_path / "one").ensure("tiling", "mine", numbers)
    one, two = (BucketShardStore(tmp_path / name, SHARDS) for name in ("one", "two"))
    assert one.look("tiling", "mine")
    assert two.look("tiling", "mine") is None
    assert one.ensure("tiling", "k", numbers)[1] is False
    found = two.look("tiling", "k")
    assert found
    assert not (tmp_path / "two").exists()
    assert found.table("numbers").num_rows == 1000
    assert plain_files(tmp_path / "two") == {"numbers.parquet"}
    assert plain_files(two.open("tiling", "k").folder) == {SUMMARY, *found.info.sha256}


def test_a_full_disk_is_not_waited_for(s3: Any) -> None:
    bucket = Bucket(SHARDS)
    bucket.create("some", bytes(1 << 20))
    started = time.monotonic()
    with pytest.raises(OSError, match="No space left on device"):
        bucket.download("some", Path("/dev/full"))
    assert time.monotonic() - started < 5


def test_the_bytes_are_those_of_a_folder(s3: Any, tmp_path: Path) -> None:
    bucket, _ = BucketShardStore(tmp_path / "one", SHARDS).ensure("tiling", "k", numbers)
    local, _ = ShardStore(tmp_path / "two").ensure("tiling", "k", numbers)
    assert bucket.sha256 == local.sha256


def test_what_was_not_wholly_uploaded_is_not_there(s3: Any, tmp_path: Path) -> None:
    store = BucketShardStore(tmp_path / "one", SHARDS)
    store.ensure("tiling", "k", numbers)
    s3.delete_object(Bucket="lab-bucket", Key=f"shards/tiling/k/{SUMMARY}")
    other = BucketShardStore(tmp_path / "two", SHARDS)
    assert other.find("tiling", "k") is None
    assert other.ensure("tiling", "k", numbers)[1] is False
    assert BucketShardStore(tmp_path / "three", SHARDS).open("tiling", "k").table("numbers").num_rows == 1000


def test_a_file_that_was_altered_or_lost_is_named(s3: Any, tmp_path: Path) -> None:
    BucketShardStore(tmp_path / "one", SHARDS).ensure("tiling", "k", numbers)
    shard = BucketShardStore(tmp_path / "two", SHARDS).open("tiling", "k")
    place = f"shards/tiling/k/{shard.info.sha256['overlay.png']}-overlay.png"
    s3.put_object(Bucket="lab-bucket", Key=place, Body=b"pictura")
    with pytest.raises(StoreError, match=r"tiling/k/\w+-overlay\.png is not what its summary says"):
        shard.path("overlay.png")
    s3.delete_object(Bucket="lab-bucket", Key=place)
    with pytest.raises(StoreError, match=r"tiling/k/\w+-overlay\.png is missing"):
        shard.path("overlay.png")
    assert not list((tmp_path / "two").rglob("*overlay*"))
    s3.delete_object(Bucket="lab-bucket", Key=f"shards/tiling/k/{SUMMARY}")
    assert BucketShardStore(tmp_path / "two", SHARDS).ensure("tiling", "k", numbers)[1] is False


def test_a_torn_summary_is_named(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="lab-bucket", Key=f"shards/tiling/k/{SUMMARY}", Body=b"{")
    with pytest.raises(StoreError, match=r"shards/tiling/k/shard\.json is torn"):
        BucketShardStore(tmp_path, SHARDS).find("tiling", "k")


def test_a_bucket_that_does_not_exist_is_one_clear_error(s3: Any, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="s3://no-such-bucket/shards: there is no such bucket"):
        BucketShardStore(tmp_path, "s3://no-such-bucket/shards").ensure("tiling", "k", numbers)


def test_a_service_that_is_away_for_a_while_is_waited_for(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from socket import create_connection, socket

    port = int(s3.meta.endpoint_url.rpartition(":")[2])
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        away = probe.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{away}")
    store = BucketShardStore(tmp_path / "one", SHARDS)
    done: list[Any] = []
    worker = threading.Thread(target=lambda: done.append(store.ensure("tiling", "k", numbers)))
    worker.start()
    time.sleep(2)
    assert worker.is_alive()
    assert not done
    forward(away, port, create_connection)
    worker.join(timeout=60)
    assert done[0][1] is False
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    assert BucketShardStore(tmp_path / "two", SHARDS).open("tiling", "k").table("numbers").num_rows == 1000


def forward(at: int, to: int, connect: Any) -> None:
    """Answer on a port with what another port says, as a service that has come back."""
    import socketserver

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with connect(("127.0.0.1", to)) as upstream:
                back = threading.Thread(target=pump, args=(upstream, self.request), daemon=True)
                back.start()
                pump(self.request, upstream)
                back.join(timeout=5)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", at), Relay)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()


def pump(source: Any, target: Any) -> None:
    from contextlib import suppress

    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(1)
