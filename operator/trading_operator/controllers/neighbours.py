"""Who looks at whom: a change of one resource wakes those that wait for it."""

from collections.abc import Iterable, Iterator
from typing import Any

from trading_operator.api.restore import HOLDING, RestorePhase
from trading_operator.controllers.links import Links
from trading_operator.controllers.registry import Body
from trading_operator.controllers.served import Served
from trading_operator.kube.cache import Key
from trading_operator.kube.resources import BACKUPS
from trading_operator.plan.backup.requests import end_request, restore_request
from trading_operator.plan.observed import RestoreFacts, Selection


class Neighbours:
    """All kinds that are served, and the links between their resources."""

    def __init__(self) -> None:
        self._served: dict[str, Served[Any]] = {}
        self._backups_of = Links()  # a system
        self._restores_of = Links()  # a system
        self._restores_by = Links()  # a Backup
        self._trainings_of = Links()  # a system
        self._selections: dict[Key, Selection | None] = {}  # of ModelTrainingJobs

    def introduce(self, served: Served[Any]) -> None:
        """Take a kind into account."""
        self._served[served.kind.resource.kind] = served

    def find(self, key: Key) -> Body | None:
        """Return the body of a resource of whatever kind."""
        return self._served[key.kind].registry.get(key)

    def find_restore(self, system: Key) -> RestoreFacts | None:
        """Return what is restored now into a system, all of it as one."""
        holding = [
            (key, known)
            for key in sorted(self._restores_of.sources(system))
            if (known := self._look_at(key)) is not None and _holds(known.facts)
        ]
        if not holding:
            return None
        key, first = min(holding, key=lambda each: each[1].facts.phase not in HOLDING)
        targets = (frozenset(known.facts.targets) for _, known in holding)
        return RestoreFacts(key.name, frozenset().union(*targets), first.uid)

    def find_rival(self, restore: Key, system: Key) -> str:
        """Return another Restore of a system that goes first, "" for none."""
        for key in sorted(self._restores_of.sources(system) - {restore}):
            known = self._look_at(key)
            phase = "" if known is None else known.facts.phase
            # Of two that have replaced nothing yet, the first by name goes on.
            if phase == RestorePhase.RESTORING or (phase in HOLDING and key < restore):
                return key.name
        return ""

    def find_backups(self, system: Key, but: Key) -> tuple[Body, ...]:
        """Return the Backups of a system, but for one."""
        others = map(self.find, sorted(self._backups_of.sources(system) - {but}))
        return tuple(each for each in others if each is not None)

    def find_trainings(self, system: Key) -> tuple[Body, ...]:
        """Return the ModelTrainingJobs of a system."""
        found = map(self.find, sorted(self._trainings_of.sources(system)))
        return tuple(each for each in found if each is not None)

    def asked_of(self, backup: Key) -> tuple[str, ...]:
        """Return the requests of Restores that replace data, and of a system that goes."""
        return (*self._requests(backup), *self._last_requests(backup))

    def system_changed(self, key: Key) -> None:
        """Have the Backups and Restores of a system look: what it has, or waits for, changed."""
        for links in (self._backups_of, self._restores_of, self._trainings_of):
            for source in links.sources(key):
                self._wake(source)

    def backup_changed(self, key: Key) -> None:
        """Note which system a Backup is of; who waits for the Backup looks at it."""
        known = self._look_at(key)
        system = None if known is None else Key(key.namespace, known.facts.system)
        places = {self._backups_of.target(key), system}
        self._backups_of.set(key, system)
        for each in places:
            waiting = None if each is None else self._look_at(each)
            if each is not None and waiting and key.name in _awaited_backups(waiting.facts):
                self._wake(each)
        for source in self._restores_by.sources(key):
            self._wake(source)

    def restore_changed(self, key: Key) -> None:
        """Note what a Restore is about; its system stops or starts, its Backup may be asked."""
        known = self._look_at(key)
        facts = None if known is None else known.facts
        backup = None if facts is None else Key(key.namespace, facts.backup, BACKUPS.kind)
        system = Key(key.namespace, facts.system) if facts is not None and facts.system else None
        systems = _known(system, self._restores_of.target(key))
        woken = systems | _known(backup, self._restores_by.target(key))
        self._restores_by.set(key, backup)
        self._restores_of.set(key, system)
        for each in woken.union(*map(self._backups_of.sources, systems)):
            self._wake(each)

    def training_changed(self, key: Key) -> None:
        """Note which system a ModelTrainingJob is of; that one tells services what is selected."""
        known = self._look_at(key)
        system = None if known is None else Key(key.namespace, known.facts.system)
        former = self._trainings_of.target(key)
        selection = None if known is None else known.facts.selection
        if former == system and self._selections.get(key) == selection:
            return  # it only went on
        self._trainings_of.set(key, system)
        self._selections[key] = selection
        if known is None:
            self._selections.pop(key, None)
        for each in _known(system, former):
            self._wake(each)
            for other in self._trainings_of.sources(each) - {key}:
                self._wake(other)

    def selections_of(self, system: Key) -> tuple[Selection, ...]:
        """Return what the ModelTrainingJobs of a system select, one a line of models."""
        found: dict[tuple[str, str, str], Selection] = {}
        for key in self._by_age(self._trainings_of.sources(system)):
            each = self._selections.get(key)
            if each is not None:
                found.setdefault((each.service, each.type, each.timeframe), each)
        return tuple(found[line] for line in sorted(found))

    def find_training_rival(self, training: Key) -> str:
        """Return an older ModelTrainingJob of the same line of models, "" for none."""
        own, system = self._selections.get(training), self._trainings_of.target(training)
        if own is None or system is None:
            return ""
        line = (own.service, own.type, own.timeframe)
        for key in self._by_age(self._trainings_of.sources(system)):
            if key == training:
                return ""
            each = self._selections.get(key)
            if each is not None and (each.service, each.type, each.timeframe) == line:
                return key.name
        return ""

    def _by_age(self, trainings: Iterable[Key]) -> list[Key]:
        def age(key: Key) -> tuple[str, str]:
            known = self._look_at(key)
            return ("" if known is None else known.facts.created_at, key.name)

        return sorted(trainings, key=age)

    def _requests(self, backup: Key) -> Iterator[str]:
        for key in sorted(self._restores_by.sources(backup)):
            known = self._look_at(key)
            if known is not None and known.facts.phase == RestorePhase.SAVING:
                yield restore_request(known.uid, known.facts.held_since)

    def _last_requests(self, backup: Key) -> Iterator[str]:
        system = self._backups_of.target(backup)
        known = None if system is None else self._look_at(system)
        if known is not None and known.facts.last_backup == backup.name:
            yield end_request(known.uid)

    def _look_at(self, key: Key) -> Any:
        return self._served[key.kind].registry.look_at(key) if key.kind in self._served else None

    def _wake(self, key: Key) -> None:
        self._served[key.kind].wake(key)


def _known(*keys: Key | None) -> set[Key]:
    return {key for key in keys if key is not None}


def _awaited_backups(facts: Any) -> set[str]:
    return {facts.backup_before, facts.last_backup}


def _holds(facts: Any) -> bool:
    # One that failed half-way leaves nobody knows what: it holds until a person takes it away.
    return facts.phase in HOLDING or (facts.phase == RestorePhase.FAILED and facts.began)
