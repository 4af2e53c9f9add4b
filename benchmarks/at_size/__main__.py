"""One curation at size, end to end, by the commands of the README: `python -m benchmarks.at_size`.

200 synthetic slides of 100 patients and a real one; three nights by a schedule of Prefect on a worker, slides and
shards on S3, Dask, ontologies, rules and an endpoint, every reader that this machine can run, people at the page; then
20 slides more, a patient withdrawn, a threshold changed; training from both versions. What it cost and what came of it
is kept in `benchmarks/at_size/result.json`, and `docs/at_size.md` is written from that. `--quick` does the same with
20 slides and keeps nothing. It needs the real inputs beside the checkout, Debian's chromium, and port 4200.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks._claims import tell
from benchmarks._drill_services import ACCESS, Service
from benchmarks.at_size.claims import claims_of
from benchmarks.at_size.cohort import QUICK, Size, check_inputs
from benchmarks.at_size.curation import Curation
from benchmarks.at_size.page import RESULT, write_page
from benchmarks.at_size.services import model, prefect
from benchmarks.at_size.steps import Steps, quiet
from demo.scripted_endpoint import ScriptedEndpoint


def main() -> None:
    """Curate, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 slides, and nothing is kept")
    parser.add_argument(
        "--work",
        type=Path,
        help="folder to work in, where drawn slides are found again; default: one that is removed afterwards",
    )
    parser.add_argument("--page", action="store_true", help="write the page from the result that is there")
    arguments = parser.parse_args()
    if arguments.page:
        write_page()
        return
    check_inputs()
    with tempfile.TemporaryDirectory() as scratch:
        work = (arguments.work or Path(scratch)).absolute()
        work.mkdir(parents=True, exist_ok=True)
        result = curate(work, QUICK if arguments.quick else Size())
        kept = work / "result.json" if arguments.quick else RESULT
        kept.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        tell(claims_of(result))
    if not arguments.quick:
        write_page()


def curate(work: Path, size: Size) -> dict[str, object]:
    """Run everything in a folder and return what there is to tell."""
    with Service("bucket") as bucket, ScriptedEndpoint(model) as endpoint:
        address = f"http://127.0.0.1:{bucket.port}"
        environment = quiet({**ACCESS, "AWS_ENDPOINT_URL": address, "PREFECT_HOME": str(work / "prefect")})
        steps = Steps(work, environment)
        curation = Curation(work, size, steps, address, endpoint.url)
        curation.lay_out()
        with prefect(work, environment) as server:
            curation.first_nights(server)
            curation.second_version(server)
        curation.train()
        return curation.told()


if __name__ == "__main__":
    main()
