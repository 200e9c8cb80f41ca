"""A remote whose workspace is in memory: it keeps the contract of archives, as both services do."""

import hashlib
import secrets
from contextlib import asynccontextmanager

from agentic.directory.comparing import call_id
from common.errors import ClientError, ToolError
from common.files.archives import (
    MANIFEST,
    MANIFEST_LINE,
    MAX_LINE,
    ArchiveResult,
    Conflict,
    Difference,
    DifferenceCount,
    ManifestDeletion,
    ManifestFile,
)
from common.files.tar_stream import END, TarReader, header_of, padding_of
from common.models import Page
from common.tools import Receipt

SESSION = "ses_" + "0" * 32


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def difference(path, state, held, *, remote=None, other=None):
    """A line of a diff: what is at the path now is `remote` (content, is_executable), or `other`."""
    if remote is None:
        return Difference(path=path, state=state, is_held=held, type=other)
    content, is_executable = remote
    return Difference(
        path=path,
        state=state,
        is_held=held,
        type="file",
        sha256=sha256(content),
        size=len(content),
        mode="0755" if is_executable else "0644",
    )


class FakeArchives:
    """The files of one workspace by path: (content, is_executable); `others` by path: a type.

    `sent`: hashes of the contents of the last put; `puts`: the manifests that took effect.
    `before_put`: called before a put is looked at; `after_put`: after it took effect (raise there
    and its answer is lost).
    """

    def __init__(self, files=None):
        self.files = {path: (content, False) for path, content in (files or {}).items()}
        self.others = {}
        self.generation = "0" * 16
        self.exists = True
        self.sent, self.puts, self.bytes_received = [], [], 0
        self.before_put = self.after_put = lambda: None
        self._results = {}

    def write(self, path, content, is_executable=False):
        self.files[path] = (content, is_executable)

    def remake(self):
        """Delete the workspace and make it again, empty."""
        self.files, self.generation = {}, secrets.token_hex(8)

    async def diff(self, session_id, manifest):
        """Yield differences as the service does."""
        entries = [line async for line in _lines(manifest())]
        for one in self._compare(entries):
            yield one

    @asynccontextmanager
    async def get_differences(self, session_id, manifest):
        """Yield the pieces of an archive of the differences."""
        entries = [line async for line in _lines(manifest())]
        yield self._archive(self._compare(entries))

    async def _archive(self, lines):
        text = b"".join(line.model_dump_json().encode() + b"\n" for line in lines)
        members = {MANIFEST: text}
        for line in lines[:-1]:
            if line.state != "gone" and line.type == "file":
                members[line.sha256] = self.files[line.path][0]
        for name, content in members.items():
            yield header_of(name, len(content))
            for start in range(0, len(content), 65536):
                yield content[start : start + 65536]
            yield padding_of(len(content))
        yield END

    def _compare(self, entries):
        named = {entry.path: entry for entry in entries}
        held = self._held()
        found = []
        for path, entry in named.items():
            if path in self.others or path not in self.files:
                state = "changed" if path in self.others else "gone"
                other = self.others.get(path)
                found.append(difference(path, state, entry.sha256 in held, other=other))
            elif not self._has(path, entry):
                now = self.files[path]
                found.append(difference(path, "changed", entry.sha256 in held, remote=now))
        for path in self.files.keys() - named.keys():
            found.append(difference(path, "new", False, remote=self.files[path]))
        found.sort(key=lambda line: line.path.encode())
        return [*found, self._count(found, len(named))]

    def _count(self, found, named):
        states = [line.state for line in found]
        return DifferenceCount(
            new=states.count("new"),
            changed=states.count("changed"),
            gone=states.count("gone"),
            same=named - states.count("gone") - states.count("changed"),
            skipped=len(self.others),
            generation=self.generation if self.exists else None,
        )

    def _held(self):
        return {sha256(content) for content, _ in self.files.values()}

    def _has(self, path, entry):
        content, is_executable = self.files[path]
        wants = bool(int(entry.mode, 8) & 0o100)
        return sha256(content) == entry.sha256 and is_executable == wants

    async def put(self, session_id, archive, *, force=False, key):
        """Take an archive, all or nothing, once for a key."""
        entries, contents, manifest = await _received(archive())
        self.bytes_received += sum(map(len, contents.values()))
        self.before_put()
        if key in self._results:
            sent, result = self._results[key]
            if sent != manifest:
                raise ClientError("idempotency_conflict", "The key was used for another archive")
            return result.model_copy(update={"replayed": True})
        result = self._apply(call_id(session_id, key), entries, contents, force)
        self._results[key] = manifest, result
        self.sent, self.puts = sorted(contents), [*self.puts, entries]
        self.after_put()
        return result

    def _apply(self, call, entries, contents, force):
        pool = {sha256(content): content for content, _ in self.files.values()} | contents
        files = [entry for entry in entries if isinstance(entry, ManifestFile)]
        missing = sorted({one.sha256 for one in files} - pool.keys())
        if missing:
            raise ClientError(
                "content_missing", "missing", missing=missing[:1000], actual=len(missing)
            )
        conflicts = [one for entry in entries for one in self._conflict(entry, force)]
        if conflicts:
            told = [one.model_dump() for one in conflicts[:1000]]
            raise ClientError(
                "changed_elsewhere", "conflicts", conflicts=told, actual=len(conflicts)
            )
        receipts = [one for entry in entries for one in self._placed(entry, pool)]
        self.exists = True
        return _result(call, receipts, len(entries))

    def _conflict(self, entry, force):
        now = self.files.get(entry.path)
        current = None if now is None else sha256(now[0])
        if entry.path in self.others:
            yield Conflict(
                path=entry.path,
                expected_sha256=entry.expected_sha256,
                current_sha256=None,
                type=self.others[entry.path],
            )
        elif not force and current != entry.expected_sha256 and not self._is_done(entry):
            kind = None if now is None else "file"
            yield Conflict(
                path=entry.path,
                expected_sha256=entry.expected_sha256,
                current_sha256=current,
                type=kind,
            )

    def _is_done(self, entry):
        if isinstance(entry, ManifestDeletion):
            return entry.path not in self.files
        return entry.path in self.files and self._has(entry.path, entry)

    def _placed(self, entry, pool):
        if self._is_done(entry):
            return
        before = self.files.pop(entry.path, None)
        now = None
        if isinstance(entry, ManifestFile):
            now = pool[entry.sha256]
            self.files[entry.path] = (now, bool(int(entry.mode, 8) & 0o100))
        yield Receipt(
            path=entry.path,
            operation="delete" if now is None else "create" if before is None else "replace",
            created=before is None,
            sha256_before=None if before is None else sha256(before[0]),
            sha256_after=None if now is None else sha256(now),
            size=None if now is None else len(now),
            mode=None if now is None else "0644",
            bytes_written=len(now or b""),
        )

    async def receipts(self, session_id, call_id, limit=200, cursor=None):
        """Return all receipts of a put as one page."""
        for _, result in self._results.values():
            if result.id == call_id:
                return Page[Receipt](items=result.receipts)
        raise ToolError("path_not_found", f"There is no result '{call_id}'")


