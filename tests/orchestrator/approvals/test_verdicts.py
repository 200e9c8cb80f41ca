"""What rules say of a call: no glob rules less than it says, and nothing is permitted beyond it."""

from fnmatch import fnmatchcase
from itertools import product
from random import Random

import pytest

from common.approvals.rules import MAX_GLOB, MAX_WILD, Rule
from common.errors import ClientError
from common.files.paths import parse
from orchestrator.approvals.paths import Touched
from orchestrator.approvals.verdicts import BLOCK, RuleBook, book_of, check_rules

NAMES = ("a", "x", "k.pem")
EVERY_PATH = [path for depth in range(1, 6) for path in product(NAMES, repeat=depth)]
TREES = [path for depth in range(3) for path in product(NAMES, repeat=depth)]


def book(*rules):
    """Return the rules of a session, each given as (effect, path) or (effect, path, tool)."""
    return RuleBook([layer(*rules)])


def layer(*rules):
    """Return rules."""
    return [
        Rule(effect=effect, path=path, tool=tool)
        for effect, path, tool in ((*rule, None)[:3] for rule in rules)
    ]


def at(path, *, tree=False):
    """Return what a call touches that names a path."""
    return Touched(parse(path), is_tree=tree)


def said(rules, *touched, tool="write_file"):
    """Return the effect of a verdict."""
    verdict = rules.verdict(tool, touched)
    return None if verdict is None else verdict.effect


def test_any_denial_counts_before_whatever_permits():
    """What was remembered permits no more than what nobody has forbidden."""
    order = RuleBook([layer(("allow", "a")), layer(("ask", "a")), layer(("deny", "a/b"))])
    assert said(order, at("a/b")) == "deny"
    assert said(order, at("x"), at("a/b")) == "deny"
    assert said(order, at("a")) == "allow"


@pytest.mark.parametrize("effects", [("allow", "ask"), ("ask", "allow")])
def test_what_was_remembered_comes_first_then_the_sessions_rules_then_the_users(effects):
    """And within one of them, the one that stands first."""
    first, second = effects
    empty = layer()
    for place in range(3):
        layers = [empty] * place + [layer((first, "a"))] + [layer((second, "a"))] * (2 - place)
        assert said(RuleBook(layers), at("a")) == first
    assert said(book((first, "a"), (second, "a")), at("a")) == first


def test_call_is_allowed_where_each_of_its_paths_is():
    """What asks for one of them asks for the call; what nobody has ruled is the policy's."""
    rules = book(("allow", "a"), ("ask", "b"))
    assert said(rules, at("a"), at("a/x")) == "allow"
    assert said(rules, at("a"), at("c")) is None
    assert said(rules, at("a"), at("b")) == "ask"
    assert said(rules, at("c"), at("b")) == "ask"
    assert said(rules) is None


def test_rule_of_a_tool_is_about_that_alone():
    """A rule without path is about all that it touches."""
    rules = book(("deny", None, "delete_path"), ("allow", "a", "read_file"))
    assert said(rules, at("x"), tool="delete_path") == "deny"
    assert said(rules, at("a"), tool="read_file") == "allow"
    assert said(rules, at("a"), tool="write_file") is None


@pytest.mark.parametrize(
    ("glob", "ruled", "free"),
    [
        ("secrets", ["secrets", "secrets/k", "a/secrets", "a/secrets/k/l"], ["secret", "secrets2"]),
        ("secrets/", ["secrets/k", "a/secrets/k"], ["xsecrets"]),
        ("secrets/**", ["secrets", "secrets/k", "secrets/k/l"], ["a/secrets/k", "secrets2/k"]),
        ("secrets/*", ["secrets/k", "secrets/k/l"], ["secrets", "a/secrets/k"]),
        ("*.pem", ["k.pem", "a/b/k.pem", "k.pem/in"], ["k.pem2", "pem"]),
        ("**/x", ["x", "a/x", "a/b/x/c"], ["a/xy", "y"]),
        ("**/x/**", ["x", "a/x", "a/b/x/c"], ["a/xy", "y"]),
        ("a/*/b", ["a/q/b", "a/q/b/c"], ["a/b", "a/q/r/b", "c/a/q/b"]),
        ("a/**/b", ["a/b", "a/q/b", "a/q/r/b/c"], ["b", "x/a/b"]),
        ("a**", ["a", "ab/c", "x/a/b"], ["b"]),
        ("*", ["a", "a/b"], []),
        ("**", ["a", "a/b"], []),
        ("**/*", ["a", "a/b"], []),
        ("[", ["[", "a/["], ["a"]),
        ("{}", ["{}", "a/{}/x"], ["a"]),
        ("[!a]x", ["bx"], ["ax", "a/x"]),
        ("[^a]x", ["bx"], ["ax", "a/x"]),
        ("[!]-]x", ["bx"], ["]x", "-x"]),
        (r"\xFF*", [r"\xff", r"a/\xffb/c"], ["xff", "ÿ", r"\\xff"]),
        (r"a\\b", [r"a\\b", r"a\b"], ["a/b", "ab"]),
        ("café", ["café"], ["cafe\u0301", "CAFÉ"]),
        ("a\nb", [r"a\x0ab"], ["ab"]),
    ],
)
def test_glob_rules_what_it_matches_with_all_that_is_in_it(glob, ruled, free):
    """Names are bytes: a name that only looks like another one is another file."""
    rules = book(("deny", glob))
    assert [path for path in ruled if said(rules, at(path)) != "deny"] == []
    assert [path for path in free if said(rules, at(path)) is not None] == []


def matches(glob, path):
    """Tell whether a glob's names are a path's: the plain way, for names without sets."""
    if not glob or not path:
        return not path and all(name == "**" for name in glob)
    if glob[0] == "**":
        return matches(glob[1:], path) or matches(glob, path[1:])
    return fnmatchcase(path[0], glob[0]) and matches(glob[1:], path[1:])


