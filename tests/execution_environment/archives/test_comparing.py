"""Comparing a workspace with a manifest: what differs, against a model that is too simple to be wrong."""

import json
import os
from collections import Counter
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings, strategies as st

from common.files.archives import DIFFERENCE_LINE, DifferenceCount
from common.files.paths import show
from execution_environment.archives.comparing import compare
from execution_environment.archives.hash_cache import HashCache
from execution_environment.archives.surveying import Survey
from execution_environment.sandbox.descriptors import DIRECTORY
from execution_environment.workspace.root import WorkspaceRoot
from tests.execution_environment.archives.manifests import manifest_of
from tests.execution_environment.conftest import call_limits, sha

GENERATION = "0" * 16
NAMES = st.sampled_from([b"a", b"a-b", b"a.", b"a0", b"b", b"\xff", b"\xc3\xa9", b"n\nl", b"\\"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)
FILE = st.tuples(st.sampled_from([b"", b"1", b"22", b"333"]), st.booleans())
LINK, PIPE = "link", "pipe"


def without_files_in_files(tree):
    """Return a tree without what would lie beneath something that is no directory."""
    kept = {}
    for path in sorted(tree, key=lambda item: item.split(b"/")):
        parts = path.split(b"/")
        if not any(b"/".join(parts[:depth]) in kept for depth in range(1, len(parts))):
            kept[path] = tree[path]
    return kept


TREES = st.dictionaries(PATHS, st.one_of(FILE, FILE, st.sampled_from([LINK, PIPE])), max_size=9)
MANIFESTS = st.dictionaries(PATHS, FILE, max_size=9)


def grow(top: Path, tree):
    """Make a tree on the disk."""
    for path, what in tree.items():
        place = Path(os.fsdecode(os.fsencode(top) + b"/" + path))
        place.parent.mkdir(parents=True, exist_ok=True)
        if what == LINK:
            place.symlink_to("a")
        elif what == PIPE:
            os.mkfifo(place)
        else:
            place.write_bytes(what[0])
            place.chmod(0o755 if what[1] else 0o644)


def directories_of(tree):
    """Return the directories that a tree has."""
    return {
        path.rsplit(b"/", depth)[0] for path in tree for depth in range(1, path.count(b"/") + 1)
    }


def state_of(wanted, there, is_directory):
    """Return what is to be told of a path."""
    if wanted is None:
        return "new" if isinstance(there, tuple) else "skipped" if there else None
    if there is None and not is_directory:
        return "gone"
    return "same" if wanted == there else "changed"


def line_of(path, state, there, is_held):
    """Return the line that tells it."""
    line = {"path": show(path), "state": state, "is_held": is_held}
    if isinstance(there, tuple):
        facts = {"sha256": sha(there[0]), "size": len(there[0])}
        return line | {"type": "file", "mode": "0755" if there[1] else "0644", **facts}
    return line | ({} if state == "gone" else {"type": "other" if there else "directory"})


def expected(tree, manifest):
    """Return the lines that tell how a tree differs from a manifest, and the counts."""
    contents = {what[0] for what in tree.values() if isinstance(what, tuple)}
    directories, lines, counts = directories_of(tree), [], Counter()
    for path in sorted(tree.keys() | manifest.keys()):
        wanted, there = manifest.get(path), tree.get(path)
        state = state_of(wanted, there, path in directories)
        counts[state] += 1
        if state not in ("same", "skipped"):
            is_held = wanted is not None and wanted[0] in contents
            lines.append(line_of(path, state, there, is_held))
    return lines, counts


@settings(max_examples=60, deadline=None)
@given(tree=TREES.map(without_files_in_files), manifest=MANIFESTS.map(without_files_in_files))
def test_a_comparison_tells_what_a_naive_model_tells(tree, manifest):
    """Whatever lies where, with whatever names: files, directories in their place, links, FIFOs."""
    with TemporaryDirectory() as top:
        grow(Path(top, "u", "w"), tree)
        Path(top, "u", "w").mkdir(parents=True, exist_ok=True)
        descriptor = os.open(top, DIRECTORY)
        with closing(HashCache(Path(top, "hashes.db"))) as hashes:
            survey = Survey(WorkspaceRoot(descriptor, (b"u", b"w")), call_limits(), hashes)
            comparison = compare(manifest_of(manifest), survey, GENERATION)
        os.close(descriptor)
    *lines, last = [json.loads(line) for line in comparison.lines()]
    differences, counts = expected(tree, manifest)
    assert lines == differences
    told = {name: last.pop(name) for name in ("new", "changed", "gone", "same", "skipped")}
    assert told == {name: counts[name] for name in told}
    assert last == {"is_end": True, "generation": GENERATION}
    sent = [present.sha256.hex() for _, present in comparison.contents()]
    assert sorted(sent) == sorted({line["sha256"] for line in lines if "sha256" in line})


def test_the_lines_of_a_comparison_are_the_contracts(survey, demo):
    """Clients read them by it."""
    (demo / "x").write_bytes(b"1")
    comparison = compare(manifest_of({b"y": (b"1", False)}), survey(), GENERATION)
    lines = [DIFFERENCE_LINE.validate_json(line) for line in comparison.lines()]
    new, gone, count = lines
    assert (new.path, new.state, new.sha256, new.is_held) == ("x", "new", sha(b"1"), False)
    assert (gone.path, gone.state, gone.type, gone.is_held) == ("y", "gone", None, True)
    assert isinstance(count, DifferenceCount)


def test_a_workspace_that_does_not_exist_lacks_everything(survey, demo):
    """It has no generation; nothing is looked for."""
    comparison = compare(manifest_of({b"y": (b"1", False)}), survey(), None)
    assert list(comparison.found) == [b"y"]
    assert comparison.count.generation is None


class Blind(Survey):
    """A survey that was everywhere before there was anything."""

    def walk(self, *_):
        """Find nothing."""
        return iter(())


def test_a_file_that_the_survey_has_missed_is_not_told_to_be_gone(root, hashes, demo):
    """It was moved, from where the survey had not been yet: who pulls would remove it."""
    (demo / "f").write_bytes(b"1")
    (demo / "g").write_bytes(b"2")
    manifest = manifest_of({b"f": (b"1", False), b"g": (b"x", False), b"h": (b"x", False)})
    comparison = compare(manifest, Blind(root, call_limits(), hashes), GENERATION)
    count = comparison.count
    assert (count.same, count.changed, count.gone) == (1, 1, 1)
    assert (comparison.found[b"g"].sha256.hex(), comparison.found[b"h"]) == (sha(b"2"), None)
