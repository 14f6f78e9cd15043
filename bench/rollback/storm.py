"""Bad changes on fake nodes: one after another, then while two hundred other systems change."""

import itertools
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.audit import AuditReader
from bench.errors import BenchError
from bench.processes import Process, read_cpu_seconds
from bench.rollback.parameters import Parameters
from bench.rollback.records import Sample, Storm
from bench.rollback.storm_plane import FAKE_KUBELET, NAMESPACES, StormPlane
from bench.rollback.storm_systems import (
    OTHER,
    VICTIM,
    Target,
    bad_image,
    build_spec,
    build_target,
    find_sample,
    find_wave,
    good_image,
    name_targets,
)
from bench.stage import OPERATOR, user_of
from bench.subjects import start_ours
from bench.workload import systems_path
from cluster.progress import Progress

VICTIMS = 100
SPACING_SECONDS = 0.5  # between the bad changes of a wave, which takes minutes
AT_ONCE = 8
SETTLE_SECONDS = 600.0
LOOK_SECONDS = 1.0
MOST_WAVES = 10
_ALL = "/apis/tradingoperator.io/v1alpha1/tradingsystems"


@dataclass(frozen=True)
class Field:
    """The systems on the fake nodes, the operator, and what the audit log says."""

    plane: StormPlane
    operator: Process
    others: list[Target]
    victims: list[Target]
    kubelet: AuditReader
    writes: AuditReader
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(2))

    def make(self) -> None:
        """Make all systems and wait until each is proven."""
        targets = [*self.others, *self.victims]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._create, targets))
        self.wait(targets, "Proven")

    def change(self, target: Target, image: str) -> float:
        """Give a system another image; returns when."""
        moment = time.time()
        self.plane.client.merge(target.path, {"spec": build_spec(image)})
        return moment

    def break_one(self, target: Target) -> float:
        """Change a system badly; returns when."""
        return self.change(target, bad_image(next(self.numbers)))

    def change_others(self) -> None:
        """Change all others at once."""
        image = good_image(next(self.numbers))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda target: self.change(target, image), self.others))

    def wait(self, targets: Iterable[Target], phase: str) -> None:
        """Wait until systems are told to be in a phase at their newest spec."""
        waited = set(targets)
        deadline = time.monotonic() + SETTLE_SECONDS
        while waiting := waited - self._find(phase):
            self.operator.check()
            if time.monotonic() > deadline:
                some = ", ".join(sorted(each.name for each in waiting)[:5])
                raise BenchError(f"{len(waiting)} systems do not become {phase}: {some}")
            time.sleep(LOOK_SECONDS)

    def read_sample(self, target: Target, changed: float) -> Sample:
        """Return what came of a bad change. Raises BenchError."""
        sample = find_sample(target, changed, self.kubelet.read(), self.writes.read())
        if sample is None:
            raise BenchError(f"{target.name} failed, and the audit log does not say how")
        return sample

    def _create(self, target: Target) -> None:
        self.plane.client.post(systems_path(target.namespace), build_target(target, good_image(1)))

    def _find(self, phase: str) -> set[Target]:
        return {
            Target(each["metadata"]["namespace"], each["metadata"]["name"])
            for each in self.plane.client.get(_ALL)["items"]
            if ((each.get("status") or {}).get("rollout") or {}).get("phase") == phase
            and each["status"].get("observedGeneration") == each["metadata"]["generation"]
        }


def measure_storm(
    parameters: Parameters, plane: StormPlane, log: Path, progress: Progress
) -> Storm:
    """Measure bad changes alone, and then those in a storm."""
    load = os.getloadavg()[0]
    plane.set_stage()
    running = start_ours(plane.write_service_account(OPERATOR), log)
    try:
        played = _make_field(parameters, plane, running.process)
        progress.say(f"{len(played.others) + len(played.victims)} systems are there")
        idle = _change_alone(played, parameters.idle_samples)
        before = read_cpu_seconds(running.process.pid)
        storm = _change_in_waves(played, parameters.storm_samples, progress)
        spent = read_cpu_seconds(running.process.pid) - before
    finally:
        running.process.stop()
    return replace(storm, load=load, idle=idle, operator_cpu_seconds=round(spent, 2))


def _make_field(parameters: Parameters, plane: StormPlane, operator: Process) -> Field:
    log = plane.layout.audit_log
    made = Field(
        plane,
        operator,
        name_targets(OTHER, parameters.storm_systems, NAMESPACES),
        name_targets(VICTIM, VICTIMS, NAMESPACES),
        AuditReader(log, FAKE_KUBELET),
        AuditReader(log, user_of(OPERATOR)),
    )
    made.make()
    return made


def _change_alone(played: Field, count: int) -> list[Sample]:
    """Change one system badly after another; nothing else happens meanwhile."""
    samples = []
    for index in range(count):
        victim = played.victims[index % len(played.victims)]
        changed = played.break_one(victim)
        played.wait([victim], "RolledBack")
        samples.append(played.read_sample(victim, changed))
    return samples


def _change_in_waves(played: Field, wanted: int, progress: Progress) -> Storm:
    """Change all others at once, and some systems badly meanwhile, until there are enough."""
    storm = Storm(len(played.others))
    for number in range(MOST_WAVES):
        if len(storm.samples_in_waves()) >= wanted:
            break
        with progress.step(f"wave {number + 1}: {len(played.others)} systems change"):
            _make_wave(played, storm)
    return storm


def _make_wave(played: Field, storm: Storm) -> None:
    started = time.time()
    with ThreadPoolExecutor(1) as pool:
        changing = pool.submit(played.change_others)
        broken = [_break_later(played, victim) for victim in played.victims]
        changing.result()
    played.wait(played.others, "Proven")
    played.wait(played.victims, "RolledBack")
    storm.storm.extend(played.read_sample(victim, moment) for victim, moment in broken)
    storm.waves.append(find_wave(started, played.writes.read()))


def _break_later(played: Field, victim: Target) -> tuple[Target, float]:
    time.sleep(SPACING_SECONDS)
    return victim, played.break_one(victim)
