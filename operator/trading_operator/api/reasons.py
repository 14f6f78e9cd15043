"""Every condition type and reason that a status or an event may name."""

# Condition types.
AVAILABLE = "Available"  # it serves
READY = "Ready"  # it serves what the spec says
RECONCILING = "Reconciling"  # a change is on its way
STALLED = "Stalled"  # a person must mend something
DEGRADED = "Degraded"  # something that served does not now, or only in part
IMAGES_PINNED = "ImagesPinned"  # images stay what they are

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
NAME_CONFLICT = "NameConflict"
CREDENTIALS_LOST = "CredentialsLost"
CREDENTIALS_CHANGE = "CredentialsChange"
MAJOR_VERSION_CHANGE = "MajorVersionChange"
STORAGE_CLASS_CHANGE = "StorageClassChange"
VOLUME_SHRINKS = "VolumeShrinks"

# It waits for something that comes by itself.
WAITING_FOR_DEPENDENCY = "WaitingForDependency"
WAITING_FOR_OPTIONAL = "WaitingForOptionalDependency"
REPLACING_WORKLOAD = "ReplacingWorkload"
WAITING_REASONS = frozenset({WAITING_FOR_DEPENDENCY, WAITING_FOR_OPTIONAL, REPLACING_WORKLOAD})

# Its pods are not ready.
PODS_STARTING = "PodsStarting"
PODS_REFUSED = "PodsRefused"
IMAGE_PULL_FAILED = "ImagePullFailed"
CONTAINER_FAILED = "ContainerFailed"

# It runs with less than it should have.
DEPENDENCY_LOST = "DependencyLost"
WITHOUT_OPTIONAL = "WithoutOptionalDependency"

# It works and should not stay so.
UNPINNED_IMAGE = "UnpinnedImage"
