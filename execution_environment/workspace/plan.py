"""The places that one call changes: each once, however its path is written."""

from common.errors import ToolError
from execution_environment.sandbox.paths import Parts, show_path


class Plan:
    """What is noted here is compared as components: `f` and `./f` are one place."""

    def __init__(self) -> None:
        self._places: set[Parts] = set()
        self._above: set[Parts] = set()
        self._made: set[Parts] = set()

    def add(self, parts: Parts) -> None:
        """Note a place; raise when it, or something it is in or that is in it, is noted already.

        The second change would be made from what is there now, and undo the first.
        """
        above = {parts[:depth] for depth in range(len(parts))}
        if parts in self._places | self._above or above & self._places:
            raise ToolError(
                "invalid_arguments",
                f"One call cannot change '{show_path(parts)}' twice",
                path=show_path(parts),
                hint="Put all changes of one place together, or make several calls.",
            )
        self._places.add(parts)
        self._above |= above

    def make(self, path: Parts, existing: int) -> int:
        """Note what is made of a path that exists to some depth; return how much was not noted."""
        new = {path[:depth] for depth in range(existing + 1, len(path) + 1)} - self._made
        self._made |= new
        return len(new)

    def made_on_the_way(self) -> list[Parts]:
        """Return the directories that are made and that the call does not name itself."""
        return sorted(self._made - self._places)
