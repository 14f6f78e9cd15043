"""Which images there are, what they are called and which stands on which."""

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
VERSION: str = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
DEBIAN = "debian"


@dataclass(frozen=True)
class Image:
    """One image: its folder below images/, its full reference, and the image that it stands on."""

    name: str
    reference: str
    base: str = DEBIAN
    on_request: bool = False  # built only when it is named

    @property
    def containerfile(self) -> Path:
        """The file that the image is built from."""
        return REPOSITORY / "images" / self.name / "Containerfile"


def _service(name: str, base: str = "base") -> Image:
    return Image(name, f"docker.io/autonomous_trading_system/{name}:{VERSION}", base)


# Bases before what stands on them: this is the order of building.
IMAGES: tuple[Image, ...] = (
    Image("postgresql", "docker.io/local/postgresql:17"),
    Image("timescaledb", "docker.io/local/timescaledb:2.19.3-pg17", base="postgresql"),
    Image("redis", "docker.io/local/redis:8"),
    Image("trading-operator", f"docker.io/library/trading-operator:{VERSION}"),
    Image("trading-backup", f"docker.io/library/trading-backup:{VERSION}"),
    _service("base", base=DEBIAN),
    _service("system-controller"),
    _service("data-acquisition"),
    _service("feature-engineering"),
    _service("model-training"),
    _service("trading-strategy"),
    replace(_service("model-training-torch", base="model-training"), on_request=True),
)
BY_NAME = {image.name: image for image in IMAGES}


def select_images(names: list[str]) -> list[Image]:
    """The named images and what they stand on, in building order; the usual ones for no name."""
    wanted: set[str] = set()
    usual = [image.name for image in IMAGES if not image.on_request]
    for name in names or usual:
        if name not in BY_NAME:
            raise ValueError(f"no image is called {name!r}: choose from {', '.join(BY_NAME)}")
        while name in BY_NAME:
            wanted.add(name)
            name = BY_NAME[name].base
    return [image for image in IMAGES if image.name in wanted]