class FakeClient:
    """A client with one session."""

    def __init__(self, files=None):
        self.archives = FakeArchives(files)


def _result(call, receipts, entries):
    deleted = sum(one.sha256_after is None for one in receipts)
    created = sum(one.created for one in receipts)
    return ArchiveResult(
        id=call,
        created=created,
        replaced=len(receipts) - deleted - created,
        deleted=deleted,
        unchanged=entries - len(receipts),
        bytes_written=sum(one.bytes_written for one in receipts),
        receipts_sha256="0" * 64 if receipts else None,
        receipts=receipts,
        duration_ms=1.0,
    )


async def _lines(pieces):
    text = b"".join([piece async for piece in pieces])
    assert text == b"" or text.endswith(b"\n")
    for line in text.splitlines():
        assert len(line) <= MAX_LINE
        entry = MANIFEST_LINE.validate_json(line)
        assert isinstance(entry, ManifestFile)
        yield entry


async def _received(pieces):
    """Return the entries, the contents by hash and the manifest of an archive."""
    reader = TarReader(pieces)
    member = await reader.next_member()
    assert member.name == MANIFEST
    manifest = b"".join([piece async for piece in reader.content()])
    entries = [MANIFEST_LINE.validate_json(line) for line in manifest.splitlines()]
    paths = [entry.path for entry in entries]
    assert len(set(paths)) == len(paths)
    named = {entry.sha256: entry.size for entry in entries if isinstance(entry, ManifestFile)}
    contents = {}
    while (member := await reader.next_member()) is not None:
        content = b"".join([piece async for piece in reader.content()])
        assert named[member.name] == len(content)
        assert member.name not in contents
        if sha256(content) != member.name:
            raise ClientError("invalid_archive", f"The content of {member.name} is another's")
        contents[member.name] = content
    return entries, contents, manifest
