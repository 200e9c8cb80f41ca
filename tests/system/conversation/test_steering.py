"""Messages that people send to a run while its model works."""

from common.plans import Plan
from tests.system.conversation.talking import last, open_calls, refused, words
from tests.system.models.answers import Answer, calls

LOOK = calls(("list_directory", {"path": "."}), text="I look.", hold="text")
FINAL = Answer(text="All is done.", hold="text")
WISH = "Leave the tests as they are"
PLAN = Plan.model_validate({"steps": [{"name": "look", "tool": "list_directory", "arguments": {}}]})


async def test_a_message_is_given_to_the_model_at_its_next_turn(talk):
    """What it is about to do is done; what it is told comes after the outputs of that."""
    talk.answer(LOOK, Answer(text="I leave them."))
    run = await talk.start("tidy up")
    await talk.held()
    await talk.send(run, WISH)
    talk.release()
    run = await talk.ended(run)
    assert (run.status, len(run.steps)) == ("succeeded", 1)
    assert [WISH in words(body) for body in talk.bodies] == [False, True]
    assert last(talk.bodies[1]).endswith(WISH)
    assert not open_calls(talk.bodies[1])
    told = [e.data for e in await talk.events(run) if e.type == "message.received"]
    assert told == [{"text": WISH}]


async def test_a_message_that_comes_with_the_final_answer_makes_the_run_go_on(talk):
    """Who sent it would think that it was heard."""
    talk.answer(FINAL, Answer(text="They are as they were."))
    run = await talk.start("tidy up")
    await talk.held()
    await talk.send(run, WISH)
    talk.release()
    run = await talk.ended(run)
    assert (run.status, run.result.answer) == ("succeeded", "They are as they were.")
    assert [m["content"] for m in talk.bodies[1]["messages"][-2:]] == ["All is done.", WISH]
    turns = await talk.client.turns(talk.session.id, run.id)
    assert [turn.answer for turn in turns] == ["All is done.", "They are as they were."]
    assert [[m.text for m in turn.messages] for turn in turns] == [[], [WISH]]


async def test_a_message_with_a_key_is_heard_once_however_often_it_is_sent(talk):
    """An answer of ours may be lost; the client sends it again."""
    talk.answer(LOOK, Answer(text="Done."))
    run = await talk.start("tidy up")
    await talk.held()
    for _ in range(2):
        await talk.send(run, WISH, "key-1")
    other = talk.send(run, "Another", "key-1")
    assert (await refused(other)).code == "idempotency_conflict"
    talk.release()
    await talk.ended(run)
    assert words(talk.bodies[1]).count(WISH) == 1
    assert "Another" not in words(talk.bodies[1])


async def test_a_run_that_hears_nothing_refuses_messages(talk):
    """One that has ended, one of a plan, one of rules: silence would look like consent."""
    talk.answer(FINAL)
    held = await talk.start("tidy up")
    planned = await talk.client.start_run(talk.session.id, plan=PLAN, on_busy="enqueue")
    ruled = await talk.start("list all files", planner="rules", on_busy="enqueue")
    await talk.held()
    for run in (planned, ruled):
        assert (await refused(talk.send(run, WISH))).code == "invalid_state"
    talk.release()
    assert (await talk.ended(ruled)).status == "succeeded"
    assert (await refused(talk.send(held, WISH))).code == "invalid_state"
    assert len(talk.bodies) == 1
