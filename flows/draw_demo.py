"""Draw the demo's synthetic slides, where the configuration asks for them."""

from __future__ import annotations

from demo.state import RECORD
from flows.config import RunConfig
from flows.progress import progress


def is_drawn(config: RunConfig) -> bool:
    """Return whether there is nothing to draw, or a finished drawing is there (perhaps of another plan)."""
    return config.demo is None or config.manifest is None or (config.manifest.parent / RECORD).is_file()


def draw_demo(config: RunConfig) -> None:
    """Draw slides, annotations and reports beside the manifest; what is there already is not drawn again."""
    if config.demo is None or config.manifest is None:
        return
    from demo.make import make_demo

    folder, demo = config.manifest.parent, config.demo
    with progress("draw synthetic slides", demo.slides) as advance:
        make_demo(
            folder,
            slides=demo.slides,
            patients=demo.patients,
            seed=demo.seed,
            workers=config.runner.workers or None,
            progress=lambda done, total: advance(done),
        )
