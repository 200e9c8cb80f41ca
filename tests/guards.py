"""The guards that `make mutate-guards` drops, and how their files read without them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Guard:
    """One guard, and how its file reads without it."""

    name: str
    file: str
    text: str
    without: str
    test: str
    """The test file that is to notice, or one test of it; where it does not, all are asked."""


def guards_of(
    file: str, tests: str, *guards: tuple[str, str, str] | tuple[str, str, str, str]
) -> tuple[Guard, ...]:
    """Return guards of one file that one test file is to notice: each its name, text, and without.

    Where that file takes seconds, also the name of the test in it.
    """
    return tuple(
        Guard(name, file, text, without, "::".join((tests, *test)))
        for name, text, without, *test in guards
    )


GUARDS = (
    *guards_of(
        "execution_environment/sandbox/syscalls.py",
        "tests/execution_environment/sandbox/test_syscalls.py",
        ("RESOLVE_BENEATH", "RESOLVE = _RESOLVE_BENEATH | ", "RESOLVE = "),
        ("RESOLVE_NO_SYMLINKS", " | _RESOLVE_NO_SYMLINKS", ""),
        ("RESOLVE_NO_MAGICLINKS", " | _RESOLVE_NO_MAGICLINKS", ""),
        ("RESOLVE_NO_XDEV", " | _RESOLVE_NO_XDEV", ""),
        ("RENAME_NOREPLACE", "_RENAME_NOREPLACE = 1", "_RENAME_NOREPLACE = 0"),
    ),
    *guards_of(
        "execution_environment/sandbox/descriptors.py",
        "tests/execution_environment/sandbox/test_descriptors.py",
        ("O_NOFOLLOW of READ", " | os.O_NOCTTY | os.O_NOFOLLOW", " | os.O_NOCTTY"),
        ("O_NONBLOCK of READ", "os.O_RDONLY | os.O_NONBLOCK", "os.O_RDONLY"),
        ("O_NOFOLLOW of ANY", "ANY = os.O_PATH | os.O_NOFOLLOW", "ANY = os.O_PATH"),
        (
            "regular file, after the open",
            "        require_file(status, path)\n        yield descriptor, status\n",
            "        yield descriptor, status\n",
        ),
    ),
    *guards_of(
        "common/files/paths.py",
        "tests/common/files/test_paths.py",
        ("path: empty", "    if not raw:\n", "    if False:\n"),
        ("path: absolute", '    if raw.startswith(b"/"):\n', "    if False:\n"),
        ("path: NUL", '    if b"\\0" in raw:\n', "    if False:\n"),
        ("path: '..'", '    if b".." in parts:\n', "    if False:\n"),
        ("path: overlong", "    if len(raw) > MAX_PATH:\n", "    if False:\n"),
        (
            "path: overlong name",
            "    if any(len(part) > MAX_NAME for part in parts):\n",
            "    if False:\n",
        ),
        ("path: lone surrogates", ", shown.encode())", ', shown.encode(errors="surrogatepass"))'),
    ),
    *guards_of(
        "common/context.py",
        "tests/common/test_models.py",
        (
            "user owns the root",
            '    if self.allowed_paths_root.split("/")[0] != self.user_id:\n',
            "    if False:\n",
        ),
    ),
    *guards_of(
        "execution_environment/sandbox/walking.py",
        "tests/execution_environment/sandbox/test_walking.py",
        (
            "status before the close",
            """as found:
        return [
            Entry((*parts, os.fsencode(item.name)), status)
            for item in found
            if (status := _status(item)) is not None
        ]
""",
            """as found:
        late = list(found)
    return [
        Entry((*parts, os.fsencode(item.name)), status)
        for item in late
        if (status := _status(item)) is not None
    ]
