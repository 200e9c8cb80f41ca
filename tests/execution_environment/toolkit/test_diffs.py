"""Diffs: the form is difflib's, and git applies them."""

import difflib
import random
import subprocess

import pytest

from execution_environment.toolkit import diffs


@pytest.mark.parametrize("seed", range(30))
def test_a_diff_leads_from_the_old_text_to_the_new(seed, tmp_path):
    """Whatever is the same at both ends is left out of the comparing, not out of the numbers."""
    chance = random.Random(seed)  # noqa: S311  # to be repeated, not to be secret
    old = [f"line {chance.randint(0, 5)}" for _ in range(chance.randint(0, 40))]
    new = list(old)
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(new))
        new[at : at + chance.randint(0, 2)] = ["new \u2028 line"] * chance.randint(0, 2)
    endings = [chance.choice(["", "\n"]) if lines else "" for lines in (old, new)]
    before, after = ("\n".join(lines) + end for lines, end in zip((old, new), endings, strict=True))
    (tmp_path / "f").write_text(before)
    diff = diffs.diff("f", before.encode(), after.encode())
    (tmp_path / "p").write_text(diff)
    if diff:  # git takes no empty one
        command = ["git", "apply", "--unidiff-zero", "p"]
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "f").read_text() == after


@pytest.mark.parametrize("seed", range(20))
def test_a_diff_reads_as_difflib_writes_it(seed):
    """The budget and the cutting are ours, not the form."""
    chance = random.Random(seed)  # noqa: S311  # to be repeated, not to be secret
    old, new = (chance.choices("abc", k=chance.randint(0, 30)) for _ in range(2))
    old, new = ([f"{line}\n" for line in lines] for lines in (old, new))
    expected = "".join(difflib.unified_diff(old, new, "a/f", "b/f"))
    assert diffs.diff("f", "".join(old).encode(), "".join(new).encode()) == expected
