"""Every condition type and reason that a status or an event may name."""

# Condition types.
AVAILABLE = "Available"  # it serves
READY = "Ready"  # it serves what the spec says
RECONCILING = "Reconciling"  # a change is on its way
STALLED = "Stalled"  # a person must mend something
DEGRADED = "Degraded"  # something that served does not now, or only in part
IMAGES_PINNED = "ImagesPinned"  # images stay what they are
VALIDATED = "Validated"  # the spec can be carried out here and now
ROLLED_BACK = "RolledBack"  # the newest change went back

# The system as a whole.
ALL_READY = "AllComponentsReady"
SERVING = "ComponentsServing"
NOT_SERVING = "ComponentsNotServing"
PROGRESSING = "Progressing"
SETTLED = "Settled"
NOTHING_STALLED = "NothingStalled"
NOTHING_DEGRADED = "NothingDegraded"
ALL_PINNED = "AllImagesPinned"
INVALID_SPEC = "InvalidSpec"
REFUSED = "Refused"
RETRYING = "Retrying"  # the API server failed; it is tried again by itself
INTERNAL_ERROR = "InternalError"

# A person must mend it.
SECRET_NOT_FOUND = "SecretNotFound"
SECRET_KEY_NOT_FOUND = "SecretKeyNotFound"
CONFIG_MAP_NOT_FOUND = "ConfigMapNotFound"
STORAGE_CLASS_NOT_FOUND = "StorageClassNotFound"
NO_DEFAULT_STORAGE_CLASS = "NoDefaultStorageClass"
NAME_CONFLICT = "NameConflict"
CREDENTIALS_LOST = "CredentialsLost"
CREDENTIALS_CHANGE = "CredentialsChange"
MAJOR_VERSION_CHANGE = "MajorVersionChange"
STORAGE_CLASS_CHANGE = "StorageClassChange"
VOLUME_SHRINKS = "VolumeShrinks"
VOLUME_CANNOT_GROW = "VolumeCannotGrow"
ACCESS_MODE_CHANGE = "AccessModeChange"

# It waits for something that comes by itself.
WAITING_FOR_DEPENDENCY = "WaitingForDependency"
WAITING_FOR_OPTIONAL = "WaitingForOptionalDependency"
REPLACING_WORKLOAD = "ReplacingWorkload"
WAITING_FOR_REMOVAL = "WaitingForRemoval"
PAUSED = "Paused"
WAITING_REASONS = frozenset(
    {WAITING_FOR_DEPENDENCY, WAITING_FOR_OPTIONAL, REPLACING_WORKLOAD, PAUSED}
)

# A change, and how it went.
ALL_VALID = "NothingMissing"
WARNINGS = "Warnings"  # it can be carried out, and something is risky
VALIDATION_FAILED = "ValidationFailed"
QUOTA_EXCEEDED = "QuotaExceeded"
NO_NODE_FITS = "NoNodeFits"
INVALID_IMAGE = "InvalidImage"
RISKY_PARAMETERS = "RiskyParameters"
DRY_RUN_ASKED = "DryRun"
WAITING_FOR_APPROVAL = "WaitingForApproval"
BACKUP_NOT_TAKEN = "BackupNotTaken"
BAKING = "Baking"
ROLLING_BACK = "RollingBack"
ROLLED_BACK_BY_HAND = "RolledBackByHand"
CHANGE_GOES_ON = "ChangeGoesOn"
NOTHING_ROLLED_BACK = "NothingRolledBack"
NOTHING_TO_RETURN_TO = "NothingToReturnTo"
OUTSIDE_CHANGE = "OutsideChange"  # of a Secret or ConfigMap that is not the operator's to undo
STAYS_AS_IT_IS = "StaysAsItIs"  # rollout.onFailure: Stay
PROBES_FAILING = "ProbesFailing"
PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
CHANGE_STARTED = "ChangeStarted"
CHANGE_PROVEN = "ChangeProven"
CHANGE_FAILED = "ChangeFailed"
BACKUP_SKIPPED = "BackupSkipped"
COMMAND_REFUSED = "CommandRefused"

