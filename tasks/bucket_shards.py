"""Shards in a bucket (`s3://`), shared by machines: a folder on each machine holds what was made or needed there.

A shard's files are uploaded first, each under a name that holds its digest, and its summary last, by a put that fails
where one is there: a shard that can be found is whole and never changes, and of two makers the first wins. A file is
fetched when it is asked for and compared with the digest in the summary: finding out that a slide is tiled costs one
small request, once on each machine, not its tiles.
"""

from __future__ import annotations

import importlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import MissingExtraError, StoreError
from schemas.ids import digest, file_sha256
from tasks.bucket import Bucket
from tasks.scratch import draft_of
from tasks.store import SUMMARY, Shard, ShardInfo, ShardStore


@dataclass(frozen=True)
class _Origin:
    bucket: Bucket
    shard: str

    def fetch(self, name: str, sha256: str, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = draft_of(place)
        try:
            self.bucket.download(path := _named(self.shard, name, sha256), draft)
            if file_sha256(draft) != sha256:
                raise self._broken(place.parent, f"{path} is not what its summary says")
            draft.replace(place)
        except FileNotFoundError as error:
            raise self._broken(place.parent, f"{path} is missing") from error
        finally:
            draft.unlink(missing_ok=True)

    def _broken(self, folder: Path, problem: str) -> StoreError:
        shutil.rmtree(folder, ignore_errors=True)  # so that the next run asks the bucket what it holds
        return StoreError(f"{self.bucket.uri}/{problem}", remedy="delete that shard in the bucket and run again")


def _named(shard: str, name: str, sha256: str) -> str:
    return f"{shard}/{sha256}-{name}"


class BucketShardStore(ShardStore):
    """The shard store of machines that share a bucket.

    Args:
        root: folder of this machine for what is made or fetched; may be emptied while nothing runs.
        uri: `s3://bucket/prefix`.

    Raises:
        MissingExtraError: s3fs is not installed.
    """

    def __init__(self, root: Path, uri: str) -> None:
        super().__init__(root)
        try:
            for module in ("s3fs", "tenacity"):
                importlib.import_module(module)
        except ImportError as error:
            raise MissingExtraError(
                f"shards at {uri} need {error.name}, which is not installed",
                remedy="pip install -e '.[scale]' in the checkout",
            ) from error
        self.bucket = Bucket(uri)

    def find(self, stage: str, key: str) -> Shard | None:
        """Return the shard, or None while its work is not done on any machine.

        What this machine made before it was told of the bucket is uploaded.
        """
        here = super().find(stage, key)
        place = self.root / stage / key
        if here is None or not self._mark(place).exists():
            info = self._share(place, here.info) if here else self._shared(stage, key)
            if info is None:
                return None
            self._adopt(place, info)
            here = Shard(place, info)
        return self._fetching(here.info)

    def look(self, stage: str, key: str) -> Shard | None:
        """Return the shard of this machine, else of the bucket; nothing is uploaded, tables come as they are read."""
        here = super().look(stage, key)
        if here is not None and not self._mark(self.root / stage / key).exists():
            return here
        info = here.info if here else self._shared(stage, key)
        return self._fetching(info) if info else None

    def _fetching(self, info: ShardInfo) -> Shard:
        shard = f"{info.stage}/{info.key}"
        return Shard(self.root / shard, info, _Origin(self.bucket, shard))

    def _mark(self, folder: Path) -> Path:
        """Return the file that says that what lies in a folder is what this bucket holds."""
        return folder / f".in-{digest(self.bucket.uri)[:16]}"

    def _shared(self, stage: str, key: str) -> ShardInfo | None:
        path = f"{stage}/{key}/{SUMMARY}"
        summary = self.bucket.read(path)
        try:
            return None if summary is None else ShardInfo.from_bytes(summary)
        except (ValueError, TypeError) as error:
            where = f"{self.bucket.uri}/{path}"
            raise StoreError(f"{where} is torn", remedy="delete that shard in the bucket and run again") from error

    def _share(self, folder: Path, info: ShardInfo) -> ShardInfo:
        """Upload a whole shard, unless it is there; return what is there then."""
        shard = f"{info.stage}/{info.key}"
        if there := self._shared(info.stage, info.key):
            return there
        for name, sha256 in info.sha256.items():
            self.bucket.upload(folder / name, _named(shard, name, sha256))
        if self.bucket.create(f"{shard}/{SUMMARY}", info.to_bytes()):
            return info
        return self._shared(info.stage, info.key) or info

    def _adopt(self, folder: Path, info: ShardInfo) -> None:
        """Make a folder one of what the bucket holds: what differs goes, the summary comes, the mark last."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, sha256 in info.sha256.items():
            if (folder / name).exists() and file_sha256(folder / name) != sha256:
                (folder / name).unlink(missing_ok=True)
        for path, content in ((folder / SUMMARY, info.to_bytes()), (self._mark(folder), b"")):
            draft = draft_of(path)
            draft.write_bytes(content)
            draft.replace(path)

    def _publish(self, folder: Path, info: ShardInfo) -> ShardInfo:
        there = self._share(folder, info)
        self._adopt(folder, there)
        super()._publish(folder, there)
        return there
