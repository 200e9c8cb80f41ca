"""A text in blocks of lines."""

import random

import pytest

from execution_environment.toolkit import line_blocks


@pytest.mark.parametrize("seed", range(20))
def test_lines_are_inserted_as_into_a_list(seed, monkeypatch):
    """Wherever the blocks begin and end."""
    monkeypatch.setattr(line_blocks, "BLOCK", 3)
    chance = random.Random(seed)  # noqa: S311  # to be repeated, not to be secret
    content = "".join(chance.choices("a\n", k=chance.randint(0, 20)))
    blocks = line_blocks.LineBlocks(content)
    for _ in range(5):
        lines = content.splitlines(keepends=True)
        assert blocks.last_line == len(lines)
        line, new = chance.randint(1, len(lines) + 1), "".join(chance.choices("b\n", k=3))
        if line <= len(lines):
            lines.insert(line - 1, new if new.endswith("\n") else new + "\n")
            content = "".join(lines)
        else:
            gap = "" if content.endswith("\n") or not content else "\n"
            content += gap + new
        blocks.insert(line, new)
        assert blocks.join() == content
