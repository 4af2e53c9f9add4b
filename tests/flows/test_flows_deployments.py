"""The deployments of prefect.yaml, run by a real worker of a real server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from prefect import flow, task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.actions import DeploymentScheduleCreate, GlobalConcurrencyLimitUpdate, WorkPoolUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey, FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import execution
from flows.config import RunnerConfig
from flows.deploy import deploy
from flows.limits import slots
from flows.server import SERVER, WORKER

ROOT = Path(__file__).resolve().parents[2]
PREFECT = [sys.executable, "-m", "prefect"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def alerts() -> Iterator[tuple[str, list[str]]]:
    """Where a failed run is told of: an address on loopback, and what came there."""
    told: list[str] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", told
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def environment(
    served: dict[str, str], alerts: tuple[str, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Everything of prefect.yaml, and a worker."""
    deployed = run({**served, "SLIDESMITH_ALERT_URL": alerts[0]}, "-m", "flows.cli", "deploy", "--json")
    wanted = yaml.safe_load((ROOT / "prefect.yaml").read_text())["definitions"]
    assert json.loads(deployed)["automations"] == [automation["name"] for automation in wanted["automations"]]
    with (tmp_path_factory.mktemp("worker") / "worker.log").open("wb") as log:
        command = [*PREFECT, "worker", "start", "--pool", "cpu"]
        worker = subprocess.Popen(command, env=served, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield served
        finally:
            worker.kill()  # asked to end, it may wait for a minute for its own last messages
            worker.wait()


@pytest.fixture
def client(environment: dict[str, str]) -> Iterator[SyncPrefectClient]:
    with (
        temporary_settings({PREFECT_API_URL: environment["PREFECT_API_URL"]}),
        get_client(sync_client=True) as client,
    ):
        yield client


def run(settings: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], env=settings, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def finished_by_schedule(client: SyncPrefectClient) -> list[FlowRun]:
    tagged = FlowRunFilter(tags=FlowRunFilterTags(all_=["auto-scheduled"]))
    return [run for run in client.read_flow_runs(flow_run_filter=tagged) if run.state and run.state.is_final()]


def test_every_deployment_is_registered_with_its_schedule_switched_off(client: SyncPrefectClient) -> None:
    wanted = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    there = client.read_deployments()
    assert {deployment.name for deployment in there} == {deployment["name"] for deployment in wanted["deployments"]}
    given = {deployment.name: deployment.schedules for deployment in there if deployment.schedules}
    assert {*given} == {name.split("/")[1] for name in wanted["definitions"]["schedules"]}
    assert all([schedule.active for schedule in schedules] == [False] for schedules in given.values())


def test_the_server_keeps_no_folder_of_the_machine_that_deployed(client: SyncPrefectClient) -> None:
    for deployment in client.read_deployments():
        (step,) = deployment.pull_steps or []
        assert [*step.values()] == [{"directory": "{{ $SLIDESMITH_HOME }}"}]
        assert str(ROOT) not in deployment.model_dump_json()


def test_what_is_registered_again_is_not_doubled_and_what_operators_set_stays(
    environment: dict[str, str],
    client: SyncPrefectClient,
    alerts: tuple[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {**environment, "SLIDESMITH_ALERT_URL": alerts[0]}.items():
        monkeypatch.setenv(name, value)
    leap_day = CronSchedule(cron="0 0 29 2 *", timezone="Europe/Berlin")
    nightly, training = (client.read_deployment_by_name(name) for name in ("curate/nightly", "train-model/training"))
    client.update_deployment_schedule(nightly.id, nightly.schedules[0].id, active=True, schedule=leap_day)
    client.create_deployment_schedules(nightly.id, [DeploymentScheduleCreate(schedule=leap_day, active=True)])
    client.pause_deployment(training.id)
    client.update_work_pool("cpu", WorkPoolUpdate(concurrency_limit=5))
    client.update_global_concurrency_limit("gpu", GlobalConcurrencyLimitUpdate(limit=3))
    automations = [automation.id for automation in client.read_automations()]
    schedules = client.read_deployment_schedules(nightly.id)

    deploy()

    assert [automation.id for automation in client.read_automations()] == automations
    assert client.read_deployment_schedules(nightly.id) == schedules
    assert [schedule.active for schedule in schedules] == [True, True]
    assert client.read_deployment(training.id).paused
    assert not client.read_deployment(nightly.id).paused
    assert client.read_work_pool("cpu").concurrency_limit == 5
    assert client.read_global_concurrency_limit_by_name("gpu").limit == 3


def test_a_failed_run_is_told_of(client: SyncPrefectClient, alerts: tuple[str, list[str]], tmp_path: Path) -> None:
    nightly = client.read_deployment_by_name("curate/nightly")
    client.create_flow_run_from_deployment(nightly.id, parameters={"config": str(tmp_path / "missing.yaml")})
    limit = time.monotonic() + 240
    while not alerts[1]:
        assert time.monotonic() < limit
        time.sleep(0.2)
    (text,) = alerts[1]
    assert text.startswith("Slidesmith: curate (")
    assert "there is no configuration file" in text


def test_runs_on_a_server_take_turns_before_an_endpoint(served: dict[str, str]) -> None:
    seen: list[str] = []

    def work() -> None:
        with temporary_settings({PREFECT_API_URL: served["PREFECT_API_URL"]}), slots("endpoint:127.0.0.1:8000"):
            seen.append("in")
            time.sleep(0.5)
            seen.append("out")

    several = [threading.Thread(target=work) for _ in range(2)]
    for thread in several:
        thread.start()
    limit = time.monotonic() + 240  # mostly 3 s; the server of a busy machine may let the second wait for minutes
    for thread in several:
        thread.join(timeout=limit - time.monotonic())
    assert seen == ["in", "out", "in", "out"]


def test_slow_work_tells_the_server_how_far_it_is(served: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_PROGRESS_S", 0.0)

    @task
    def double(number: int) -> int:
        return 2 * number

    @flow
    def several() -> list[int]:
        with execution.task_runner(RunnerConfig(workers=1)) as runner:
            futures = [runner.submit(double, {"number": number}) for number in range(3)]
            return execution.gather("double numbers", futures, ["a", "b", "c"])

    with temporary_settings({PREFECT_API_URL: served["PREFECT_API_URL"]}), get_client(sync_client=True) as client:
        assert several() == [0, 2, 4]
        wanted = ArtifactFilter(key=ArtifactFilterKey(any_=["double-numbers"]))
        (told,) = client.read_artifacts(artifact_filter=wanted)
        assert told.data == 100.0


def test_the_compose_file_starts_what_there_is() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    told = {name: services[name]["command"] for name in ("deployments", "review")}
    assert told["deployments"] == ["slidesmith", "deploy"]
    options = [word for word in told["review"] if word.startswith("--")]
    spoken = run({"PATH": "/usr/bin"}, "-m", "flows.cli", *told["review"][1:3], "--help")
    assert all(option in spoken for option in options)
    pools = yaml.safe_load((ROOT / "prefect.yaml").read_text())["definitions"]["pools"]
    assert services["worker"]["command"][-1] in pools
    assert services["server"]["environment"].items() >= SERVER.items()
    assert services["worker"]["environment"].items() >= WORKER.items()
    name = services["tls"]["command"][services["tls"]["command"].index("--from") + 1].split("/")[2].rsplit(":", 1)[0]
    assert name == told["review"][told["review"].index("--name") + 1] == "${SLIDESMITH_NAME:-localhost}"
    server = f"http://server:{services['server']['ports'][0].split(':')[-1]}/api"
    assert {services[name]["environment"]["PREFECT_API_URL"] for name in ("deployments", "worker")} == {server}


def test_what_the_compose_file_mounts_belongs_to_the_user_of_the_image() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    image = (ROOT / "Dockerfile").read_text()
    (owned,) = (line for line in image.splitlines() if "chown slidesmith " in line)
    for service in ("server", "worker", "review"):
        places = [volume.split(":")[-1] for volume in services[service]["volumes"] if not volume.endswith(":ro")]
        assert {*places} <= {*owned.split()}, service
    assert "--uid 1000" in image


def test_the_guide_starts_a_worker_elsewhere_with_its_settings() -> None:
    guide = (ROOT / "docs" / "operating.md").read_text()
    for name, value in WORKER.items():
        assert f"{name}={value}" in guide


def test_a_worker_runs_the_nightly_deployment_when_it_is_due(
    client: SyncPrefectClient, inputs: Path, tmp_path: Path
) -> None:
    config = tmp_path / "run.yaml"
    settings = {
        "slides": str(inputs / "slides"),
        "manifest": str(inputs / "manifest.csv"),
        "out": "out",
        "tiling": {"centres": {"kind": "sampled", "max_fields_per_slide": 16}},
        "release": {"dataset": "worked"},
    }
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    due = IntervalSchedule(interval=timedelta(days=1), anchor_date=datetime.now(UTC) + timedelta(seconds=8))
    schedule = DeploymentScheduleCreate(schedule=due, active=True, parameters={"config": str(config)})
    nightly = client.read_deployment_by_name("curate/nightly")
    client.create_deployment_schedules(nightly.id, [schedule])
    limit = time.monotonic() + 400
    while not (ended := finished_by_schedule(client)):
        assert time.monotonic() < limit
        time.sleep(0.5)
    assert ended[0].state_type == "COMPLETED", ended[0].state
    outcome = json.loads((tmp_path / "out" / "run.json").read_text())
    assert outcome["release"]["rows"]["slides"] == 6
    assert (tmp_path / "out" / "store" / "worked" / "1.0.0" / "manifest.json").is_file()
