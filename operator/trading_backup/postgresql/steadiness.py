"""Tables that were emptied or rewritten before a dump had locked them, over several tries."""

from collections.abc import Mapping, Sequence

Changed = Mapping[int, str]  # names of tables by their oid


class TablesChangedError(Exception):
    """A dump would leave rows out."""

    def __init__(self, tables: Changed) -> None:
        """Keep which tables changed."""
        super().__init__(list_tables(tables))
        self.tables = tables


def find_restless(tries: Sequence[Changed]) -> dict[int, str]:
    """Return the tables that changed in every try: somebody empties them all the time."""
    common = set.intersection(*(set(tables) for tables in tries)) if tries else set()
    return {oid: tries[-1][oid] for oid in sorted(common)}


def warn_of_tries(tries: Sequence[Changed], restless: Changed) -> list[str]:
    """Warn of what it cost that tables changed: the common moment, or rows."""
    if not tries:
        return []
    changed = {oid: name for tables in tries for oid, name in tables.items()}
    warnings = [
        "of a later moment than the other targets, for before its dump began somebody emptied or "
        f"rewrote {list_tables(changed)}"
    ]
    if restless:
        warnings.append(
            "each time that the dump began somebody had just emptied or rewritten "
            f"{list_tables(restless)}: the set may lack their rows"
        )
    return warnings


def list_tables(tables: Changed) -> str:
    """Name tables, not all of very many."""
    return ", ".join(sorted(tables.values()))[:300]
