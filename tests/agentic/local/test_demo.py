"""The main job's own check: it has to notice when the disk does not hold what the run said."""

import hashlib
import io
from importlib.resources import files

import pytest
from rich.console import Console

from agentic import Plan
from agentic.local.demo import REPORT, _report_is_right, _verify
from agentic.terminal.show import Display
from common.runs import RunResult
from common.tools import Receipt
from tests.agentic.fakes import a_run

CONTENT = b"what was written\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def receipt(**more):
    """The receipt of that content."""
    facts = {"path": "a.txt", "operation": "create", "created": True, "sha256_before": None}
    facts |= {"sha256_after": DIGEST, "size": len(CONTENT), "mode": "0644"}
    return Receipt.model_validate({**facts, "bytes_written": len(CONTENT), **more})


@pytest.fixture
def display():
    """A display that prints nowhere."""
    return Display(Console(file=io.StringIO()))


@pytest.fixture
def root(tmp_path):
    """A workspace that holds the file."""
    (tmp_path / "a.txt").write_bytes(CONTENT)
    (tmp_path / "a.txt").chmod(0o644)
    return tmp_path


def verified(root, display, *receipts, status="succeeded"):
    """What the check says of a run with these receipts."""
    result = RunResult(answer="", changes=list(receipts)) if receipts else None
    return _verify(a_run(status=status, result=result), root, display)


def test_the_demo_takes_a_disk_that_holds_what_the_receipts_say_as_right(root, display):
    """Content, size and mode."""
    assert verified(root, display, receipt())


def test_the_demo_compares_directories_and_what_is_gone_too(root, display):
    """A directory has a mode and no content; what was removed must not be there."""
    (root / "copied").mkdir(mode=0o755)
    nothing = {"sha256_after": None, "bytes_written": 0}
    directory = receipt(**nothing, path="copied", size=17, mode="0755")
    gone = {**nothing, "size": None, "mode": None, "operation": "delete"}
    assert verified(root, display, directory, receipt(**gone, path="nope"))
    assert not verified(root, display, receipt(**gone))
    assert not verified(root, display, receipt(**gone, path="copied"))
    assert not verified(root, display, receipt(**nothing, path="a.txt", size=None, mode="0644"))


@pytest.mark.parametrize(
    "wrong",
    [{"sha256_after": "0" * 64}, {"size": 1}, {"mode": "0600"}, {"path": "nope"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_the_demo_notices_any_difference_on_the_disk(root, display, wrong):
    """One wrong file among right ones is enough; a missing one is no traceback."""
    assert not verified(root, display, receipt(), receipt(**wrong))


def test_the_demo_takes_no_run_that_failed_or_changed_nothing_as_right(root, display):
    """Nothing to compare must not count as equal."""
    assert not verified(root, display)
    assert not verified(root, display, receipt(), status="failed")


@pytest.mark.parametrize("is_right", [True, False])
def test_the_demos_report_has_to_quote_the_decoder(tmp_path, display, is_right):
    """What $from brought from one step into another."""
    (tmp_path / "json").mkdir()
    (tmp_path / "json/decoder.py").write_bytes(CONTENT if is_right else b"other")
    (tmp_path / REPORT).parent.mkdir()
    (tmp_path / REPORT).write_text(f"Decoder now: {DIGEST}\n")
    assert _report_is_right(tmp_path, display) is is_right


def test_the_demos_plan_lists_searches_reads_edits_and_reports():
    """Each kind of step, and the report made from earlier ones."""
    plan = Plan.model_validate_json((files("agentic.local") / "demo_plan.json").read_text())
    tools = [step.tool for step in plan.steps]
    assert {"list_directory", "search_files", "read_file", "write_file"} < set(tools)
    assert tools.count("edit_file") > 1
    assert "$join" in plan.steps[-1].arguments["content"]