# A Backup: condition types of its own, and how it goes.
SUCCEEDED = "Succeeded"  # the newest run went well
RESTORE_PROVEN = "RestoreProven"  # the newest drill restored what had been backed up
OBJECTIVES_MET = "ObjectivesMet"  # a loss costs no more than the objectives say
BACKUPS_TAKEN = "BackupsTaken"
BACKUP_RUNNING = "BackupRunning"
BACKUP_SUCCEEDED = "BackupSucceeded"
BACKUP_FAILED = "BackupFailed"
BACKUP_MISSED = "BackupMissed"
NO_BACKUP_YET = "NoBackupYet"
NO_ANSWER = "NoAnswerOfThePod"
DRILL_SUCCEEDED = "DrillSucceeded"
DRILL_FAILED = "DrillFailed"
NO_DRILL_YET = "NoDrillYet"
WITHIN_OBJECTIVES = "WithinObjectives"
BACKUP_TOO_OLD = "BackupTooOld"
RESTORE_TOO_SLOW = "RestoreTooSlow"
SUSPENDED = "Suspended"
RESTORING = "Restoring"  # data of the system are being restored
SYSTEM_NOT_FOUND = "SystemNotFound"
WAITING_FOR_TARGET = "WaitingForTarget"

# A Restore.
BACKUP_NOT_FOUND = "BackupNotFound"
NOT_CONFIRMED = "NotConfirmed"
PHYSICAL_RESTORE = "PhysicalRestore"
SET_NOT_KNOWN = "SetNotKnown"
SYSTEM_NOT_READY = "SystemNotReady"
WAITING_FOR_RESTORE = "WaitingForRestore"
RESTORE_RUNNING = "RestoreRunning"
RESTORE_SUCCEEDED = "RestoreSucceeded"
RESTORE_FAILED = "RestoreFailed"

# A ModelTrainingJob: condition types of its own, and how it goes.
GATES_PASSED = "GatesPassed"  # the newest version may be promoted
MODEL_HEALTHY = "ModelHealthy"  # the version that is traded does what it should
TRAINING_RUNNING = "TrainingRunning"
TRAINING_SUCCEEDED = "TrainingSucceeded"
TRAINING_FAILED = "TrainingFailed"
TRAINING_MISSED = "TrainingMissed"
NOT_TRAINED_YET = "NotTrainedYet"
DEADLINE_EXCEEDED = "DeadlineExceeded"
JOB_VANISHED = "JobVanished"
LINE_TAKEN = "LineTaken"
NO_MATCHING_DEVICE = "NoMatchingDevice"
DEVICE_BUSY = "DeviceBusy"
QUOTA_EXCEEDED = "QuotaExceeded"
POD_NOT_CREATED = "PodNotCreated"
WAITING_FOR_QUEUE = "WaitingForQueue"
VOLUME_NOT_BOUND = "VolumeNotBound"
GATE_FAILED = "GateFailed"
AWAITING_APPROVAL = "AwaitingApproval"
MODELS_TRAINED = "ModelsTrained"
MODEL_PROMOTED = "ModelPromoted"
MODEL_OBSERVED = "ModelObserved"
MODEL_KEPT = "ModelKept"
MODEL_ROLLED_BACK = "ModelRolledBack"
MODEL_EXPIRED = "ModelExpired"
NO_MODEL_YET = "NoModelYet"

# It is switched off, or on its way there.
HIBERNATED = "Hibernated"
STOPPING = "Stopping"
WAITING_FOR_DEPENDANTS = "WaitingForDependants"
DELETING = "Deleting"
STOP_DEADLINE_EXCEEDED = "StopDeadlineExceeded"
WAITING_FOR_LAST_BACKUP = "WaitingForLastBackup"
LAST_BACKUP_TAKEN = "LastBackupTaken"
LAST_BACKUP_NOT_TAKEN = "LastBackupNotTaken"  # so the volumes stay

# Which orders the services may send has changed.
TRADING_STATE_CHANGED = "TradingStateChanged"
ROLLING_COMPONENT = "RollingComponent"

# Its pods are not ready.
PODS_STARTING = "PodsStarting"
PODS_REFUSED = "PodsRefused"
IMAGE_PULL_FAILED = "ImagePullFailed"
CONTAINER_FAILED = "ContainerFailed"
NODE_UNREACHABLE = "NodeUnreachable"

# It runs with less than it should have.
DEPENDENCY_LOST = "DependencyLost"
WITHOUT_OPTIONAL = "WithoutOptionalDependency"

# It serves, and what leads to it or works on it does not (yet).
AUTOSCALER_FAILING = "AutoscalerFailing"
EXTERNAL_ADDRESS_PENDING = "ExternalAddressPending"
TLS_SECRET_NOT_FOUND = "TlsSecretNotFound"

# It works and should not stay so.
UNPINNED_IMAGE = "UnpinnedImage"
