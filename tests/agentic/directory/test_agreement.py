"""Whatever both sides do, push and status agree with a model that a child could follow."""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings, strategies as st

from agentic.directory.state import VARIABLE
from common.errors import AgenticError
from tests.agentic.directory.conftest import Person
from tests.agentic.directory.fakes import FakeClient

PATHS = ["a", "b", "dir/a", "dir/b", "dir/deep/c"]
CONTENTS = [b"", b"1", b"two", b"three" * 100]
CHANGE = st.tuples(st.sampled_from(PATHS), st.sampled_from([None, *CONTENTS]), st.booleans())
STEP = st.one_of(
    st.tuples(st.just("here"), CHANGE),
    st.tuples(st.just("there"), CHANGE),
    st.tuples(st.just("push"), st.booleans()),
    st.tuples(st.just("lost push"), st.just(None)),
    st.tuples(st.just("remake"), st.just(None)),
)


class Model:
    """Three dictionaries, and the rules in words: who changed a path since both had the same."""

    def __init__(self):
        self.here, self.there, self.base = {}, {}, {}

    def side(self, path):
        here, there, base = (one.get(path) for one in (self.here, self.there, self.base))
        if here == there:
            return "same"
        if there == base:
            return "here"
        return "there" if here == base else "both"

    def sides(self, side):
        paths = sorted({*self.here, *self.there, *self.base})
        return [path for path in paths if self.side(path) == side]

    def push(self, force):
        if self.sides("both") and not force:
            return "changed_elsewhere"
        for path in [*self.sides("here"), *self.sides("both")]:
            change(self.there, path, self.here.get(path))
        for path in self.sides("same"):
            change(self.base, path, self.here.get(path))
        return None


def change(files, path, file):
    if file is None:
        files.pop(path, None)
    else:
        files[path] = file


def write(person, path, file):
    place = person.directory / path
    if file is None:
        place.unlink(missing_ok=True)
    else:
        person.write(path, file[0], mode=0o755 if file[1] else 0o644)


async def follow(person, model, steps):
    for kind, what in steps:
        if kind in ("here", "there"):
            path, content, is_executable = what
            file = None if content is None else (content, is_executable)
            if kind == "here":
                write(person, path, file)
            else:
                change(person.remote.files, path, file)
            change(getattr(model, kind), path, file)
        elif kind == "remake":
            person.remote.remake()
            model.there, model.base = {}, {}
        else:
            await pushed(person, model, kind, force=bool(what))
        await agree(person, model)


async def pushed(person, model, kind, *, force):
    expected = model.push(force)
    if kind == "lost push":
        person.remote.after_put = lose
    try:
        await person.push(force=force)
        code = None
    except AgenticError as error:
        code = error.code
    except ConnectionError:
        code = None
    person.remote.after_put = lambda: None
    assert code == expected


def lose():
    raise ConnectionError


async def agree(person, model):
    assert person.remote.files == model.there
    status = await person.status()
    assert [one.path for one in status.to_push] == model.sides("here")
    assert [one.path for one in status.to_pull] == model.sides("there")
    assert [one.path for one in status.conflicts] == model.sides("both")


@settings(max_examples=40, deadline=None)
@given(st.lists(STEP, max_size=8))
def test_push_and_status_agree_with_a_model(steps):
    """No order of edits, pushes and lost answers loses or undoes anybody's work."""
    place = Path(tempfile.mkdtemp())
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(place / "state")
    try:
        (place / "here").mkdir()
        person = Person(place / "here", FakeClient())
        asyncio.run(follow(person, Model(), steps))
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before
        shutil.rmtree(place)
