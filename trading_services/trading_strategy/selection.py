"""Which models the operator says to trade with: a file that changes under the running process."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from trading_services.contract.logs import get_logger

_MOST_BYTES = 1_000_000

_log = get_logger(__name__)


class SelectedLine(BaseModel):
    """One line of models: the version of a type and timeframe that is to be traded."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    type: str = Field(min_length=1, max_length=63)
    timeframe: str = Field(min_length=1, max_length=16)
    id: str = Field(min_length=1, max_length=128)
    digest: str = Field(pattern="^[0-9a-f]{64}$")
    since: AwareDatetime | None = None
    by: str = ""
    why: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Name the line."""
        return (self.type, self.timeframe)


class _Content(BaseModel):
    models: list[SelectedLine] = Field(default_factory=list, max_length=64)


@dataclass
class SelectionFile:
    """The file of one service; what cannot be read leaves what was read before."""

    path: Path | None = None
    trouble: str = ""
    _content: bytes = b""
    _lines: tuple[SelectedLine, ...] = ()

    def refresh(self) -> bool:
        """Read the file and tell whether it says something else than before."""
        content = self._read()
        if content is None or content == self._content:
            return False
        self._content = content
        try:
            lines = tuple(_Content.model_validate_json(content).models) if content else ()
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            self.trouble = f"{self.path}: {place}: {first['msg']}; what was selected before is kept"
            _log.error("selected models cannot be read", problem=self.trouble)
            return False
        changed, self._lines, self.trouble = lines != self._lines, lines, ""
        return changed

    @property
    def lines(self) -> tuple[SelectedLine, ...]:
        """What is selected."""
        return self._lines

    def _read(self) -> bytes | None:
        """Return the content, nothing of a file that is not there, None of one that fails."""
        if self.path is None:
            return b""
        try:
            with self.path.open("rb") as file:
                return file.read(_MOST_BYTES)
        except FileNotFoundError:
            return b""
        except OSError as error:
            self.trouble = f"{self.path}: {error.strerror}"
            return None
