"""Runs of a model over real processes: what is on the disk, what is told of it, what people see."""

import asyncio
import hashlib
import json
import signal

import pytest
from websockets.asyncio.client import connect

from agentic import AgenticClient
from common.errors import ClientError
from common.runs import FINAL_EVENTS, Budget
from tests.orchestrator.fakes import until
from tests.system.models.answers import Answer, Wanted, calls
from tests.system.models.stack import outputs_in

GREETING = "print('Hello')\n"
SCHEMA = {
    "type": "object",
    "properties": {"files": {"type": "integer"}},
    "required": ["files"],
    "additionalProperties": False,
}


def took(answer, read, cached, written):
    """Return the answer with what it says it took, in tokens."""
    usage = {"input_tokens": read, "cached_tokens": cached, "output_tokens": written}
    return answer.model_copy(update=usage)


def edit(path, old, new):
    """Return a call that replaces a text."""
    return "edit_file", {"path": path, "edits": [{"old_text": old, "new_text": new}]}


def four_turns():
    """Look, read, change, say."""
    return [
        took(calls(("list_directory", {"path": "src"}), text="I look."), 1000, 0, 20),
        took(calls(("read_file", {"path": "src/a.py"})), 1100, 1000, 30),
        took(calls(edit("src/a.py", "Hello", "Goodbye")), 1200, 1100, 40),
        took(Answer(text="It says goodbye now."), 1300, 1200, 10),
    ]


async def test_a_task_of_several_turns_is_done_on_the_disk_and_told_as_it_was(stack):
    """The product in one test: list, read, edit, answer; receipts that are true."""
    done = await stack.ended("Say goodbye", *four_turns(), files={"src/a.py": GREETING})
    content = (done.root / "src/a.py").read_text()
    assert content == "print('Goodbye')\n"
    assert (done.run.status, done.run.result.answer) == ("succeeded", "It says goodbye now.")
    assert (done.run.planner, done.run.text) == ("llm", None)
    [change] = done.run.result.changes
    assert (change.path, change.operation, change.created) == ("src/a.py", "replace", False)
    assert change.sha256_before == hashlib.sha256(GREETING.encode()).hexdigest()
    assert change.sha256_after == hashlib.sha256(content.encode()).hexdigest()
    tools = [(step.n, step.tool, step.status) for step in done.run.steps]
    assert tools == [
        (1, "list_directory", "succeeded"),
        (2, "read_file", "succeeded"),
        (3, "edit_file", "succeeded"),
    ]
    assert len(done.asked) == 4


async def test_each_answer_of_the_model_is_a_turn_with_what_it_took(stack):
    """What was decided, by which model, for how much: asked once each, and added up in the run."""
    done = await stack.ended("Say goodbye", *four_turns(), files={"src/a.py": GREETING})
    assert [turn.t for turn in done.turns] == [1, 2, 3, 4]
    assert {turn.model for turn in done.turns} == {stack.model}
    assert [[call.tool for call in turn.calls] for turn in done.turns] == [
        ["list_directory"], ["read_file"], ["edit_file"], []
    ]  # fmt: skip
    assert (done.turns[0].text, done.turns[3].answer) == ("I look.", "It says goodbye now.")
    usage = done.run.usage
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens) == (4600, 3300, 100)
    assert (usage.steps, usage.lost_tokens) == (3, 0)
    decided = [event.data for event in done.heard("turn.decided")]
    assert [(data["t"], data["calls"]) for data in decided] == [(1, 1), (2, 1), (3, 1), (4, 0)]
    assert sum(data["usage"]["input_tokens"] for data in decided) == usage.input_tokens


async def test_a_models_price_is_counted_where_it_is_known(stack):
    """Cached tokens are cheaper; nobody makes up a price of a server of one's own."""
    answer = took(Answer(text="Done."), 100_000, 40_000, 10_000)
    usage = (await stack.ended("Cost something", answer)).run.usage
    if stack.shape == "openai":
        assert usage.cost is None
    else:  # 0.80 dollars for a million read, 0.08 from the cache, 4 written
        assert usage.cost == pytest.approx(0.06 * 0.8 + 0.04 * 0.08 + 0.01 * 4)


