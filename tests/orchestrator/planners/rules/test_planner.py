"""The rules planner: checks a goal, then makes its commands one after the other."""

import threading

import pytest

from common.errors import ClientError
from common.runs import RunCreate
from orchestrator.planners.decisions import Call
from orchestrator.planners.rules import planner
from orchestrator.planners.rules.parser import parse
from orchestrator.planners.rules.planner import RulesPlanner
from tests.orchestrator.planners.rules.deciding import decide, done, found, hit


class Counted:
    """A command of one call, which counts how often it is asked for that."""

    def __init__(self):
        self.asked = 0

    def calls(self, done):
        """Return the call, once."""
        self.asked += 1
        return [] if done else [Call("list", "list_directory", {})]


async def test_rules_planner_decides_off_the_event_loop():
    """Leases are renewed on it, and a long goal takes a tenth of a second to parse."""
    threads = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner, "_parse", lambda _: threads.add(threading.get_ident()) or [])
        await decide("list")
    assert threads
    assert threading.get_ident() not in threads


async def test_goal_is_parsed_once_for_all_decisions_of_a_run():
    """One of 20,000 characters was parsed again for each of its thousand steps."""
    parse.cache_clear()
    goal = "; ".join(["read a.txt"] * 1000)
    for made in range(3):
        await decide(goal, *[done(f"c{n}_read_file_1", {}) for n in range(1, made + 1)])
    assert parse.cache_info().misses == 1


async def test_rules_planner_does_not_look_again_at_commands_that_are_done(monkeypatch):
    """Each decision of a long run would take longer than the one before it."""
    commands = [Counted() for _ in range(1000)]
    monkeypatch.setattr(planner, "_parse", lambda _: commands)
    made = [done(f"c{n}_list_1", {}) for n in range(1, 900)]
    [call] = (await decide("list", *made)).calls
    assert call.name == "c900_list_1"
    assert sum(command.asked for command in commands) == 2


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
