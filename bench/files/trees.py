"""Trees to work on, made from the interpreter's standard library, no two files alike."""

import itertools
import math
import sysconfig
from collections.abc import Iterator
from pathlib import Path


def make_tree(directory: Path, files: int, size: int) -> list[Path]:
    """Make so many files of so many bytes in all, a hundred to a directory; return their paths."""
    made = []
    for number, content in zip(range(files), _contents(size / files), strict=False):
        path = directory / f"{number // 100:03}" / f"{number:05}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content + b"# %d\n" % number)
        made.append(path)
    return made


def _contents(size: float) -> Iterator[bytes]:
    """Yield sources, repeated or cut so that they have this size on average, again and again."""
    library = Path(sysconfig.get_path("stdlib"))
    sources = [path.read_bytes() for path in sorted(library.glob("*.py"))]
    factor = size / (sum(map(len, sources)) / len(sources))
    scaled = [(one * math.ceil(factor))[: round(len(one) * factor)] + b"\n" for one in sources]
    yield from itertools.cycle(scaled)
