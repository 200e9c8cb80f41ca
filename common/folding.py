"""What the receipts of a run come to: the paths that are not as they were, each as it is now."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from common.tools import Receipt

Place = tuple[str, ...]
State = tuple[str | None, str | None]
"""Hash and mode: no hash of a directory, no mode where no receipt has told it."""


@dataclass
class _Entry:
    """A file or a directory that receipts name, or one on the way to such; it moves as a whole."""

    home: Place | None
    """Where it was before the run; None: it was made in the run, or came with a copy."""
    was: State | None = None
    """What it was before the run, once a receipt has told."""
    now: Receipt | None = None
    """The last receipt of what it is; None: none has named it."""
    children: dict[str, "_Entry"] = field(default_factory=dict)
    lost: dict[str, "_Loss"] = field(default_factory=dict)
    """What was in it before the run and is not any more, by name."""


@dataclass(frozen=True)
class _Loss:
    entry: _Entry
    operation: str

    def receipt(self, path: str) -> Receipt:
        """Return the receipt of what is gone."""
        return Receipt(
            path=path,
            operation="move" if self.operation == "move" else "delete",
            created=False,
            sha256_before=self.entry.was[0] if self.entry.was else None,
            sha256_after=None,
            size=None,
            mode=None,
            bytes_written=0,
        )


def fold(calls: Iterable[Sequence[Receipt]]) -> list[Receipt]:
    """Return a receipt for each path that is not as it was before these calls, first touched first.

    `created` says that nothing was there before; `sha256_before` is the hash of the file that was.
    The receipt of a directory that was moved or copied, or is gone, speaks for all beneath it that
    is not listed; so does that of what has taken a directory's place (`created` is false), beneath
    which `created` is meant within the new one. A file that was removed and made again alike is
    listed where its old mode is not known.
    """
    tree = _Tree()
    for receipts in calls:
        for receipt in sorted(receipts, key=_moment):
            tree.apply(receipt)
    return tree.differences()


def _moment(receipt: Receipt) -> tuple[bool, int]:
    """Order a call's receipts: new directories are told after what is in them, and made before."""
    is_new_directory = receipt.operation == "create" and receipt.sha256_after is None
    return not is_new_directory, receipt.path.count("/") if is_new_directory else 0


class _Tree:
    """The workspace, as far as receipts have told of it."""

    def __init__(self) -> None:
        self._root = _Entry(home=())
        self._moving: _Entry | None = None
        self._order: dict[str, int] = {}

    def apply(self, receipt: Receipt) -> None:
        """Let happen what a receipt tells."""
        self._order.setdefault(receipt.path, len(self._order))
        *way, name = receipt.path.split("/")
        parent = self._root
        for step in way:
            parent = _child(parent, step)
        if receipt.mode is None:
            self._moving = _take(parent, name, receipt)
        elif receipt.operation == "replace":
            _rewrite(_child(parent, name), receipt)
        else:
            self._arrive(parent, name, receipt)

    def _arrive(self, parent: _Entry, name: str, receipt: Receipt) -> None:
        if not receipt.created:
            _take(parent, name, receipt)
        moved, self._moving = self._moving, None
        entry = moved if moved and receipt.operation == "move" else _Entry(home=None)
        entry.was = entry.was or (receipt.sha256_after, receipt.mode)
        entry.now = receipt
        parent.children[name] = entry

    def differences(self) -> list[Receipt]:
        """Return a receipt for each path that is not as it was."""
        last = len(self._order)
        return sorted(self._differences(), key=lambda it: (self._order.get(it.path, last), it.path))

    def _differences(self) -> Iterator[Receipt]:
        pending: list[tuple[Place, _Entry, bool]] = [((), self._root, True)]
        while pending:
            place, entry, is_home = pending.pop()
            losses = entry.lost if is_home else {}
            for name in losses.keys() - entry.children.keys():
                yield losses[name].receipt("/".join((*place, name)))
            for name, child in entry.children.items():
                there = (*place, name)
                stays = is_home and child.home == there
                difference = _kept(child) if stays else _come(child, losses.get(name))
                if difference is not None:
                    yield difference.model_copy(update={"path": "/".join(there)})
                pending.append((there, child, stays))


def _child(parent: _Entry, name: str) -> _Entry:
    if name not in parent.children:
        is_old = parent.home is not None and name not in parent.lost
        parent.children[name] = _Entry(home=(*(parent.home or ()), name) if is_old else None)
    return parent.children[name]


def _take(parent: _Entry, name: str, receipt: Receipt) -> _Entry:
    """Take out what a receipt says has gone from there, or was replaced there."""
    entry = _child(parent, name)
    del parent.children[name]
    if parent.home is not None and entry.home == (*parent.home, name):
        parent.lost[name] = _Loss(entry, receipt.operation if receipt.mode is None else "delete")
    if receipt.operation != "move" or receipt.mode is not None:
        entry.was = entry.was or (receipt.sha256_before, None)
    return entry


def _rewrite(entry: _Entry, receipt: Receipt) -> None:
    entry.was = entry.was or (receipt.sha256_before, receipt.mode)  # a file's mode is kept
    entry.now = receipt


def _kept(entry: _Entry) -> Receipt | None:
    """Return the difference of what is where it was."""
    if entry.now is None or entry.was is None or entry.was == _state(entry.now):
        return None
    return _told(entry.now, "replace", before=entry.was[0])


def _come(entry: _Entry, instead_of: _Loss | None) -> Receipt | None:
    """Return the difference of what has come to be where it is."""
    if entry.now is None:
        return None
    operation = entry.now.operation
    if instead_of is not None:
        was = instead_of.entry.was or (None, None)
        if was[0] is not None and was == _state(entry.now):
            return None
        return _told(entry.now, "replace" if operation == "create" else operation, before=was[0])
    if operation == "replace":
        operation = "create" if entry.home is None else "move"
    return entry.now.model_copy(
        update={"operation": operation, "created": True, "sha256_before": None}
    )


def _told(receipt: Receipt, operation: str, *, before: str | None) -> Receipt:
    return receipt.model_copy(
        update={"operation": operation, "created": False, "sha256_before": before}
    )


def _state(receipt: Receipt) -> State:
    return receipt.sha256_after, receipt.mode
