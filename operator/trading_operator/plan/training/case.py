"""All that the plan of one ModelTrainingJob may look at."""

from dataclasses import dataclass, field

from trading_operator.api.model_training_job import ModelTrainingJobSpec
from trading_operator.api.model_training_status import ModelTrainingJobStatus, SelectedModel
from trading_operator.engines.base import OperandSettings
from trading_operator.manifests.metadata import Owner
from trading_operator.plan.backup.case import Source
from trading_operator.plan.observed import Capacity, Observed, PodFacts
from trading_operator.plan.training.answers import TrainingSaid
from trading_operator.plan.training.reports import ModelReport


@dataclass(frozen=True)
class TrainingJobFacts:
    """One Job of a ModelTrainingJob, with what its pods say."""

    name: str
    uid: str = ""
    run: int = 0
    launch: int = 0
    recipe: str = ""  # digest of what decides the result
    device: str = ""
    champion: str = ""  # id of the version that it compares with
    scheduled_for: str = ""
    created_at: str = ""
    ended_at: str = ""
    outcome: str = "Running"  # or Succeeded, Failed: what its controller says
    reason: str = ""
    message: str = ""
    words: str = ""  # what its program left behind
    deleting: bool = False
    suspended: bool = False  # by Kueue, or by who else
    pods: int = 0  # that there are, whatever they do
    began_at: str = ""  # when a program of it ran first
    stopped_at: str = ""  # when the last one ended; "" while one runs
    idle_seconds: int = 0  # between its programs, when one failed and the next had not begun
    address: str = ""  # of the pod that runs
    scheduled: bool = False  # a node was found for the newest pod
    waits_reason: str = ""  # why the newest pod does not run
    waits_message: str = ""

    @property
    def is_over(self) -> bool:
        """Tell whether no pod of it will be made any more."""
        return self.outcome != "Running"


@dataclass(frozen=True)
class ServiceFacts:
    """The service that trades with the model, as its system has it now."""

    exists: bool = True
    settled: bool = True  # nothing else moves it: no change, pause, hibernation or Restore
    ready: bool = False
    reason: str = ""  # why it is not ready, as the system's status says
    message: str = ""
    pods: tuple[PodFacts, ...] = ()


@dataclass(frozen=True)
class TrainingCase:
    """One ModelTrainingJob with all that a plan may look at."""

    owner: Owner
    spec: ModelTrainingJobSpec
    observed: Observed
    operand: OperandSettings
    source: Source | None = None  # None: there is no such system
    jobs: tuple[TrainingJobFacts, ...] = ()  # oldest first
    before: ModelTrainingJobStatus = field(default_factory=ModelTrainingJobStatus)
    created_at: str = ""
    said: TrainingSaid | None = None  # by the program that runs, now
    capacity: Capacity | None = None  # None: it was not looked at
    rival: str = ""  # another ModelTrainingJob that has this line of models
    restored_by: str = ""  # the Restore that holds the system
    service: ServiceFacts = ServiceFacts()
    # What services of the system read now for this line of models; None: nothing is selected.
    selected: SelectedModel | None = None
    report: ModelReport | None = None  # None: the service did not say
    lingering: bool = False  # pods of Jobs that are gone still run


def traded_now(case: TrainingCase) -> SelectedModel | None:
    """Return the version that is traded; a status that was lost goes on with what services read."""
    champion = case.before.champion
    if champion is None and not case.before.promotion_history:
        return case.selected
    return champion
