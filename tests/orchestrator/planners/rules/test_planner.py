"""The rules planner: checks a goal, then makes its commands one after the other."""

import threading

import pytest

from common.errors import ClientError
from common.runs import RunCreate
from orchestrator.planners.rules import planner
from orchestrator.planners.rules.parser import parse
from orchestrator.planners.rules.planner import MAX_INLINE, RulesPlanner
from tests.orchestrator.planners.rules.deciding import decide, done, found, hit


async def test_rules_planner_parses_a_long_goal_off_the_event_loop():
    """Leases are renewed on it."""
    goal = f"write '{'x' * MAX_INLINE}' to a.txt"
    threads = set()
    parse.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner, "parse", lambda _: threads.add(threading.get_ident()) or [])
        await decide(goal)
    assert threads
    assert threading.get_ident() not in threads


def test_rules_planner_checks_a_goal_before_it_starts():
    """A plan is not for this planner."""
    RulesPlanner().check(RunCreate(goal="list"), {})
    plan = {"steps": [{"name": "a", "tool": "t"}]}
    for body in ({"goal": "magic"}, {"plan": plan}):
        with pytest.raises(ClientError):
            RulesPlanner().check(RunCreate.model_validate(body), {})


async def test_rules_planner_makes_commands_one_by_one_and_answers_together():
    """Each line of the answer belongs to one command."""
    goal = "list, then read x; search for old"
    listing = {"entries": [{"path": "d", "type": "directory"}], "next_cursor": "d"}
    made = [
        done("c1_list_directory_1", listing),
        done("c2_read_file_1", {"content": "text"}),
        done("c3_search_files_1", found(*[hit(f"f{n}") for n in range(60)])),
    ]
    assert [call.name for call in (await decide(goal, *made[:1])).calls] == ["c2_read_file_1"]
    answer = (await decide(goal, *made)).answer
    assert answer.startswith(
        "Listed the workspace: more than 1 entries\n  d/\nRead 'x':\ntext\nFound 'old'"
    )
    assert answer.endswith("… and 10 more")
