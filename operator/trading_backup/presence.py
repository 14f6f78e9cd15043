"""Whether another Job of this Backup is at work, and whether the last one came to its end."""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

logger = logging.getLogger(__name__)

_FILE = ".trading-backup"
_TURN_FILE = ".trading-backup-turn"
_POLL_SECONDS = 0.5
_WRITING = b"writing\n"


class Presence:
    """A lock on a file of the repository's volume, which ends with whoever holds it.

    restic's own locks outlive a killed pod by half an hour. In a bucket nobody is seen.
    """

    def __init__(self, descriptor: int | None = None, alone: bool = False) -> None:
        """Begin with what was seen; without a descriptor nothing can be."""
        self._descriptor = descriptor
        self.alone = alone

    @property
    def torn(self) -> bool:
        """Whether a run that wrote did not come to its end, and nobody else is at work."""
        if self._descriptor is None or not self.alone:
            return False
        return os.pread(self._descriptor, len(_WRITING), 0) == _WRITING

    def begin_writing(self) -> None:
        """Note that a run writes, for the next one to find if this one dies."""
        if self._descriptor is not None:
            with suppress(OSError):  # a full disk
                os.pwrite(self._descriptor, _WRITING, 0)

    def end_writing(self) -> None:
        """Note that all that was written belongs to a set."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)


@contextmanager
def present(repository: Path | None) -> Iterator[Presence]:
    """Be seen at work for the time of the block."""
    if repository is None:
        yield Presence()
        return
    try:
        descriptor = os.open(repository / _FILE, os.O_RDWR | os.O_CREAT, 0o660)
    except OSError as error:
        logger.info("other Jobs cannot be seen: %s", error)
        yield Presence()
        return
    try:
        yield Presence(descriptor, _hold(descriptor))
    finally:
        os.close(descriptor)


@contextmanager
def taking_turns(repository: Path | None, check: Callable[[], None]) -> Iterator[None]:
    """Be the only one of those that make sets; `check` is called while another one does.

    A full and an incremental run may begin at once, and would give their sets one name.
    """
    with _opened(repository) as descriptor:
        while descriptor is not None and not _try_lock(descriptor):
            check()
            time.sleep(_POLL_SECONDS)
        yield


@contextmanager
def _opened(repository: Path | None) -> Iterator[int | None]:
    """Open the file that those who make sets lock; None where there can be none."""
    descriptor = None
    if repository is not None:
        with suppress(OSError):  # whoever cannot write there fails with better words
            descriptor = os.open(repository / _TURN_FILE, os.O_RDWR | os.O_CREAT, 0o660)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """Lock a file; False when another one has it, True also where files cannot be locked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        logger.info("turns cannot be taken: %s", error)
    return True


def _hold(descriptor: int) -> bool:
    """Hold the lock with all others at work; True when there are none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        alone = True
    except OSError:
        alone = False
    try:
        # Others may come now, and see that they are not alone.
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except OSError as error:
        logger.info("this Job cannot be seen: %s", error)
        return False
    return alone
