"""A run that reads more than its model can: what it is shown stays below the limit, and it succeeds."""

import asyncio
from itertools import pairwise
from types import SimpleNamespace

import pytest

from agentic import AgenticClient
from common.plans import Plan
from tests.orchestrator.fakes import until
from tests.system.conversation.talking import Script, Talk, last, open_calls, size, started, words
from tests.system.models.answers import Answer, calls, too_long
from tests.system.models.fake import running
from tests.system.services import execution_environment, orchestrator

CONTEXT, OUTPUT = 6000, 500
LIMIT = CONTEXT - OUTPUT
FILES = 24
SUMMARY = "The files say nothing of use so far."
LEFT_OUT = "[left out to make room: call the tool again if you need it]"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A stack whose model can read little."""
    directory, script = tmp_path_factory.mktemp("small"), Script()
    with running(program=script) as fake:
        execution = execution_environment(directory)
        main = orchestrator(
            directory,
            execution,
            ORCHESTRATOR_MODEL="openai:fake",
            ORCHESTRATOR_MODEL_BASE_URL=fake.openai_url,
            ORCHESTRATOR_MODEL_CONTEXT=str(CONTEXT),
            ORCHESTRATOR_MODEL_MAX_OUTPUT=str(OUTPUT),
        )
        with started(execution, main):
            yield SimpleNamespace(fake=fake, script=script, main=main)


@pytest.fixture
async def talk(small):
    """A session with large files in its workspace."""
    small.script.clear()
    async with AgenticClient(small.main.url) as client:
        talk = Talk(client, small.fake, small.script, await client.create_session())
        planned = await client.start_run(talk.session.id, plan=large_files())
        assert (await talk.ended(planned)).status == "succeeded"
        yield talk


def large_files():
    """Return a plan that writes files of some 700 tokens each, no two the same."""
    steps = [
        {
            "name": f"w{number}",
            "tool": "write_file",
            "arguments": {"path": f"{number}.txt", "content": text_of(number)},
        }
        for number in range(FILES)
    ]
    return Plan.model_validate({"steps": steps})


def text_of(number):
    """Return what a file says."""
    return "".join(f"Line {line} of file {number} says little.\n" for line in range(80))


def is_summary(body):
    """Tell whether a request is for a summary."""
    return not body.get("tools")


def reading(count=FILES, hold=None):
    """Return a program that reads a file a turn, sums up when it is asked to, and then ends.

    It goes by what it has answered, not by what it is shown. Its `hold`th read is held.
    """
    done = iter(range(count))

    def program(asked):
        if is_summary(asked.body):
            return Answer(text=SUMMARY)
        number = next(done, None)
        if number is None:
            return Answer(text="They say little.")
        where = "headers" if number == hold else None
        return calls(("read_file", {"path": f"{number}.txt"}), text=f"File {number}.", hold=where)

    return program


def breaks(bodies):
    """Count the requests that do not begin with all of the one before."""
    messages = [body["messages"] for body in bodies]
    return sum(after[: len(before)] != before for before, after in pairwise(messages))


async def compactions(talk, run):
    """Return the turns of a run that show its model less, and those that sum up."""
    turns = await talk.client.turns(talk.session.id, run.id)
    found = [turn for turn in turns if turn.covers is not None]
    return found, [turn for turn in found if turn.summary is not None]


async def test_what_a_model_is_shown_stays_below_its_limit_and_begins_the_same_between(talk):
    """Outputs are left out in blocks, with how to have them again; then a summary, written once."""
    talk.script.then = reading()
    run = await talk.run("read them all")
    assert (run.status, run.result.answer) == ("succeeded", "They say little.")
    assert [step.status for step in run.steps] == ["succeeded"] * FILES
    assert max(size(body) for body in talk.bodies) < LIMIT
    assert run.usage.input_tokens == sum(size(body) for body in talk.bodies)
    asked = [body for body in talk.bodies if not is_summary(body)]
    less, summaries = await compactions(talk, run)
    assert len(less) > len(summaries) > 0
    assert breaks(asked) == len(less)
    assert len(asked) == FILES + 1
    assert len(talk.bodies) - len(asked) == len(summaries)
    assert all(not open_calls(body) for body in asked)
    assert {body["tools"] == asked[0]["tools"] for body in asked} == {True}
    first_less = next(body for body in asked if LEFT_OUT in words(body))
    assert "Line 1 of file 0 " not in words(first_less)
    assert "Line 1 of file" in last(first_less)  # what it has not seen yet is there
    assert SUMMARY in words(asked[-1])
    assert all("read them all" in words(body) for body in talk.bodies)


async def test_a_request_that_the_provider_finds_too_long_is_shortened(talk):
    """Nobody knows a model's limit as well as its provider; that is no failure of the run."""
    read = [calls(("read_file", {"path": f"{number}.txt"})) for number in range(3)]
    talk.answer(*read, too_long())
    talk.script.then = reading(0)
    run = await talk.run("read three")
    assert (run.status, run.usage.lost_tokens) == ("succeeded", 0)
    refused, shorter = [body for body in talk.bodies if not is_summary(body)][-2:]
    assert size(shorter) < size(refused) < LIMIT
    less, _ = await compactions(talk, run)
    assert len(less) == 1


async def test_a_restart_writes_no_summary_twice(talk, small):
    """It is stored as a turn: whoever goes on has it."""
    talk.script.then = reading(hold=FILES - 1)
    run = await talk.start("read them all")
    await talk.held()
    _, before = await compactions(talk, run)
    assert before
    written = sum(map(is_summary, talk.bodies))
    await asyncio.to_thread(small.main.kill)
    await until(lambda: talk.gone == 1)
    await asyncio.to_thread(small.main.start)
    run = await talk.ended(run)
    _, after = await compactions(talk, run)
    assert run.status == "succeeded"
    assert after[: len(before)] == before
    assert sum(map(is_summary, talk.bodies)) == len(after)
    assert written == len(before)
    assert [step.status for step in run.steps] == ["succeeded"] * (FILES - 1)
