"""Calls against how deep, wide, long and old a workspace is."""

import asyncio
import secrets
from pathlib import Path
from typing import Any

from bench.rounds import Request
from bench.scaling.curve import Curve, curve_of
from bench.ways.ours import Ours
from bench.ways.way import CONTENT

EACH = 20
PLACE = "scaling"
DEPTHS = [2**n for n in range(6)]
ENTRIES = [250 * 2**n for n in range(6)]
KIB = [64 * 2**n for n in range(7)]
CALLS = [100 * 2**n for n in range(5)]


def prepare_shapes(root: Path) -> None:
    """Have files deep down, in directories of many entries, and of many bytes."""
    for depth in DEPTHS:
        _write(root / PLACE / _deep(depth), CONTENT)
    for entries in ENTRIES:
        for number in range(entries):
            _write(root / PLACE / f"wide/{entries}" / f"{number:05}.txt", CONTENT)
    for kib in KIB:
        _write(root / PLACE / f"{kib}.txt", CONTENT * kib)


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def _deep(depth: int) -> str:
    return "/".join(["deep", *["d"] * depth, "file.txt"])


async def measure_shapes(ours: Ours, rounds: int) -> list[Curve]:
    """Measure calls on these files."""

    def reading(path: str, **more: Any) -> Request:
        return ours.calling("read_file", PLACE, lambda: {"path": path, **more})

    def writing(path: str) -> Request:
        return ours.calling("write_file", PLACE, lambda: _written(path))

    def appending(path: str) -> Request:
        return ours.calling("append_file", PLACE, lambda: {"path": path, "content": "line\n"})

    deep = {depth: reading(_deep(depth)) for depth in DEPTHS}
    wide = {entries: reading(f"wide/{entries}/00100.txt") for entries in ENTRIES}
    filled = {entries: writing(f"wide/{entries}/new.txt") for entries in ENTRIES}
    large = {kib: reading(f"{kib}.txt", offset=kib * 512, max_bytes=1024) for kib in KIB}
    longer = {kib: appending(f"{kib}.txt") for kib in KIB}
    return [
        await curve_of("a read, directories deep", deep, rounds, EACH),
        await curve_of("a read, entries of its directory", wide, rounds, EACH),
        await curve_of("a write, entries of its directory", filled, rounds, EACH),
        await curve_of("a read of 1 KiB, KiB of its file", large, rounds, EACH),
        await curve_of("an append, KiB of its file", longer, rounds, EACH),
    ]


async def measure_history(ours: Ours, rounds: int) -> Curve:
    """Measure writes to workspaces where so many calls have happened before."""
    writes = {calls: ours.calling("write_file", f"old-{calls}", _new) for calls in CALLS}

    async def fill(calls: int) -> None:
        for _ in range(calls):
            await writes[calls]()

    await asyncio.gather(*map(fill, CALLS))
    return await curve_of("a write, earlier calls in its workspace", writes, rounds, EACH)


def _new() -> dict[str, Any]:
    return _written("new.txt")


def _written(path: str) -> dict[str, Any]:
    return {"path": path, "content": secrets.token_hex(8) + CONTENT, "mode": "upsert"}