""",
        ),
    ),
    *guards_of(
        "execution_environment/sandbox/marks.py",
        "tests/execution_environment/transactions/test_recovery.py",
        (
            "mark: the time of birth",
            '{status.st_ino}@{birth}"',
            '{status.st_ino}"',
            "test_recovery_leaves_alone_what_others_made_in_a_place",
        ),
    ),
    *guards_of(
        "execution_environment/sandbox/renames.py",
        "tests/execution_environment/transactions/test_recovery.py",
        (
            "no mark, no repetition",
            "if rename.mark is None:",
            "if False:",
            "test_an_older_programs_deletion_is_not_repeated_on_what_is_there",
        ),
    ),
    *guards_of(
        "execution_environment/sandbox/renames.py",
        "tests/execution_environment/sandbox/test_renames.py",
        (
            "directories on the disk",
            "                self.apply(rename)\n        self.sync(renames)\n",
            "                self.apply(rename)\n",
        ),
        ("each directory once", "in dict.fromkeys(place for", "in list(place for"),
        (
            "room for a file",
            "except (FileNotFoundError, NotADirectoryError):",
            "except FileNotFoundError:",
        ),
    ),
    *guards_of(
        "execution_environment/transactions/committer.py",
        "tests/execution_environment/transactions/test_bulk.py",
        (
            "many files on the disk",
            "            self._renamer.staging.sync_all()\n",
            "",
            "test_many_files_are_on_the_disk_before_their_intent",
        ),
        (
            "steps on the disk",
            '            with translated("."):\n                self._renamer.sync(change.renames)\n',
            "",
            "test_many_files_are_on_the_disk_before_their_intent",
        ),
    ),
    *guards_of(
        "execution_environment/transactions/change_lists.py",
        "tests/execution_environment/transactions/test_change_lists.py",
        ("a list that is proven", "if digest.hexdigest() != name:", "if False:"),
        ("lists that calls name", " and not is_named(path.name)", ""),
        ("young lists", "path.stat().st_mtime < before and ", ""),
    ),
    *guards_of(
        "execution_environment/transactions/locks.py",
        "tests/execution_environment/transactions/test_locks.py",
        (
            "the lock, to the end of the thread",
            "await until_done(",
            "await (",
            "test_work_that_was_cancelled_holds_its_lock_to_the_end",
        ),
    ),
    *guards_of(
        "execution_environment/transactions/turns.py",
        "tests/execution_environment/transactions/test_turns.py",
        ("a turn that nobody takes", "if following.cancelled():", "if False:"),
    ),
    *guards_of(
        "execution_environment/ledger/commits.py",
        "tests/execution_environment/ledger/test_commits.py",
        (
            "what fails in a group undoes itself",
            '            connection.execute("ROLLBACK TO work")\n',
            "            pass\n",
        ),
        (
            "what a group has come to nothing of is done",
            "            request.do(partial(self._alone, request))\n",
            "            pass\n",
        ),
    ),
    *guards_of(
        "execution_environment/transactions/recovery.py",
        "tests/execution_environment/transactions/test_recovery.py",
        (
            "changes of the living are made",
            "        if intent.id in self._disowned or not intent.process:\n            return True\n        return self._renamer.staging.has_ended(intent.process)\n",
            "        return True\n",
            "test_changes_of_a_living_process_are_never_made_again",
        ),
        (
            "a record is looked for",
            "if not self._audit.holds(intent.trail, intent.id):",
            "if True:",
            "test_recovery_finds_a_record_however_much_was_written_after_it",
        ),
        (
            "a missing record is announced",
            "            self._ledger.intents.note_trail(intent.place, self._audit.head)\n",
            "",
            "test_a_recovery_that_is_cut_short_puts_a_change_on_record_once",
        ),
    ),
    *guards_of(
        "execution_environment/workspace/staged_change.py",
        "tests/execution_environment/tools/test_apply_patch.py",
        ("one change of a place", "        self._change_set.planned.add(parts)\n", ""),
    ),
    *guards_of(
        "execution_environment/workspace/staged_change.py",
        "tests/execution_environment/workspace/test_staged_change.py",
        (
            "a user's directory, outside any change",
            "            self._renamer.make_above(self._root.base)\n",
            "            pass\n",
        ),
    ),
    *guards_of(
        "execution_environment/tools/delete_path.py",
        "tests/execution_environment/tools/test_delete_path.py",
        ("trees measured under the lock", "return self.recursive", "return False"),
    ),
    *guards_of(
        "execution_environment/ledger/reservations.py",
        "tests/execution_environment/ledger/test_reservations.py",
        ("staged bytes of all calls", "if size > 0 and taken + size > limit:", "if False:"),
    ),
    *guards_of(
        "execution_environment/ledger/idempotency.py",
        "tests/execution_environment/transactions/test_settlement.py",
        ("an id that was given up", "        _require_wanted(connection, key)\n", ""),
    ),
    *guards_of(
        "execution_environment/ledger/idempotency.py",
        "tests/execution_environment/routes/test_tools.py",
        ("given up by this owner", " or key.fence <= fence:", ":"),
    ),
    *guards_of(
        "execution_environment/ledger/ledger.py",
        "tests/execution_environment/ledger/test_chains.py",
        ("heads with each intent", "        chains.note(connection, intent.head)\n", ""),
    ),
    *guards_of(
        "execution_environment/audit/verifier.py",
        "tests/execution_environment/audit/test_verifier.py",
        ("a tail that was cut", "if head.seq < chain.head.seq:", "if False:"),
        (
            "a chain that was sealed anew",
            "if fixed.get(head.seq, head.hash) != head.hash:",
            "if False:",
        ),
        ("a torn line", 'if not text.endswith("\\n"):', "if False:"),
    ),
    *guards_of(
        "execution_environment/audit/reader.py",
        "tests/execution_environment/audit/test_writer.py",
        ("a dry run is no change", '        and not record.get("dry_run")\n', ""),
    ),
    *guards_of(
        "execution_environment/transactions/locks.py",
        "tests/execution_environment/transactions/test_locks.py",
        ("a lock file that was removed", "if not is_held or _is_there(descriptor):", "if True:"),
    ),
    *guards_of(
        "execution_environment/audit/retention.py",
        "tests/execution_environment/audit/test_retention.py",
        ("chains that are needed", "if chain not in needed:", "if True:"),
    ),
    *guards_of(
        "execution_environment/ledger/schema.py",
        "tests/execution_environment/ledger/test_schema.py",
        (
            "a newer program's data",
            "if version > FORMAT:",
            "if False:",
            "test_data_of_a_newer_format_is_refused_and_left_alone",
        ),
    ),
    *guards_of(
        "execution_environment/routes/contexts.py",
        "tests/execution_environment/routes/test_contexts.py",
        (
            "refusals on record",
            "await asyncio.to_thread(_note, request, self.name, refusal)",
            "pass",
        ),
    ),
    *guards_of(
        "orchestrator/execution/transfers.py",
        "tests/orchestrator/execution/test_transfers.py",
        (
            "dots in a path",
            'segment.replace(".", r"\\x2e") if segment in (".", "..") else segment',
            "segment",
        ),
        ("headers that mean something", " if header[0] in PASSED_ON", ""),
        (
            "whose fault a body's end is",
            "raise failure or transport_fault",
            "raise transport_fault",
        ),
    ),
    *guards_of(
        "orchestrator/routes/workspaces.py",
        "tests/orchestrator/routes/test_workspaces.py",
        (
            "workspaces in use",
            "    await services.store.workspaces.require_unused(user, name)\n",
            "",
        ),
    ),
    *guards_of(
        "orchestrator/routes/sessions.py",
        "tests/orchestrator/routes/test_workspaces.py",
        ("workspaces at work", "if session.active_run is not None:", "if False:"),
        ("workspaces of other sessions", "name, but_for=session.id)", "name + 'x')"),
    ),
    *guards_of(
        "execution_environment/routes/files.py",
        "tests/execution_environment/routes/test_files.py",
        ("whole uploads only", "    require_whole(request.headers)\n", ""),
    ),
    *guards_of(
        "common/web/conditions.py",
        "tests/execution_environment/routes/test_files.py",
        ("dates beyond any clock", "(ValueError, OverflowError)", "ValueError"),
    ),
    *guards_of(
        "common/files/quoting.py",
        "tests/common/files/test_quoting.py",
        ("names quoted in diffs", "    if name.isprintable() and not", "    if True or not"),
    ),
    *guards_of(
        "execution_environment/sandbox/descriptors.py",
        "tests/execution_environment/workspace/test_receipts.py",
        (
            "modes as in receipts",
            "    os.chmod(leaf, mode, dir_fd=parent)\n",
            "",
            "test_modes_are_what_receipts_say_whatever_the_umask",
        ),
    ),
    *guards_of(
        "common/documents/strict_json.py",
        "tests/common/documents/test_strict_json.py",
        (
            "values, counted before they are made",
            "    if values > MAX_VALUES:\n",
            "    if False:\n",
        ),
        ("a name that is said twice", "    if kept < keys:\n", "    if False:\n"),
    ),
    *guards_of(
        "common/web/ambiguity.py",
        "tests/common/web/test_web.py",
        (
            "addresses are text",
            '                _require_text(scope["raw_path"] + b"?" + scope["query_string"])\n',
            "",
            "test_an_address_that_is_no_text_is_refused",
        ),
        (
            "headers that contradict themselves",
            '                _require_single(scope["headers"])\n',
            "",
            "test_a_header_that_contradicts_itself_is_refused",
        ),
    ),
    *guards_of(
        "common/web/protocols/patience.py",
        "tests/common/web/protocols/test_patience.py",
        (
            "requests that wait",
            "size > MAX_HEADERS or len(self.pipeline) >= MAX_QUEUED",
            "size > MAX_HEADERS",
            "test_requests_that_wait_are_few_and_answered_before_the_connection_ends",
        ),
        (
            "bytes that the parser keeps",
            "        self._kept += len(data)\n",
            "",
            "test_what_the_http_parser_keeps_to_itself_is_bounded",
        ),
        (
            "an answer has to be taken",
            "        super().pause_writing()\n        self._wait(self.write_time)\n",
            "        super().pause_writing()\n",
            "test_a_connection_ends_whose_client_takes_nothing_of_its_answer",
        ),
    ),
    *guards_of(
        "common/web/protocols/upgrades.py",
        "tests/common/web/protocols/test_upgrades.py",
        ("a body behind an offer", "is_offered and not self._should_upgrade()", "False"),
    ),
    *guards_of(
        "common/web/protocols/sockets.py",
        "tests/orchestrator/routes/test_websocket.py",
        (
            "a handshake that cannot be read",
            "        if not self.handshake_initiated:",
            "        if False:",
            "test_websocket_handshake_that_is_none_does_not_hold_a_connection",
        ),
        (
            "a slow client's end",
            "        super().pause_writing()\n        self._stop_waiting()\n"
            "        self._patience = self.loop.call_later(self.write_time, self._give_up)\n",
            "        super().pause_writing()\n",
            "test_websocket_client_that_stops_reading_is_closed_with_1013",
        ),
    ),
    *guards_of(
        "orchestrator/security/access.py",
        "tests/orchestrator/security/test_access.py",
        ("WebSockets are looked at", 'scope["type"] != "lifespan"', 'scope["type"] == "http"'),
    ),
    *guards_of(
        "orchestrator/streaming/reading.py",
        "tests/orchestrator/streaming/test_connections.py",
        (
            "a number that was given out twice",
            "not here.is_same(cursor)",
            "False",
            "test_cursor_whose_number_was_given_out_twice_gets_a_gap",
        ),
    ),
    *guards_of(
        "execution_environment/workspace/change_set.py",
        "tests/execution_environment/workspace/test_change_set.py",
        (
            "where a move goes",
            "if not any(directory in self.trees for directory in above):",
            "if not self.trees:",
        ),
    ),
    *guards_of(
        "execution_environment/sandbox/staging.py",
        "tests/execution_environment/sandbox/test_staging.py",
        (
            "staging that was cleared",
            " and os.fstat(descriptor).st_nlink > 0:",
            ":",
            "test_a_staging_directory_that_is_cleared_before_it_is_locked_is_made_again",
        ),
        (
            "one who clears at a time",
            "            if try_lock(descriptor):\n                for",
            "            if True:\n                for",
            "test_staging_of_the_dead_is_cleared_but_not_of_the_living_or_what_is_needed",
        ),
    ),
    *guards_of(
        "common/models.py",
        "tests/common/test_models.py",
        ("numbers as numbers", ", strict=True)", ")"),
        ("digits only", "isinstance(value, str) and not _DIGITS.fullmatch(value)", "False"),
    ),
    *guards_of(
        "common/settings.py",
        "tests/common/test_settings.py",
        ("absolute data directories", "Annotated[Path, AfterValidator(_real)]", "Path"),
    ),
    *guards_of(
        "common/processes/tether.py",
        "tests/common/processes/test_tether.py",
        ("no start for a starter that is gone", "    if os.getppid() != starter:", "    if False:"),
    ),
    *guards_of(
        "orchestrator/settings.py",
        "tests/orchestrator/test_settings.py",
        ("a key for one user", "if len(table) < len(pairs):", "if False:"),
    ),
    *guards_of(
        "orchestrator/store/lua/_prelude.lua",
        "tests/orchestrator/store/test_fencing.py",
        ("an old owner's write", "  if run[1] ~= fence then return 'fenced' end\n", ""),
    ),
    *guards_of(
        "orchestrator/store/lua/_prelude.lua",
        "tests/orchestrator/store/test_backend.py",
        (
            "an owner's write that comes again",
            "  if run[2] == fence .. ' ' .. mark then return 'repeated' end\n",
            "",
            "test_script_that_is_sent_twice_acts_once",
        ),
    ),
    *guards_of(
        "orchestrator/store/lua/_prelude.lua",
        "tests/orchestrator/store/test_progress.py",
        (
            "nothing behind what does not fit",
            "    if outcome == 'full' then break end\n",
            "",
            "test_nothing_is_begun_behind_an_outcome_that_does_not_fit",
        ),
        (
            "a beginning that comes late",
            "    redis.call('HSET', RUN, mark, last)\n    return 'repeated'\n",
            "",
            "test_outcome_and_the_next_beginning_that_are_sent_twice_take_effect_once",
        ),
    ),
    *guards_of(
        "orchestrator/store/lua/finish.lua",
        "tests/orchestrator/store/test_progress.py",
        (
            "an ending that rests on what does not fit",
            "if steps[#steps] == 'full' then",
            "if false then",
            "test_ending_whose_last_step_does_not_fit_is_none",
        ),
    ),
    *guards_of(
        "orchestrator/engine/steps.py",
        "tests/orchestrator/engine/test_together.py",
        (
            "a call that rests on what does not fit",
            "            if not run.note_stored(left, stored):\n                return None\n",
            "            run.note_stored(left, stored)\n",
            "test_output_that_does_not_fit_is_known_before_anything_rests_on_it",
        ),
    ),
    *guards_of(
        "orchestrator/engine/turns.py",
        "tests/orchestrator/engine/test_turns.py",
        (
            "a change alone",
            "    if _changes(call) or _changes(group[0]):\n        return False\n",
            "",
            "test_turn_is_gone_on_with_where_the_last_worker_was_lost",
        ),
        (
            "an ending whose outcome alone was stored",
            "    return _ending_after(run, run.turns[-1].calls)\n",
            "    return None\n",
            "test_failure_ends_the_run_of_a_worker_lost_before_it_could_say_so",
        ),
        (
            "nothing beside what is refused",
            "(call.n in refused or group[0].n in refused)",
            "False",
            "test_grouped_leaves_a_refused_call_alone",
        ),
    ),
    *guards_of(
        "orchestrator/engine/budget.py",
        "tests/orchestrator/engine/test_runner.py",
        (
            "a budget for the whole decision",
            "needed = turn.calls[-1].n",
            "needed = turn.calls[0].n",
        ),
    ),
    *guards_of(
        "orchestrator/store/lua/drop_entry.lua",
        "tests/orchestrator/store/queue/test_queue.py",
        (
            "an entry that was noted anew",
            "if not score or tonumber(score) ~= tonumber(ARGV[2]) then",
            "if not score then",
        ),
    ),
    *guards_of(
        "orchestrator/store/lua/take_place.lua",
        "tests/orchestrator/store/queue/test_places.py",
        (
            "places of one user",
            "if redis.call('ZCARD', PLACES) >= MOST and",
            "if false and",
            "test_places_are_taken_and_the_run_beyond_them_stays_in_line",
        ),
    ),
    *guards_of(
        "orchestrator/store/queue/queue.py",
        "tests/orchestrator/store/queue/test_places.py",
        (
            "deadline of a silent owner",
            "{ref: until}, only_new=True)",
            "{ref: until})",
            "test_places_put_off_no_deadline_of_an_owner_by_a_stray_wake_up",
        ),
        (
            "a place that is another's",
            "{ref.member: until}, xx=True)",
            "{ref.member: until})",
            "test_places_are_renewed_with_the_lease_and_not_after_its_end",
        ),
    ),
    *guards_of(
        "orchestrator/store/queue/reaper.py",
        "tests/orchestrator/store/queue/test_reaper.py",
        ("a wake-up that waits in the stream", "min(now - lease, past), now)", "now - lease, now)"),
    ),
    *guards_of(
        "orchestrator/store/queue/entries.py",
        "tests/orchestrator/store/queue/test_reaper.py",
        ("a run in line that could not start", "self.active == self.ref.run_id", "True"),
    ),
    *guards_of(
        "orchestrator/store/lua/acquire.lua",
        "tests/orchestrator/store/test_leases.py",
        (
            "no start while a person is awaited",
            "if run[1] ~= 'running' and run[1] ~= 'queued' then",
            "if false then",
        ),
        ("cancelled, not given up", "  if run[6] == '1' then\n", "  if false then\n"),
    ),
    *guards_of(
        "execution_environment/searching/searchers.py",
        "tests/execution_environment/searching/test_searchers.py",
        ("processes worn out by one user", "            self._note_kill(user)\n", ""),
    ),
    *guards_of(
        "execution_environment/searching/processes.py",
        "tests/execution_environment/searching/test_processes.py",
        ("a process without secrets", "                    env={},\n", ""),
    ),
    *guards_of(
        "common/shares.py",
        "tests/execution_environment/test_threads.py",
        (
            "threads left to others",
            "self._held[user] >= self._ratio * self._free",
            "self._free <= 0",
        ),
    ),
    *guards_of(
        "execution_environment/tools/edit_file.py",
        "tests/execution_environment/test_deadlines.py",
        (
            "room for a replacement",
            "        self._require_room(count * (len(new) - len(old)))\n",
            "",
            "test_edit_file_makes_no_text_too_large_to_be_written",
        ),
    ),
    *guards_of(
        "common/files/patch_parser.py",
        "tests/execution_environment/test_deadlines.py",
        (
            "lines of a patch",
            "    if count > MAX_LINES:\n",
            "    if False:\n",
            "test_a_patch_of_too_many_lines_is_refused_by_their_number",
        ),
    ),
    *guards_of(
        "execution_environment/workspace/root.py",
        "tests/execution_environment/test_deadlines.py",
        (
            "guesses of a call",
            "            self.guesses -= 1\n",
            "",
            "test_missing_paths_get_a_few_guesses_and_no_more",
        ),
    ),
    *guards_of(
        "common/files/hunks.py",
        "tests/execution_environment/test_deadlines.py",
        (
            "steps of a diff",
            "        if self._left < 0:\n",
            "        if False:\n",
            "test_a_diff_that_would_take_too_many_steps_says_so",
        ),
    ),
    *guards_of(
        "execution_environment/sandbox/walking.py",
        "tests/execution_environment/test_deadlines.py",
        (
            "the clock inside a directory",
            "            check()\n",
            "            pass\n",
            "test_a_walk_looks_at_the_clock_within_one_directory",
        ),
    ),
    *guards_of(
        "orchestrator/store/lua/finish.lua",
        "tests/orchestrator/store/test_progress.py",
        (
            "messages that an answer does not know",
            "if is_known or shown and redis.call('LLEN', INBOX) > shown then",
            "if is_known then",
        ),
    ),
    *guards_of(
        "orchestrator/store/lua/record_turn.lua",
        "tests/orchestrator/store/test_progress.py",
        (
            "a turn that comes again late",
            "if redis.call('HEXISTS', TURNS, ARGV[OWN + 3]) == 1 then return { 'repeated' } end\n",
            "",
        ),
    ),
    *guards_of(
        "orchestrator/store/lua/send_message.lua",
        "tests/orchestrator/store/test_messages.py",
        (
            "the reaper is told before a run goes on",
            "if is_answer and ARGV[OWN + 6] ~= '1' then",
            "if false then",
            "test_answer_whose_sender_died_before_it_woke_a_worker_is_found_by_the_reaper",
        ),
    ),
    *guards_of(
        "orchestrator/engine/purse.py",
        "tests/orchestrator/engine/test_purse.py",
        (
            "tokens of the budget",
            "    if budget.tokens is not None and needed > budget.tokens:\n",
            "    if False:\n",
        ),
        (
            "money of the budget",
            "    if price > round(budget.cost, NANO_DIGITS):\n",
            "    if False:\n",
        ),
    ),
    *guards_of(
        "orchestrator/planners/llm/model.py",
        "tests/system/test_models.py",
        (
            "an answer that broke off",
            " or not self._has_ended(response)",
            "",
            "test_an_answer_that_breaks_off_is_a_fault_wherever_it_does",
        ),
    ),
    *guards_of(
        "orchestrator/planners/llm/providers/secrets.py",
        "tests/orchestrator/planners/llm/test_model.py",
        (
            "keys in a provider's words",
            "            text = text.replace(key, HIDDEN)\n",
            "            pass\n",
            "test_keys_are_taken_out_of_what_a_provider_says",
        ),
    ),
    *guards_of(
        "orchestrator/planners/llm/providers/opening.py",
        "tests/orchestrator/planners/llm/test_model.py",
        (
            "another provider's key",
            "if config.api_key and is_default else",
            "if config.api_key else",
            "test_a_key_is_not_given_to_another_provider",
        ),
    ),
    *guards_of(
        "orchestrator/planners/llm/context/marks.py",
        "tests/orchestrator/planners/llm/test_planner.py",
        (
            "a mark within data",
            '    return _IMITATION.sub(r"<\\\\", text)\n',
            "    return text\n",
            "test_what_a_model_reads_stays_data_whatever_it_says",
        ),
    ),
    *guards_of(
        "orchestrator/planners/llm/toolbox.py",
        "tests/orchestrator/planners/llm/test_toolbox.py",
        (
            "tools that a run has not asked for",
            "        if request.tool not in usable:\n",
            "        if request.tool not in self._all:\n",
        ),
    ),
    *guards_of(
        "agentic/api/transport.py",
        "tests/agentic/api/test_hostile_server.py",
        (
            "a key that goes along",
            'follow_redirects=False,\n            event_hooks={"response": [_refuse_redirect]}',
            "follow_redirects=True",
            "test_a_redirect_takes_the_key_to_no_other_host",
        ),
        (
            "a key within a header",
            "    if not _VISIBLE.fullmatch(text):\n",
            "    if False:\n",
            "test_an_api_key_that_no_header_can_hold_is_refused_and_not_told",
        ),
    ),
    *guards_of(
        "agentic/api/transport.py",
        "tests/agentic/api/test_files.py",
        (
            "'..' for a route",
            ' if segment in (".", "..") else quoted',
            ' if segment == "" else quoted',
        ),
    ),
    *guards_of(
        "agentic/api/answers.py",
        "tests/agentic/api/test_hostile_server.py",
        (
            "a packed answer",
            '    if answer.headers.get("content-encoding", "identity") != "identity":\n',
            "    if False:\n",
            "test_an_event_stream_of_a_broken_server_is_given_up",
        ),
    ),
    *guards_of(
        "agentic/api/events.py",
        "tests/agentic/api/test_hostile_server.py",
        (
            "odd data of an event",
            "    if model is None:\n",
            "    if True:\n",
            "test_an_event_whose_data_is_odd_ends_following_at_once",
        ),
    ),
    *guards_of(
        "agentic/api/files.py",
        "tests/agentic/api/test_files.py",
        ("half a file", "        if left:\n", "        if False:\n"),
        (
            "another part of a file",
            "if found is None or int(found[1]) != asked:",
            "if found is None:",
        ),
    ),
    *guards_of(
        "agentic/api/sse.py",
        "tests/agentic/api/test_sse.py",
        ("an endless event", "if len(self._line) + self._size > self._most:", "if False:"),
    ),
    *guards_of(
        "agentic/directory/pulling/applying.py",
        "tests/agentic/directory/pulling/test_crashes.py",
        (
            "pull: hashed again before the rename",
            "        if look(self._root, step.path) != step.was:\n",
            "        if False:\n",
            "test_a_file_that_is_changed_right_before_its_rename_stops_the_pull",
        ),
        (
            "pull: what is there before a step",
            "        if now != step.was:\n            return False\n",
            "",
            "test_a_file_that_was_edited_after_the_crash_is_a_conflict",
        ),
    ),
    *guards_of(
        "agentic/directory/pulling/fetching.py",
        "tests/agentic/directory/pulling/test_hostile.py",
        (
            "pull: contents of another size, or that nobody wants",
            "if sizes.pop(member.name, None) != member.size:",
            "if sizes.pop(member.name, 0) is None:",
        ),
        ("pull: contents that are missing", "    if sizes:\n", "    if False:\n"),
        ("pull: another manifest", "    if theirs.files != wanted:\n", "    if False:\n"),
    ),
    *guards_of(
        "agentic/directory/pulling/staging.py",
        "tests/agentic/directory/pulling/test_hostile.py",
        (
            "pull: the hash of a content",
            "        if self._digest.hexdigest() != self._sha256:\n",
            "        if False:\n",
        ),
        ("pull: the room for it", "        if size > free:\n", "        if False:\n"),
    ),
    *guards_of(
        "agentic/directory/differences.py",
        "tests/agentic/directory/pulling/test_hostile.py",
        (
            "pull: against what was asked",
            '    if (line.state == "new") == (path in asked):\n',
            "    if False:\n",
        ),
    ),
    *guards_of(
        "agentic/directory/pulling/incoming.py",
        "tests/agentic/directory/pulling/test_hostile.py",
        ("pull: .git", "path not in base and is_barred(path)", "False"),
        ("pull: names that are one here", "        if is_case_blind():\n", "        if False:\n"),
    ),
    *guards_of(
        "agentic/directory/comparing.py",
        "tests/agentic/directory/test_push.py",
        ("push: what no pull brings", "or (is_barred(path)", "or (False"),
    ),
    *guards_of(
        "agentic/directory/pulling/repositories.py",
        "tests/agentic/directory/pulling/test_repositories.py",
        ("pull: a repository by what is told", " | told[_name(above)]", ""),
        ("pull: a repository by what is here", "_signs_here(root, above) | ", ""),
        ("pull: a DIR that is git's own", "    _require_outside(Path(root.identity.path))\n", ""),
    ),
    *guards_of(
        "agentic/directory/writing.py",
        "tests/agentic/directory/test_writing.py",
        ("pull: a mode of other names", "if os.fstat(descriptor).st_nlink == 1:", "if True:"),
    ),
    *guards_of(
        "agentic/directory/pulling/asking.py",
        "tests/agentic/directory/test_pull.py",
        (
            "pull: another generation is no base",
            "    if is_known or not known.base:\n",
            "    if True:\n",
        ),
    ),
    *guards_of(
        "execution_environment/transactions/expecting.py",
        "tests/execution_environment/transactions/test_expecting.py",
        ("approved: compared with what it does", "    if found == seen:\n", "    if True:\n"),
        (
            "approved: no change is no directory either",
            "_that_count(receipts) if expected else _by_path(receipts)",
            "_that_count(receipts)",
        ),
    ),
    *guards_of(
        "execution_environment/calls/executor.py",
        "tests/execution_environment/transactions/test_expecting.py",
        (
            "approved: compared under the lock",
            "needs_lock = is_pinned or arguments.measures_trees",
            "needs_lock = arguments.measures_trees",
        ),
    ),
    *guards_of(
        "execution_environment/calls/executor.py",
        "tests/execution_environment/calls/test_batches.py",
        ("batches only read", "if only_reads:", "if False:"),
    ),
    *guards_of(
        "execution_environment/sandbox/tree_hash.py",
        "tests/execution_environment/transactions/test_expecting.py",
        (
            "approved: contents of a directory that goes",
            "        whole.update(piece)\n",
            "        pass\n",
        ),
    ),
    *guards_of(
        "execution_environment/calls/workspace_factory.py",
        "tests/execution_environment/transactions/test_expecting.py",
        (
            "who may only read",
            'if effect != "read" and context.access == "read_only" and not dry_run:',
            "if False:",
        ),
    ),
    *guards_of(
        "orchestrator/approvals/verdicts.py",
        "tests/orchestrator/approvals/test_verdicts.py",
        (
            "rules: any denial",
            "        if denial is not None:\n            return denial\n",
            "",
        ),
        (
            "rules: permission for each path",
            "if asking is not None or None in words or not words:\n            return asking\n"
            "        return words[0]\n",
            "if asking is not None or not any(words):\n            return asking\n"
            "        return next(filter(None, words))\n",
        ),
        ("rules: what lies in a tree", "if is_tree and self._reaches(text):", "if False:"),
    ),
    *guards_of(
        "orchestrator/approvals/paths.py",
        "tests/orchestrator/approvals/test_spellings.py",
        (
            "rules: paths as they are parsed",
            "yield Touched(parse(value), is_tree)",
            'yield Touched(tuple(value.encode().split(b"/")), is_tree)',
            "test_no_spelling_of_a_call_gets_round_a_denial",
        ),
    ),
    *guards_of(
        "orchestrator/approvals/paths.py",
        "tests/orchestrator/approvals/test_paths.py",
        ("rules: a tool that tells nothing", "return found or [EVERYTHING]", "return found"),
    ),
    *guards_of(
        "orchestrator/approvals/policy.py",
        "tests/orchestrator/approvals/test_policy.py",
        (
            "AGENTS.md asks",
            "any(map(INSTRUCTIONS.overlaps, touched))",
            "False",
        ),
    ),
    *guards_of(
        "orchestrator/approvals/weighing.py",
        "tests/orchestrator/approvals/test_weighing.py",
        (
            "a denial that is newer than an approval",
            'if state != "denied" and reviewed.state in',
            "if reviewed.state in",
        ),
        (
            "judged by what references resolve to",
            "            arguments = resolve_arguments(",
            "            resolve_arguments(",
        ),
        (
            "a rejection that a rule comes after",
            '    if reviewed.state == "rejected":\n        return "rejected"\n',
            "",
        ),
    ),
    *guards_of(
        "orchestrator/approvals/weighing.py",
        "tests/orchestrator/engine/test_gate.py",
        (
            "a read that was decided when no tools were known",
            "(judge.known(call) for call in turn.calls if",
            "(call for call in turn.calls if",
            "test_read_that_was_decided_when_no_tools_were_known_asks_as_a_read_does",
        ),
    ),
    *guards_of(
        "orchestrator/approvals/reviewing.py",
        "tests/orchestrator/approvals/test_reviewing.py",
        (
            "an edit that cannot be made asks",
            "if seen.preview.error is None or entry.arguments is not None:",
            "if seen.preview.error is None:",
        ),
        (
            "approvals of files that are others by now",
            'if call.n in left and call.state == "approved"',
            "if False",
        ),
    ),
    *guards_of(
        "orchestrator/approvals/dry_running.py",
        "tests/orchestrator/approvals/test_dry_running.py",
        (
            "dry runs may only read",
            'call.context.model_copy(update={"access": "read_only"})',
            "call.context",
        ),
    ),
    *guards_of(
        "orchestrator/approvals/pinning.py",
        "tests/orchestrator/approvals/test_pinning.py",
        ("a tree that nobody has seen", "        receipt.tree_sha256 is None\n", "        True\n"),
        (
            "what an earlier call has left",
            "known[receipt.path] == receipt.sha256_before",
            "True",
        ),
        ("what a copy takes", "known[path] in coming", "True"),
    ),
    *guards_of(
        "orchestrator/approvals/answers/saying.py",
        "tests/orchestrator/approvals/answers/test_answering.py",
        ("an answer to what nobody has seen", "if expected > waiting.revision:", "if False:"),
    ),
    *guards_of(
        "orchestrator/approvals/answers/answering.py",
        "tests/orchestrator/approvals/answers/test_answering.py",
        (
            "an answer is about the calls that it names",
            "_answered(call, body) if call.n in named else call",
            '_answered(call, body) if call.state == "asks" else call',
        ),
    ),
    *guards_of(
        "orchestrator/approvals/answers/editing.py",
        "tests/orchestrator/routes/test_editing.py",
        ("an edit of what was approved asks", '"state": "asks", "preview"', '"preview"'),
        ("an edit gets round no rule", 'if one.state == "denied":', "if False:"),
    ),
    *guards_of(
        "common/approvals/rules.py",
        "tests/common/approvals/test_rules.py",
        ("a rule's wildcards are bounded", "len(_WILD.findall(plain)) > MAX_WILD", "False"),
    ),
    *guards_of(
        "orchestrator/engine/turns.py",
        "tests/orchestrator/engine/test_gate.py",
        (
            "a denial that comes while a turn is made",
            "not await self._gate.holds(run, admission)",
            "False",
            "test_denial_that_comes_while_a_turn_is_made_holds_from_the_next_call_on",
        ),
    ),
    *guards_of(
        "orchestrator/engine/gate.py",
        "tests/orchestrator/engine/test_gate.py",
        (
            "nothing before the answers",
            "            if review.asking:\n                raise WaitingForApproval(review)\n",
            "",
            "test_nothing_of_a_turn_is_done_before_its_answer",
        ),
        (
            "what waits for references",
            '        if one.state == "deferred":\n            return\n',
            "",
            "test_call_whose_references_are_not_there_yet_asks_when_it_is_reached",
        ),
        (
            "a further call of what was begun",
            "k = entry.k + 1 if is_begun else entry.k",
            "k = entry.k",
            "test_file_that_changed_since_is_not_overwritten",
        ),
    ),
    *guards_of(
        "orchestrator/engine/granting.py",
        "tests/orchestrator/engine/test_granting.py",
        (
            "what was rejected",
            '    if entry.state == "rejected":\n',
            "    if False:\n",
        ),
        ("what is denied", '    if entry.state == "denied":\n', "    if False:\n"),
        (
            "what was approved, as it was shown",
            "return [] if preview is None else preview.receipts",
            "return None",
        ),
        (
            "what was approved unseen",
            "return [] if preview is None else preview.receipts",
            "return None if preview is None else preview.receipts",
        ),
        (
            "what nobody was asked about changes nothing",
            "return None if preview is None or preview.error is None else []",
            "return None",
        ),
        (
            "a run that may only read",
            '"read_only" if call.effect == "read" else run.access',
            '"read_only" if call.effect == "read" else "read_write"',
        ),
    ),
    *guards_of(
        "orchestrator/engine/deciding/decisions.py",
        "tests/orchestrator/engine/deciding/test_decisions.py",
        ("tools of a run that may only read", 'if asked.access == "read_write":', "if True:"),
    ),
    *guards_of(
        "orchestrator/engine/calls.py",
        "tests/orchestrator/engine/test_gate.py",
        (
            "what was approved is sent along",
            "        expected=step.expected,\n",
            "",
            "test_what_was_approved_is_done_once",
        ),
    ),
    *guards_of(
        "orchestrator/engine/steps.py",
        "tests/orchestrator/engine/test_gate.py",
        (
            "a denial that comes while a call is pinned",
            "if not await holds():",
            "if False:",
            "test_denial_that_comes_while_a_call_is_pinned_holds_for_it",
        ),
        (
            "pinned when it is reached",
            "not (is_made and is_as_seen(receipts, left, grant.seen))",
            "False",
            "test_call_that_depends_on_another_is_asked_about_again_when_somebody_came_between",
        ),
        (
            "pinned to a call that was made",
            "(is_made and is_as_seen(",
            "(is_as_seen(",
            "test_call_whose_predecessor_was_rejected_is_asked_about_again",
        ),
    ),
    *guards_of(
        "orchestrator/store/lua/answer_plan.lua",
        "tests/orchestrator/store/approvals/test_reviews.py",
        ("another plan than was seen", "if revision ~= EXPECTED then", "if false then"),
        ("an answer that comes again", "if run[3] == DIGEST then", "if false then"),
        (
            "another plan, before what its run waits for",
            "if revision ~= EXPECTED then return { 'changed', 0, now, revision } end\n"
            "if run[1] ~= 'awaiting_approval' then return { 'invalid_state', 0, now, revision } end\n",
            "if run[1] ~= 'awaiting_approval' then return { 'invalid_state', 0, now, revision } end\n"
            "if revision ~= EXPECTED then return { 'changed', 0, now, revision } end\n",
        ),
        (
            "an answer to what waits no more",
            "if run[1] ~= 'awaiting_approval' then",
            "if false then",
        ),
        (
            "the reaper is told before an answer counts",
            "if goes_on and ARGV[OWN + 12] ~= '1' then",
            "if false then",
        ),
    ),
    *guards_of(
        "orchestrator/store/lua/answer_plan.lua",
        "tests/orchestrator/store/queue/test_unanswered.py",
        (
            "an answer after its deadline",
            "if run[4] and tonumber(run[4]) <= now_ms then",
            "if false then",
        ),
    ),
    *guards_of(
        "orchestrator/store/lua/park.lua",
        "tests/orchestrator/store/approvals/test_asking.py",
        (
            "an old owner's question",
            "local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2])",
            "local refusal = nil",
            "test_run_that_asks_does_so_once_however_often_it_says_so",
        ),
        (
            "asked though it was cancelled",
            "if run[2] == '1' then",
            "if false then",
            "test_run_that_was_to_be_cancelled_is_not_asked_for",
        ),
    ),
    *guards_of(
        "orchestrator/store/lua/expire_answer.lua",
        "tests/orchestrator/store/queue/test_unanswered.py",
        (
            "time that is left for an answer",
            " or not run[2] or tonumber(run[2]) > now_ms then",
            " or not run[2] then",
        ),
    ),
    *guards_of(
        "orchestrator/store/lua/set_rules.lua",
        "tests/orchestrator/store/approvals/test_rules.py",
        (
            "rules never expire",
            "redis.call('HSET', KEYS[1], 'rules', ARGV[2], 'replaced', ARGV[3])\n",
            "redis.call('HSET', KEYS[1], 'rules', ARGV[2], 'replaced', ARGV[3])\n"
            "redis.call('EXPIRE', KEYS[1], 604800)\n",
        ),
    ),
    *guards_of(
        "orchestrator/store/encoding/run_records.py",
        "tests/orchestrator/engine/test_gate.py",
        (
            "what was approved is stored with its step",
            '_NAMES = {"name", "tool"}',
            '_NAMES = {"name", "tool", "expected"}',
            "test_worker_that_is_lost_after_the_approved_call_leaves_it_done_once",
        ),
    ),
    *guards_of(
        "orchestrator/routes/revisions.py",
        "tests/orchestrator/routes/test_approvals.py",
        (
            "an answer to whatever there is",
            "    if revision is None:\n",
            "    if False:\n",
            "test_answer_without_the_etag_of_what_was_seen_is_refused",
        ),
    ),
    *guards_of(
        "orchestrator/store/sessions.py",
        "tests/orchestrator/routes/test_approvals.py",
        (
            "sessions of other users",
            ' or fields["user"] != user_id:',
            ":",
            "test_nobody_answers_for_another_user",
        ),
    ),
    *guards_of(
        "agentic/terminal/asking.py",
        "tests/agentic/terminal/test_asking.py",
        (
            "nothing is sent before all is answered",
            "            elif await self._is_sent():",
            "            if await self._is_sent():",
        ),
        (
            "an edit that changes another call",
            "            if call != before.get(call.n):\n                self._said.pop(call.n, None)\n",
            "            if call != before.get(call.n):\n",
        ),
    ),
    *guards_of(
        "agentic/terminal/plans.py",
        "tests/agentic/terminal/test_plans.py",
        (
            "arguments that steer a terminal",
            'char if char.isprintable() or char == "\\n" else json.dumps(char)[1:-1] for char in text',
            "char for char in text",
        ),
    ),
    *guards_of(
        "agentic/terminal/show.py",
        "tests/agentic/terminal/test_plans.py",
        ("what is shown steers no terminal", "Text(harmless(text), ", "Text(text, "),
    ),
    *guards_of(
        "agentic/terminal/remembering.py",
        "tests/agentic/terminal/test_asking.py",
        (
            "all like this is in one place",
            "    if len(tops) > 1:\n        return None\n    [top] = tops\n",
            "    top = min(tops)\n",
        ),
    ),
    *guards_of(
        "orchestrator/mcp/calling/call.py",
        "tests/orchestrator/mcp/calling/test_calls.py",
        (
            "MCP: a key is its user's",
            "{self.caller.user_id}/{self.caller.workspace}/",
            "{self.caller.workspace}/",
        ),
        ("MCP: a key is its workspace's", "/{self.caller.workspace}/", "/"),
        (
            "MCP: what was approved is what is made",
            "expected = self.answer.asked.expected",
            "expected = None",
        ),
        (
            "MCP: an answer has its question's key",
            "self._id_of(self.key) == self.id",
            "True",
        ),
        (
            "MCP: an approval is for one call",
            "        if self.answer is not None:\n            return self.answer.asked.id\n",
            "",
        ),
    ),
    *guards_of(
        "orchestrator/mcp/calling/verdicts.py",
        "tests/orchestrator/mcp/calling/test_calls.py",
        (
            "MCP: a denial counts",
            '        if judgement.answer == "deny":\n',
            "        if False:\n",
        ),
        (
            "MCP: what is rejected is not made",
            "answer.refusal(request.tool) or ",
            "",
        ),
        (
            "MCP: whoever cannot be asked approves of nothing",
            "and not request.caller.can_be_asked:",
            "and False:",
        ),
    ),
    *guards_of(
        "orchestrator/mcp/calling/calls.py",
        "tests/orchestrator/mcp/calling/test_calls.py",
        (
            "MCP: a call that was made is not asked about",
            "        seen = await self._dry_run(request, context)\n        if seen is not None and seen.replayed:\n",
            "        seen = await self._dry_run(request, context)\n        if False:\n",
        ),
        (
            "MCP: a call that was made is not told as refused",
            "            if seen is not None and seen.replayed:\n",
            "            if False:\n",
        ),
        (
            "MCP: a replay is not told again",
            "        if not result.replayed:\n",
            "        if True:\n",
        ),
        (
            "MCP: what a client that has gone has done is told",
            "            if gone.result is not None:\n",
            "            if False:\n",
        ),
    ),
    *guards_of(
        "orchestrator/mcp/calling/making.py",
        "tests/orchestrator/mcp/calling/test_calls.py",
        (
            "MCP: the call of a client that has gone is settled",
            "            await _settle(making, ending)\n",
            "            making.cancel()\n            await asyncio.wait({making})\n",
        ),
    ),
    *guards_of(
        "orchestrator/mcp/protocol.py",
        "tests/system/mcp/test_approvals.py",
        (
            "MCP: an approval is its user's",
            'return f"{caller.user_id}/{caller.workspace}"',
            "return caller.workspace",
            "test_state_is_for_its_user_workspace_and_arguments_alone",
        ),
        (
            "MCP: an approval is its workspace's",
            'return f"{caller.user_id}/{caller.workspace}"',
            "return caller.user_id",
            "test_state_is_for_its_user_workspace_and_arguments_alone",
        ),
    ),
    *guards_of(
        "orchestrator/mcp/resources.py",
        "tests/orchestrator/mcp/test_resources.py",
        (
            "MCP: a name of a URI stays one name",
            '    if any("/" in name for name in names):\n',
            "    if False:\n",
        ),
        (
            "MCP: a part of a file is not the file",
            "    if file.truncated:\n",
            "    if False:\n",
        ),
    ),
    *guards_of(
        "orchestrator/store/lua/note_call.lua",
        "tests/orchestrator/store/test_direct_calls.py",
        (
            "MCP: a call is told once",
            "if redis.call('EXISTS', KEYS[10]) == 1 then return { 'noted' } end\n",
            "",
        ),
    ),
    *guards_of(
        "execution_environment/tools/edit_file.py",
        "tests/execution_environment/tools/test_edit_file.py",
        (
            "an edit counts in one way",
            'if self.replace_all and "expected_count" in self.model_fields_set',
            "if False",
        ),
    ),
    *guards_of(
        "execution_environment/toolkit/white_space.py",
        "tests/execution_environment/toolkit/test_white_space.py",
        (
            "what is looked for but for white space has a bound",
            " or len(wanted) > MAX_WANTED",
            "",
        ),
        (
            "places alike but for white space have a bound",
            "islice(_alike(content, wanted), MAX_PLACES)",
            "_alike(content, wanted)",
        ),
    ),
    *guards_of(
        "agentic/harnesses/calls.py",
        "tests/agentic/harnesses/test_calls.py",
        (
            "harness: a caller that goes leaves no run behind",
            "            run = await asyncio.shield(starting)\n",
            "            run = await starting\n",
        ),
        (
            "harness: a run that nobody answers is cancelled",
            "            await self._client.cancel_run(run.session_id, run.id)\n            ended = ",
            "            ended = ",
        ),
        (
            "harness: a run that has not succeeded is no answer",
            '    if run.status != "succeeded":\n',
            "    if False:\n",
        ),
    ),
    *guards_of(
        "agentic/harnesses/contents.py",
        "tests/agentic/harnesses/test_contents.py",
        (
            "harness: a large file is written where a call could be",
            "        _require_harmless(probe)\n",
            "",
        ),
    ),
    *guards_of(
        "agentic/harnesses/openai_agents/client.py",
        "tests/agentic/harnesses/openai_agents/test_client.py",
        ("sandbox: a workspace that was there stays", "if state.is_workspace_owned:", "if True:"),
    ),
    *guards_of(
        "agentic/harnesses/openai_agents/session.py",
        "tests/agentic/harnesses/openai_agents/test_session.py",
        ("sandbox: reading only", 'if self._access == "read_only":', "if False:"),
    ),
    *guards_of(
        "agentic/harnesses/openai_agents/capability.py",
        "tests/agentic/harnesses/openai_agents/test_capability.py",
        ("sandbox: tools that change are named", 'if tool.effect == "read"', "if True"),
    ),
    *guards_of(
        "orchestrator/mcp/bodies.py",
        "tests/orchestrator/mcp/test_bodies.py",
        ("MCP: an envelope has a bound", '"arguments": None', '"nothing": None'),
    ),
    *guards_of(
        "orchestrator/agui/door.py",
        "tests/orchestrator/agui/test_door.py",
        (
            "AG-UI: an answer comes from its thread",
            "if (session.workspace, session.metadata.get(THREAD)) != (self._workspace, body.thread_id):",
            "if False:",
        ),
        (
            "AG-UI: what is abandoned is what waits",
            " and kept == waiting.revision",
            "",
        ),
        ("AG-UI: an answer is to one question", "answers=waiting.revision", "answers=None"),
        ("AG-UI: no header brings its keys", '_OURS = "\\0agui"', '_OURS = "agui"'),
        (
            "AG-UI: a thread belongs to a workspace",
            'key = f"{_OURS} {self._workspace} {thread_id}", THREAD',
            'key = f"{_OURS} {thread_id}", THREAD',
        ),
    ),
    *guards_of(
        "agentic/mcp/upstream.py",
        "tests/agentic/mcp/test_bridge.py",
        ("agentic mcp: what may have arrived is unknown", 'error.outcome = "unknown"', "pass"),
    ),
    *guards_of(
        "agentic/mcp/bridge.py",
        "tests/agentic/mcp/test_asking.py",
        (
            "agentic mcp: who shows no forms is not asked",
            "FORMS if shows_forms(context) else {}",
            "FORMS",
        ),
    ),
    *guards_of(
        "agentic/mcp/messages.py",
        "tests/agentic/mcp/test_messages.py",
        (
            "agentic mcp: what was asked is answered before the end",
            "                await self._under_way.answered()\n",
            "                pass\n",
        ),
        (
            "agentic mcp: a signal is the end of the input",
            "            doing[0].cancel()\n",
            "            pass\n",
        ),
    ),
    *guards_of(
        "agentic/mcp/under_way.py",
        "tests/agentic/mcp/test_messages.py",
        (
            "agentic mcp: an id has one answer",
            "            if coerce_request_id(message.id) in self._asked:\n",
            "            if False:\n",
        ),
        (
            "agentic mcp: who asks its own client is known",
            "self._asked.keys() <= set(self._asking.values())",
            "len(self._asked) <= len(self._asking)",
        ),
    ),
    *guards_of(
        "orchestrator/mcp/calling/calls.py",
        "tests/orchestrator/mcp/calling/test_calls.py",
        (
            "MCP: a fault does not tell that a call has not happened",
            "        if not request.is_new:\n            fault.outcome",
            "        if False:\n            fault.outcome",
        ),
    ),
    *guards_of(
        "execution_environment/one_cpu.py",
        "tests/execution_environment/test_one_cpu.py",
        (
            "one CPU: another process's is not taken",
            "        if not is_ours:\n",
            "        if False:\n",
        ),
        (
            "one CPU: all are given back",
            "        self._place(self._cpus, OSError)\n",
            "",
        ),
    ),
)
