"""No spelling gets round a rule: what is not denied is made, and what it gives holds nothing secret."""

import json
import time
from contextlib import closing
from random import Random

import pytest

from common.approvals.rules import Rule
from common.errors import ToolError
from common.files.paths import parse
from execution_environment.calls.registry import discover
from execution_environment.sandbox.limits import CallLimits, QuotaMeter
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.searching.searchers import Searchers
from execution_environment.workspace.workspace import open_workspace
from orchestrator.approvals.paths import touched_by
from orchestrator.approvals.verdicts import RuleBook

TOOLS = discover()
CANARY = "canary"
SECRET = (b"a", b"secrets")
FILES = ["top.txt", "a/open.txt", "b/open.txt", "a/secrets/k", "a/secrets/in/l"]
PLACES = [".", "a", "b", "new", "a/new", "a/secrets", "a/secrets/new", *FILES]
UNNAMED = f"a/secrets/{CANARY}"
"""What no call names, and none may list either."""
CALLS = 2500
MIB = 1024 * 1024


@pytest.fixture
def views(tmp_path):
    """Open a call's view of a workspace with secrets, whose changes are dry runs."""
    home = tmp_path / "data/workspaces/local/demo"
    for name in (*FILES, UNNAMED):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{CANARY if 'secrets' in name else 'open'}\n")
    limits = CallLimits(max_read=MIB, max_write=MIB, deadline=time.monotonic() + 600)
    sandbox = Sandbox(tmp_path / "data")
    base = (b"local", b"demo")
    with closing(sandbox), closing(Searchers()) as searchers:
        yield lambda: open_workspace(
            base, sandbox.renamer, searchers, limits, QuotaMeter(), dry_run=True
        )


def spelt(chance, path):
    """Return a path written in another way, which may be one that is refused."""
    shapes = [
        lambda it: it,
        lambda it: f"./{it}",
        lambda it: f"{it}/",
        lambda it: it.replace("/", "//"),
        lambda it: it.replace("/", "/./"),
        lambda it: "".join(_escaped(char) if chance.random() < 0.3 else char for char in it),
        lambda it: it.replace("/", r"\x2f"),
        lambda it: f"b/../{it}",
        lambda it: f"/{it}",
        lambda it: it.replace("s", "\u017f"),  # what some would fold to an s
        lambda it: it.replace("a", "\uff41"),
        lambda it: it.upper(),
    ]
    for shape in chance.choices(shapes, k=chance.randint(0, 2)):
        path = shape(path)
    return path


def _escaped(char):
    return "".join(f"\\x{byte:02X}" for byte in char.encode())


def patch(chance, old, new):
    """Return a patch of one or two files, in one of the ways to write it."""
    named = chance.choice([lambda p, it: p + it, lambda _, it: it, _quoted])
    sides = named("a/", old), named("b/", new)
    content = CANARY if "secrets" in old else "open"
    kinds = [
        f"--- {sides[0]}\n+++ {sides[1]}\n@@ -1 +1 @@\n-{content}\n+x\n",
        f"--- {sides[0]}\t2026\n+++ {sides[0]}\t2026\n@@ -1 +1 @@\n-{content}\n+x\n",
        f"--- /dev/null\n+++ {sides[1]}\n@@ -0,0 +1 @@\n+x\n",
        f"--- {sides[0]}\n+++ /dev/null\n@@ -1 +0,0 @@\n-{content}\n",
        f"diff --git {sides[0]} {sides[1]}\nrename from {old}\nrename to {new}\n",
        f"diff --git {sides[0]} {sides[0]}\ndeleted file mode 100644\n",
        f"diff --git {sides[1]} {sides[1]}\nnew file mode 100644\n",
    ]
    return "".join(chance.sample(kinds, k=chance.randint(1, 2)))


def _quoted(prefix, path):
    return f'"{prefix}' + "".join(f"\\{ord(char) % 512:03o}" for char in path) + '"'


def a_call(chance):
    """Return a call of any tool, of any place, in any spelling."""
    name = chance.choice(list(TOOLS))
    schema = TOOLS[name].spec.arguments_schema["properties"]
    one, other = (spelt(chance, chance.choice(PLACES)) for _ in range(2))
    given = {
        "path": one, "source": one, "destination": other, "paths": [other, one],
        "patch": patch(chance, one, other), "content": "x", "mode": "upsert", "glob": "*",
        "pattern": ".", "recursive": chance.random() < 0.5, "depth": chance.choice([1, 2, 9]),
        "edits": [{"insert_at_line": 1, "text": "x"}], "overwrite": True,
    }  # fmt: skip
    if name in ("search_files", "find_files", "list_directory") and chance.random() < 0.2:
        del given["path"]
    return name, {key: value for key, value in given.items() if key in schema}


def seen_by(view, name, arguments):
    """Return what a call gives, and the paths that it takes or changes; None where it is refused."""
    tool = TOOLS[name]
    try:
        made = tool.run(tool.parse(arguments), view.reader if _reads(tool) else view)
        taken = [arguments["source"]] if "source" in arguments else []
        return json.dumps(made), [*taken, *(it.path for it in view.change.receipts())]
    except ToolError:
        return None
    finally:
        view.change.discard()


def _reads(tool):
    return tool.spec.effect == "read"


def gets_round(seen):
    """Tell whether a call has read or changed something secret, or taken it along."""
    told, changed = seen
    return CANARY in told or any(parse(path)[:2] in (SECRET, SECRET[:1], ()) for path in changed)


def judged(name, arguments):
    """Tell whether a call is denied, by its parsed paths."""
    rules = RuleBook([[Rule(path="a/secrets/**", effect="deny")]])
    try:
        return rules.verdict(name, touched_by(TOOLS[name].spec, arguments)) is not None
    except ToolError:  # its tool refuses it
        return False


def matched(_name, arguments):
    """Tell the same by the text of the arguments: the way that is got round."""
    return "a/secrets" in json.dumps(arguments)


def leaks(is_denied, views, seed):
    """Return the calls that got round a rule, and how many were made or denied."""
    chance = Random(seed)  # noqa: S311  # to be repeated, not to be secret
    found, counts = [], {"made": 0, "denied": 0}
    for name, arguments in (a_call(chance) for _ in range(CALLS)):
        if is_denied(name, arguments):
            counts["denied"] += 1
            continue
        seen = seen_by(views(), name, arguments)
        if seen is not None:
            counts["made"] += 1
            found += [(name, arguments)] * gets_round(seen)
    return found, counts


@pytest.mark.parametrize("seed", [1, 2])
def test_no_spelling_of_a_call_gets_round_a_denial(views, seed):
    """Each call is made by its tool, on files of which some may not be touched."""
    found, counts = leaks(judged, views, seed)
    assert found == []
    assert min(counts.values()) > CALLS / 10


def test_comparing_the_text_of_arguments_is_got_round(views):
    """The control: these calls would have told, if there were something to tell."""
    found, _ = leaks(matched, views, 1)
    assert {"read_file", "move_path", "search_files", "apply_patch"} <= {name for name, _ in found}
