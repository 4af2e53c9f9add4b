"""Whether enough slides can be used: judged from the store, so that a rerun with nothing to do says it again."""

from __future__ import annotations

from flows.plan import Plan
from schemas.errors import StageFailedError
from schemas.records import Rejection

_NAMED = 3  # of the slides that cannot be used, in the message


def check_usable(plan: Plan) -> None:
    """Look at the shards of a plan whose slides are all tiled; one without a row in `slides` is of a slide refused.

    Raises:
        StageFailedError: no slide is usable, or a larger share than `tiling.max_failed_share` is not.
    """
    failed = list(plan.rejected)
    for key in plan.tiling:
        shard = plan.store.open("tiling", key)
        if not shard.info.rows["slides"]:
            failed += shard.records("rejections", Rejection)
    total = len(plan.sources) + len(plan.rejected)
    if len(failed) == total or len(failed) > plan.config.tiling.max_failed_share * total:
        more = f" (and {len(failed) - _NAMED} more)" if len(failed) > _NAMED else ""
        raise StageFailedError(
            f"{len(failed)} of {total} slides cannot be used: {', '.join(row.detail for row in failed[:_NAMED])}{more}",
            remedy="mend them or the manifest, or raise tiling.max_failed_share",
        )
