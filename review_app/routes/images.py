"""Images, by id alone: tiles of fields and tiles of whole slides."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request, Response

from review_app import shelf
from review_app.access import Desk, SignedIn

router = APIRouter()
_KEEP = {"cache-control": "private, max-age=31536000, immutable"}
TileId = Annotated[str, Path(pattern=r"^tile_[0-9a-f]{20}$")]
SlideId = Annotated[str, Path(pattern=r"^slide_[0-9a-f]{20}$")]
Number = Annotated[int, Path(ge=0, le=1_000_000)]


@router.get("/tiles/{tile_id}")
async def tile(desk: Desk, session: SignedIn, tile_id: TileId) -> Response:
    """Return the image of one tile, the very bytes of the dataset."""
    row = desk.execute("SELECT image FROM tiles WHERE tile_id = ?", (tile_id,)).fetchone()
    if row is None:
        raise HTTPException(404, "There is no such tile.")
    return Response(row["image"], media_type="image/jpeg", headers=_KEEP)


@router.get("/slides/{slide_id}/{level}/{column}/{row}")
def slide_tile(
    request: Request, desk: Desk, session: SignedIn, slide_id: SlideId, level: Number, column: Number, row: Number
) -> Response:
    """Return one tile of a whole slide, read from the slide."""
    slide = shelf.slide_of(desk, slide_id)
    try:
        image = request.app.state.slides.tile(slide["uri"], level, column, row) if slide else None
    except OSError as error:
        raise HTTPException(404, "This slide cannot be read on this machine.") from error
    if image is None:
        raise HTTPException(404, "There is no such part of a slide here.")
    return Response(image, media_type="image/jpeg", headers=_KEEP)