async def test_a_budget_of_dollars_is_refused_where_no_price_is_known(model_stacks):
    """It could not be kept."""
    with pytest.raises(ClientError) as raised:
        await model_stacks["openai"].ended("Cost nothing", budget=Budget(cost=1))
    assert raised.value.code == "invalid_request"


async def test_what_the_model_is_told_of_a_call_stands_under_the_calls_id(stack):
    """Outputs are data, and marked as that; the beginning of the conversation stays the same."""
    look = Answer(calls=(Wanted(tool="read_file", arguments={"path": "a.txt"}, id="look-1"),))
    done = await stack.ended("Look", look, Answer(text="ok"), files={"a.txt": "one\ntwo\n"})
    first, second = (conversation.body for conversation in done.asked)
    [(call_id, output)] = outputs_in(done.asked[1]).items()
    assert call_id == "look-1"
    assert output == '<tool_output lines="1-2 of 2">\none\ntwo\n</tool_output>'
    assert second["messages"][0] == first["messages"][0]
    assert second["tools"] == first["tools"]


async def websocket_events(stack, run, into):
    """Gather the events of a run over a WebSocket, to its end."""
    url = f"{stack.main.url.replace('http', 'ws')}/v1/sessions/{run.session_id}/ws?run_id={run.id}"
    async with connect(url, proxy=None) as socket:
        async for frame in socket:
            into.append(json.loads(frame))
            if into[-1]["type"] in FINAL_EVENTS:
                return


async def test_what_the_model_says_is_seen_while_it_says_it_and_by_those_who_come_late(stack):
    """Over SSE and over a WebSocket; who has missed the beginning reads it in the run."""
    text = "Grüße: one, two, three, four, five, six."
    spoken = Answer(text=text, pieces=4, hold="text")
    first = text[:10]
    async with stack.going("Speak", spoken, hears_all=True) as going:
        run = await going.speaking()
        assert (run.status, run.text, run.result) == ("running", first, None)
        seen = []
        late = asyncio.create_task(websocket_events(stack, run, seen))
        await until(lambda: any(event["type"] == "run.started" for event in seen))
        stack.fake.release()
        await going.end()
        await asyncio.wait_for(late, 20)
    assert (going.run.result.answer, going.run.text) == (text, None)
    assert [delta[:2] for delta in going.deltas] == [(1, 1)] * len(going.deltas)
    said = "".join(piece for *_, piece in going.deltas)
    assert said == text
    assert going.deltas[0][2:] == (0, first)
    assert going.deltas[1][2] == len(first.encode())
    spoken_late = [event for event in seen if event["type"] == "text.delta"]
    assert spoken_late[0]["data"]["offset"] == len(first.encode())  # a hole, so that it is noticed
    assert first + "".join(event["data"]["text"] for event in spoken_late) == text
    lasting = [event["seq"] for event in seen if event["seq"] is not None]
    assert lasting == [event.seq for event in going.events if event.seq is not None]


PARALLEL = calls(
    *(("read_file", {"path": f"{name}.txt"}) for name in "abc"),
    ("write_file", {"path": "d.txt", "content": "first\n"}),
    edit("d.txt", "first", "second"),
    ("read_file", {"path": "d.txt"}),
    text="I do all of it.",
    hold="text",
)


