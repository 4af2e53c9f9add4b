"""From a scene to pixels: any rows of a slide, painted in dyes and then turned into colour."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.ndimage import uniform_filter

from demo.blend import Canvas, coarse, double, enlarge, ink, lay, mix, padded, put_patch, ready_patch, word
from demo.placement import GRAIN, PATCH
from demo.scene import Plane, Scene, encode
from demo.stain import colour_table
from demo.textures import SIDE, WINDOW_PX, Texture, stock

COLUMN_PX = 512
BLOCK_PX, MOST_ROWS = WINDOW_PX  # textures are laid in blocks this wide
HALO_PX = 32
BLUR_PX = 7.0
SEAM_CELLS = 5  # over which the textures of neighbouring regions change


class Painter:
    """Paints rows of one scene; the same rows come out the same whatever was painted before."""

    def __init__(self, scene: Scene) -> None:
        """Prepare the scene's planes, stamps and colours."""
        self._scene = scene
        self._tissue = padded(encode(scene.layout.depth_um))
        self._outside = 255 - self._tissue
        self._epithelium, self._lumen = padded(scene.epithelium), padded(scene.lumen)
        self._marks = {
            name: padded(plane)
            for name in ("fold", "blur", "pen")
            if (plane := getattr(scene.artefacts, name)) is not None
        }
        self._reach = max((max(stamp.shape) for stamp in scene.placed.stamps), default=1)
        self._stamps = {planes: scene.placed.sorted_by_row(planes) for planes in (PATCH, GRAIN)}
        self._canvas = np.zeros((MOST_ROWS + 2 * self._reach, scene.size_px0[0] + 2 * self._reach), np.uint16)
        self._rgbx = np.zeros((MOST_ROWS, scene.size_px0[0], 4), np.uint8)
        self._ready = [word(stamp) if len(stamp) == GRAIN else ready_patch(stamp) for stamp in scene.placed.stamps]
        self._colours = colour_table(scene.stain)
        self._shares = {number: padded(share) for number, share in _shares(scene).items()}

    def is_glass(self, left: int, top: int, width: int, height: int) -> bool:
        """Return whether a window of level-0 pixels shows nothing but empty glass."""
        window = coarse(left, top, width, height)
        pen = self._marks.get("pen")
        return not self._tissue[window].any() and (pen is None or not pen[window].any())

    def rows(self, top: int, height: int) -> NDArray[np.uint8]:
        """Return rows of the slide in colour: (height, W, 4), the fourth byte is 255.

        Args:
            top: First row, a multiple of 8 level-0 pixels.
            height: Number of rows, a multiple of 8 and at most `MOST_ROWS` less twice `HALO_PX`.

        Returns:
            A view of the painter's own memory, good until the next call.
        """
        if not self._marked("blur", top, height):
            return self._coloured(top, height)
        first = max(0, top - HALO_PX)
        last = min(self._scene.size_px0[1], top + height + HALO_PX)
        wide = self._coloured(first, last - first)
        self._defocus(wide, first)
        return wide[top - first :][:height]

    def glass(self, width: int, height: int) -> Iterator[NDArray[np.uint8]]:
        """Yield a few windows of empty glass in colour, (height, width, 4)."""
        texture = stock().textures["glass"]
        for offset in (0, 271, 542, 813):
            yield self._colour(word(texture[:, offset : offset + height, offset // 2 : offset // 2 + width]))

    def _marked(self, mark: str, top: int, height: int) -> bool:
        plane = self._marks.get(mark)
        return plane is not None and bool(plane[coarse(0, top, self._scene.size_px0[0], height)].any())

    def _coloured(self, top: int, height: int) -> NDArray[np.uint8]:
        width = self._scene.size_px0[0]
        framed = self._canvas[: height + 2 * self._reach]
        canvas = framed[self._reach : -self._reach, self._reach : -self._reach]
        rgbx = self._rgbx[:height]
        for left in range(0, width, BLOCK_PX):
            self._lay_block(canvas[:, left : left + BLOCK_PX], left, top)
        self._set_stamps(framed, top)
        if self._marked("fold", top, height):
            double(canvas, enlarge(self._marks["fold"], 0, top, width, height) >> 4)
        for left in range(0, width, BLOCK_PX):
            rgbx[:, left : left + BLOCK_PX] = self._colour(canvas[:, left : left + BLOCK_PX])
        if self._marked("pen", top, height):
            ink(rgbx, enlarge(self._marks["pen"], 0, top, width, height) >> 4, self._scene.artefacts.ink)
        return rgbx

    def _set_stamps(self, framed: Canvas, top: int) -> None:
        """Set down the stamps that reach these rows: patches, then grains; column by column, to stay in the cache.

        The canvas has a frame as wide as the largest stamp, so that none has to be cut.
        """
        for planes in (PATCH, GRAIN):
            which, corners = self._stamps[planes]
            first, last = np.searchsorted(corners[:, 1], (top - self._reach, top + framed.shape[0] - 2 * self._reach))
            which, corners = which[first:last], corners[first:last] + np.array([self._reach, self._reach - top])
            order = np.argsort(corners[:, 0] // COLUMN_PX, kind="stable")
            for index, (x, y) in zip(which[order].tolist(), corners[order].tolist(), strict=True):
                stamp = self._ready[index]
                height, width = stamp.shape[-2:]
                target = framed[y : y + height, x : x + width]
                if planes == GRAIN:
                    np.maximum(target, stamp, out=target)
                else:
                    put_patch(target, stamp)

    def _colour(self, canvas: Canvas) -> NDArray[np.uint8]:
        return self._colours[canvas].view(np.uint8).reshape(*canvas.shape, 4)

    def _lay_block(self, canvas: Canvas, left: int, top: int) -> None:
        """Lay the textures of every region that a block meets, with its lumina, and the glass around the tissue."""
        height, width = canvas.shape
        box = (left, top, width, height)
        glass = _texture("glass", (0, 0), *box)
        if self.is_glass(*box):
            canvas[:] = word(glass)
            return
        out: Texture | None = None
        for number, share in self._shares.items():
            if not share[coarse(*box)].any():
                continue
            fill = self._scene.fills[number]
            layer = _texture(fill.base, fill.offset, *box).copy()
            lay(layer, _texture(fill.overlay, fill.overlay_offset, *box), self._epithelium, box)
            if out is None:
                out = layer
            else:
                mix(out, layer, enlarge(share, *box) >> 5)
        if out is None:
            out = glass.copy()
        lay(out, glass, self._lumen, box)
        lay(out, glass, self._outside, box)
        canvas[:] = word(out)

    def _defocus(self, rgbx: NDArray[np.uint8], top: int) -> None:
        """Blend rows with their blurred image where the patch lies."""
        height, width, _ = rgbx.shape
        mask = (enlarge(self._marks["blur"], 0, top, width, height) >> 4).astype(np.uint8)
        columns = np.flatnonzero(mask.any(axis=0))
        window = np.s_[:, max(0, columns[0] - HALO_PX) : columns[-1] + HALO_PX]
        sharp = Image.fromarray(np.ascontiguousarray(rgbx[window]))
        soft = sharp.filter(ImageFilter.GaussianBlur(BLUR_PX))
        rgbx[window] = np.asarray(Image.composite(soft, sharp, Image.fromarray(np.ascontiguousarray(mask[window]))))


def _shares(scene: Scene) -> dict[int, Plane]:
    """Return, for every region, how much of each coarse cell it takes: 255 inside, fading over a few cells."""
    shares = {}
    for number in scene.fills:
        own = scene.layout.territory == number
        rows, columns = (np.flatnonzero(own.any(axis=axis)) for axis in (1, 0))
        box = tuple(slice(max(0, line[0] - SEAM_CELLS), line[-1] + SEAM_CELLS + 1) for line in (rows, columns))
        share = np.zeros(own.shape, np.uint8)
        share[box] = uniform_filter(np.where(own[box], np.uint8(255), np.uint8(0)), SEAM_CELLS)
        shares[number] = share
    return shares


def _texture(name: str, offset: tuple[int, int], left: int, top: int, width: int, height: int) -> Texture:
    x, y = (left + offset[0]) % SIDE, (top + offset[1]) % SIDE
    return stock().textures[name][:, y : y + height, x : x + width]
