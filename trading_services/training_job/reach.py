"""How far the data of a run reaches: later attempts read no bar that the first one did not have.

Live data grows while a training is down; without this every checkpoint would be of other data.
"""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from trading_services.contract.logs import get_logger

_FILE = "reach.json"

_log = get_logger(__name__)


def read_reach(folder: Path) -> dict[str, datetime]:
    """Return the last bar of each symbol, as an attempt before has read it; empty before that.

    Raises OSError: what cannot be read now may be whole.
    """
    try:
        told = json.loads((folder / _FILE).read_text())
        return {str(symbol): datetime.fromisoformat(text) for symbol, text in told.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        _log.warning("the data's reach cannot be read, it is taken anew", error=str(error))
        (folder / _FILE).unlink(missing_ok=True)
        return {}


def keep_reach(folder: Path, reach: Mapping[str, datetime], attempt: int) -> bool:
    """Write it down once; of two attempts that read at once the first one's word holds (False)."""
    partial = folder / f"{_FILE}.partial-{attempt}"
    content = json.dumps({symbol: last.isoformat() for symbol, last in sorted(reach.items())})
    with partial.open("w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(partial, folder / _FILE)
    except FileExistsError:
        return False
    except OSError:  # not every shared volume has hard links
        return _move_unless_there(partial, folder / _FILE)
    finally:
        partial.unlink(missing_ok=True)
    return True


def _move_unless_there(partial: Path, path: Path) -> bool:
    """Publish a file where nothing does it at once: of two the later may win, both are whole."""
    if path.exists():
        return False
    partial.replace(path)
    return True