async def test_reads_of_one_answer_go_side_by_side_and_changes_wait_their_turn(stack):
    """Seen while the execution environment stands still: all that is under way has begun."""
    files = {f"{name}.txt": f"{name}\n" for name in "abc"}
    async with stack.going("Do all", PARALLEL, Answer(text="ok"), files=files) as going:
        await going.speaking()
        stack.execution.process.send_signal(signal.SIGSTOP)
        try:
            stack.fake.release()
            await until(lambda: len(going.heard("step.started")) == 3)
            run = await going.client.run(going.run.session_id, going.run.id)
            assert [step.status for step in run.steps] == ["running"] * 3
        finally:
            stack.execution.process.send_signal(signal.SIGCONT)
        done = await going.end()
    assert [step.status for step in done.run.steps] == ["succeeded"] * 6
    assert done.run.steps[5].output["content"] == "second\n"
    changes = [event for event in done.events if event.data.get("n") in (4, 5)]
    assert [(event.type, event.data["n"]) for event in changes] == [
        ("step.started", 4), ("step.succeeded", 4), ("step.started", 5), ("step.succeeded", 5)
    ]  # fmt: skip
    reads = [event.seq for event in done.heard("step.succeeded") if event.data["n"] <= 3]
    assert max(reads) < changes[0].seq


async def test_outputs_of_calls_made_together_go_back_each_under_its_own_id(stack):
    """In the order in which the model has asked, whichever came first."""
    wanted = tuple(
        Wanted(tool="read_file", arguments={"path": f"{name}.txt"}, id=f"id-{name}")
        for name in "abc"
    )
    files = {"a.txt": "A\n", "c.txt": "C\n"}
    done = await stack.ended("Read", Answer(calls=wanted), Answer(text="ok"), files=files)
    outputs = outputs_in(done.asked[1])
    assert list(outputs) == ["id-a", "id-b", "id-c"]
    assert "\nA\n" in outputs["id-a"]
    assert "path_not_found" in outputs["id-b"]
    assert "\nC\n" in outputs["id-c"]


async def test_a_server_that_answers_with_one_document_does_a_task_as_well(model_stacks):
    """Small servers know no streams: what they say is one piece, and their calls are made."""
    stack = model_stacks["openai"]
    answers = [answer.model_copy(update={"is_json": True}) for answer in four_turns()]
    files = {"src/a.py": GREETING}
    done = await stack.ended("Say goodbye", *answers, files=files, hears_all=True)
    assert (done.run.status, done.run.result.answer) == ("succeeded", "It says goodbye now.")
    assert (done.root / "src/a.py").read_text() == "print('Goodbye')\n"
    assert done.run.usage.input_tokens == 4600
    assert [delta[3] for delta in done.deltas] == ["I look.", "It says goodbye now."]


async def test_an_answer_that_matches_the_output_schema_is_that_json(stack):
    """Whatever it stands in: programs read it."""
    answer = Answer(text='```json\n{"files": 3}\n```')
    done = await stack.ended("Count", answer, output_schema=SCHEMA)
    assert (done.run.status, done.run.result.answer) == ("succeeded", '{"files":3}')
    assert '"files"' in done.asked[0].said[0]  # it was told


async def test_an_answer_that_does_not_match_is_corrected_after_one_word(stack):
    """The model is told what is wrong, once; that is kept as a turn, and paid for."""
    answers = [Answer(text='{"files": "three"}'), Answer(text='{"files": 3}')]
    done = await stack.ended("Count", *answers, output_schema=SCHEMA)
    assert (done.run.status, done.run.result.answer) == ("succeeded", '{"files":3}')
    feedback, ending = done.turns
    assert "files: 'three' is not of type 'integer'" in feedback.feedback
    assert ending.answer == '{"files":3}'
    assert feedback.feedback in done.asked[1].said


async def test_an_answer_that_never_matches_is_an_error(stack):
    """Never a success whose answer is not what was asked for."""
    wrong = [Answer(text="There are three."), Answer(text="Three, I said.")]
    done = await stack.ended("Count", *wrong, Answer(text='{"files": 3}'), output_schema=SCHEMA)
    assert (done.run.status, done.run.error.code) == ("failed", "model_refused")
    assert "schema" in done.run.error.detail
    assert done.run.result is None
    assert len(done.asked) == 2


async def test_what_a_deployment_can_do_is_told_with_its_model(stack):
    """A client chooses among the models by that."""
    async with AgenticClient(stack.main.url) as client:
        [llm] = [spec for spec in await client.planners() if spec.name == "llm"]
    assert (llm.available, llm.models) == (True, [stack.model])
