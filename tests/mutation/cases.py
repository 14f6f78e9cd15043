"""The cases of a run: what is changed in which system, decided by seed and index alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random

from mutation import structures
from mutation.bases import COPIES
from mutation.changes import Spec, differences, make_room, put
from mutation.schema import Node, leaves
from mutation.structures import Change, names_of
from mutation.values import choose_invalid, choose_valid

# Of each twenty cases: so many that set a leaf to something wrong, to something right, ...
_TURNS = 7 * ("invalid",) + 7 * ("valid",) + 3 * ("structure",) + 2 * ("meaning",) + ("whole",)
# The share of the cases that set a leaf to something right; as many set one to something wrong.
LEAF_TURNS = _TURNS.count("valid") / len(_TURNS)
# What a leaf allows may not fit to the rest of the spec. At its first turn it is tried as often in
# what is there, and as often in a component that is added.
_OTHERS = (False, False, True, True, True)


@dataclass(frozen=True)
class Case:
    """One mutated spec. Of a `whole` one nothing is left of its base."""

    index: int
    base: str
    kind: str
    about: str  # a leaf's path, or what was done
    spec: Spec
    others: tuple["Case", ...] = ()  # tried one after another when it is refused

    @property
    def is_new(self) -> bool:
        """Tell whether a system of its own is made, instead of changing one."""
        return self.kind == "whole"


@dataclass(frozen=True)
class Generator:
    """Builds the cases of one seed."""

    seed: int
    schema: Node
    bases: Mapping[str, Spec]

    def build(self, count: int) -> Iterator[Case]:
        """Yield the first cases."""
        return (self.build_one(index) for index in range(count))

    def build_one(self, index: int) -> Case:
        """Build one case."""
        rng = Random(f"{self.seed}/{index}")
        kind = _TURNS[index % len(_TURNS)]
        base = self._choose_base(rng, sorted(self.bases))
        if kind in ("valid", "invalid"):
            return self._leaf(rng, index, kind)
        if kind == "whole":
            return Case(index, base, kind, "a whole spec", structures.build_whole(rng, self.schema))
        changes = structures.STRUCTURES if kind == "structure" else structures.MEANINGS
        for change in rng.sample(changes, len(changes)):
            made = change(rng, self.schema, self.bases[base])
            if made is not None and any(differences(self.bases[base], made)):
                return Case(index, base, kind, _name(change), made)
        raise AssertionError(f"nothing can be changed in {base}")

    def _leaf(self, rng: Random, index: int, kind: str) -> Case:
        path, node, is_first = self._leaf_of(index, kind)
        case = self._set_leaf(rng, Case(index, "", kind, path, {}), node, anew=False)
        if kind == "invalid" or not is_first:
            return case
        others = (
            self._set_leaf(Random(f"{self.seed}/{index}/{at}"), case, node, anew)
            for at, anew in enumerate(_OTHERS)
        )
        return replace(case, others=tuple(others))

    def _set_leaf(self, rng: Random, case: Case, node: Node, anew: bool) -> Case:
        path = case.about
        fitting = [each for each in sorted(self.bases) if self._has_room(each, path)]
        base = self._choose_base(rng, fitting)
        names = names_of(self.bases[base])
        choose = choose_invalid if case.kind == "invalid" else partial(choose_valid, names=names)
        for _ in range(20):
            spec, steps = make_room(rng, self.schema, self.bases[base], path, names, anew)
            changed = put(spec, steps, choose(rng, node))
            if any(differences(self.bases[base], changed)):
                return replace(case, base=base, spec=changed)
        raise AssertionError(f"{path} of {base} can only be what it is")

    def _leaf_of(self, index: int, kind: str) -> tuple[str, Node, bool]:
        """Return the leaf whose turn it is, and whether that is its first one.

        Every leaf comes, in an order that the seed decides.
        """
        rounds, turn = divmod(index, len(_TURNS))
        turns = [at for at, each in enumerate(_TURNS) if each == kind]
        at = rounds * len(turns) + turns.index(turn)
        every = sorted(leaves(self.schema).items())
        Random(f"{self.seed}/{kind}").shuffle(every)
        return *every[at % len(every)], at < len(every)

    def _choose_base(self, rng: Random, fitting: Sequence[str]) -> str:
        return rng.choices(fitting, [COPIES[each] for each in fitting])[0]

    def _has_room(self, base: str, path: str) -> bool:
        """Tell whether the base has a component of the kind that the leaf is in."""
        owner = path.removeprefix("spec.").partition("[]")[0]
        return owner not in ("services", "datastores") or bool(self.bases[base].get(owner))


def _name(change: Change) -> str:
    function: Callable[..., object] = change
    return function.__name__.strip("_").replace("_", " ")