def is_ruled(glob, path):
    """Tell whether a path, or a directory that it is in, is what a glob says."""
    names = glob.removesuffix("/**").split("/")
    names = ["**", *names] if "/" not in glob else names
    return any(matches(names, path[:depth]) for depth in range(1, len(path) + 1))


def globs(count):
    """Return globs by chance, of up to three names."""
    random = Random(14)  # noqa: S311  # the same ones each time
    names = [*NAMES, "**", "*", "*.pem", "?", "k*"]
    made = {"/".join(random.choices(names, k=random.randint(1, 3))) for _ in range(count)}
    return sorted(glob for glob in made if "**/**" not in glob)


@pytest.mark.parametrize("glob", globs(80))
def test_rule_of_a_glob_reaches_exactly_what_it_matches(glob):
    """A path where it is ruled; a tree where a path may lie in it that is."""
    rules, ruled = book(("deny", glob)), {p for p in EVERY_PATH if is_ruled(glob, p)}
    assert ruled == {path for path in EVERY_PATH if said(rules, at("/".join(path))) == "deny"}
    reached = {tree for tree in TREES if any(path[: len(tree)] == tree for path in ruled)}
    assert reached == {
        tree for tree in TREES if said(rules, at("/".join(tree) or ".", tree=True)) == "deny"
    }


@pytest.mark.parametrize("glob", globs(80))
def test_permission_for_a_tree_is_given_where_all_in_it_is_permitted(glob):
    """A directory that a glob does not cover as a whole asks as ever."""
    rules = book(("allow", glob))
    for tree in TREES:
        if said(rules, at("/".join(tree) or ".", tree=True)) == "allow":
            within = [path for path in EVERY_PATH if path[: len(tree)] == tree and path != ()]
            assert all(said(rules, at("/".join(path))) == "allow" for path in within[:200])
            assert all(is_ruled(glob, path) for path in within)


@pytest.mark.parametrize("glob", ["*", "**", "**/*", None])
def test_permission_for_everything_is_permission_for_the_workspace(glob):
    """It is written in many ways."""
    assert said(book(("allow", glob)), at(".", tree=True)) == "allow"
    assert said(book(("deny", glob)), at(".")) == "deny"


def test_permission_for_what_is_in_directories_is_none_for_the_files_beside_them():
    """`docs/**` is `docs` as well, but `*/**` is not the workspace's own files."""
    rules = book(("allow", "*/**"))
    assert said(rules, at("README.md", tree=True)) is None
    assert said(rules, at("docs/README.md", tree=True)) == "allow"
    assert said(book(("allow", "docs/**")), at("docs", tree=True)) == "allow"
    assert said(book(("allow", "docs/**")), at("secrets/docs", tree=True)) is None


def test_verdict_says_whether_what_is_ruled_was_named():
    """Else a narrower call may still be made."""
    rules = book(("deny", "*.pem"))
    assert not rules.verdict("t", [at("k.pem", tree=True)]).is_below
    assert rules.verdict("t", [at("src", tree=True)]).is_below
    assert rules.verdict("t", [at("src")]) is None


@pytest.mark.parametrize("place", [0, BLOCK - 1, BLOCK, 3 * BLOCK - 1])
@pytest.mark.parametrize("effect", ["ask", "deny"])
def test_rule_counts_wherever_it_stands_among_many(place, effect):
    """They are looked at in blocks."""
    rules = [(effect, f"other{n}/**") for n in range(3 * BLOCK)]
    rules[place] = (effect, "a/*.pem")
    verdict = book(*rules).verdict("t", [at("a/k.pem")])
    assert (verdict.effect, verdict.rule.path) == (effect, "a/*.pem")
    assert said(book(*rules), at("a", tree=True)) == effect
    assert said(book(*rules), at("b", tree=True)) is None


@pytest.mark.parametrize("costly", ["[!é中😀]", "***/", "?", "a/"])
def test_longest_globs_fit_together_into_one_pattern(costly):
    """RE2 bounds what a pattern may take: a block that was refused would end every run."""
    most = (MAX_GLOB - 4) // len(costly)
    long = costly * (most if costly == "a/" else min(most, MAX_WILD))
    rules = book(*(("deny", f"{long}{n}") for n in range(BLOCK - 1)), ("deny", "b"))
    assert said(rules, at("b/c")) == "deny"
    assert said(rules, at("c")) is None


def test_rule_whose_glob_makes_no_sense_is_refused_by_its_number():
    """It would rule nothing, and nobody would know why."""
    with pytest.raises(ClientError) as caught:
        check_rules(layer(("deny", "a"), ("deny", "[z-a]")))
    assert caught.value.code == "invalid_request"
    assert [field.field for field in caught.value.context.fields] == ["rules.1.path"]
    check_rules(layer(("deny", "a"), ("ask", None), ("allow", "**/*.[ch]")))


def test_rule_of_a_tool_that_there_is_not_is_refused_while_the_tools_are_known():
    """A denial with a slip of the pen would deny nothing."""
    rules = [Rule(effect="deny"), Rule(tool="write_fil", effect="deny")]
    with pytest.raises(ClientError) as caught:
        check_rules(rules, ["read_file", "write_file"])
    assert [field.field for field in caught.value.context.fields] == ["rules.1.tool"]
    assert caught.value.hint == "Did you mean write_file?"
    check_rules(rules)


def test_rules_are_compiled_once_for_all_that_ask_by_them():
    """A user's are asked before each turn."""
    layers = ((Rule(path="docs/**", effect="allow"),), (), ())
    assert book_of(layers) is book_of(tuple(map(tuple, layers)))
