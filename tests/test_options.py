from dataclasses import dataclass

import pytest

from beam_seed import options as opt

PROG = "job"


@dataclass(frozen=True)
class Options:
    """A job with an option of each kind."""

    input: list[str] = opt.option([], "What to read.", kind="read")
    output: str = opt.option("out", "Where to write.", kind="write")
    drop_lowest: float = opt.option(0.1, "A share, such as 10%.", check=opt.share)
    threshold: float = opt.option(0.7, "A similarity.", check=opt.proper_share)
    parts: int = opt.option(16, "A number of parts.", check=opt.positive)
    workers: int = opt.option(0, "A number of processes.", check=opt.not_negative)
    demo: bool = opt.option(False, "Read what is there.")
    score: bool = opt.option(True, "Score.")
    drop_by: str = opt.option("files", "What is counted.", choices=("files", "bytes"))
    plain: float = opt.option(1.0, "Any number.")
    derived: int = 3  # no option


def parse(*argv):
    return opt.parse(Options, argv, PROG)


def refused(capsys, *argv):
    """The one line on standard error of a command line that ends with status 2."""
    with pytest.raises(SystemExit) as caught:
        parse(*argv)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"{PROG}: error: ")
    assert captured.err.endswith("\n")
    assert captured.err.count("\n") == 1
    assert captured.err == f"{PROG}: error: {caught.value.message}\n"
    return captured.err


def test_defaults():
    assert parse() == (Options(), [])


def test_every_kind_of_value():
    argv = [
        "--input=a,b",
        "--input=c",
        "--output=x=y",
        "--drop-lowest=0.25",
        "--parts",
        "4",
        "--demo=true",
        "--score=FALSE",
        "--drop-by=bytes",
        "--plain=-1e3",
    ]
    expected = Options(["a", "b", "c"], "x=y", 0.25, 0.7, 4, 0, True, False, "bytes", -1000.0)
    assert parse(*argv) == (expected, [])


@pytest.mark.parametrize("flag", ["--drop-lowest", "--drop_lowest"])
def test_hyphens_and_underscores(flag):
    assert parse(f"{flag}=0.5")[0].drop_lowest == 0.5
    assert parse(flag, "0.5")[0].drop_lowest == 0.5


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("True", True), ("1", True), ("yes", True), ("false", False), ("FALSE", False), ("0", False), ("no", False)],
)
def test_booleans_are_given_as_text(text, value):
    assert parse(f"--demo={text}", f"--score={text}")[0] == Options(demo=value, score=value)


def test_a_boolean_alone_is_true():
    assert parse("--demo", "--output=x")[0] == Options(demo=True, output="x")


@pytest.mark.parametrize("name", ["input", "output", "drop-lowest", "parts", "demo", "score", "drop-by", "plain"])
def test_empty_means_not_given(name):
    assert parse(f"--{name}=") == (Options(), [])


def test_the_last_value_holds():
    assert parse("--parts=x", "--parts=3")[0].parts == 3
    assert parse("--parts=3", "--parts=")[0].parts == 3
    assert parse("--demo", "--demo=false")[0].demo is False


def test_lists_are_not_shared():
    first, second = parse()[0], parse()[0]
    first.input.append("x")
    assert second.input == Options().input == []


def test_empty_parts_of_a_list_are_left_out():
    assert parse("--input=a,,b,", "--input=,")[0].input == ["a", "b"]


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--parts=x", "argument --parts: 'x' given; expected a whole number"),
        ("--parts=1.5", "argument --parts: '1.5' given; expected a whole number"),
        ("--parts=0", "argument --parts: '0' given; expected a number above 0"),
        ("--workers=-1", "argument --workers: '-1' given; expected 0 or a number above it"),
        ("--drop-lowest=1", "argument --drop-lowest: '1' given; expected a share from 0 up to, not including, 1"),
        ("--drop_lowest=x", "argument --drop-lowest: 'x' given; expected a number"),
        ("--threshold=0", "argument --threshold: '0' given; expected a number between 0 and 1, such as 0.7"),
        ("--threshold=nan", "argument --threshold: 'nan' given; expected a number"),
        ("--plain=inf", "argument --plain: 'inf' given; expected a number"),
        ("--plain=1e999", "argument --plain: '1e999' given; expected a number"),
        ("--demo=maybe", "argument --demo: 'maybe' given; expected true or false"),
        ("--drop-by=weight", "argument --drop-by: 'weight' given; expected one of files, bytes"),
    ],
)
def test_bad_values_are_named_with_their_flag(capsys, argument, told):
    assert told in refused(capsys, "--output=x", argument)


@pytest.mark.parametrize(
    "argument", ["--outputs=x", "--out=x", "--drop-low=0.5", "--inp=x", "--runne=FnApiRunner", "word", "-x", "--nope", "--derived=4"]
)
def test_unknown_arguments_and_abbreviations_are_refused(capsys, argument):
    assert f"unknown argument {argument}" in refused(capsys, argument)


def test_a_missing_value_is_told_of(capsys):
    assert "--output" in refused(capsys, "--output")


def test_a_bad_value_of_a_flag_of_beam(capsys):
    assert "--direct_num_workers" in refused(capsys, "--direct_num_workers=many")


def test_a_value_of_two_lines_is_told_of_in_one(capsys):
    assert "'a\\nb'" in refused(capsys, "--parts=a\nb")
    refused(capsys, "--no\nflag")


def test_flags_of_beam_are_handed_on():
    beam_flags = ["--runner=FnApiRunner", "--direct_num_workers", "2", "--save_main_session", "--experiments=a", "--experiments=b"]
    assert parse(*beam_flags[:3], "--parts=2", *beam_flags[3:]) == (Options(parts=2), beam_flags)


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit) as caught:
        parse("--help")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for name in ("--input", "--drop-lowest", "--demo", "--drop-by", "{files,bytes}", "such as 10%", "A job with an option of each kind"):
        assert name in text
    assert "--derived" not in text
