"""Real misbehaviour of the native parser costs only its file."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.syntax import isolation
from beam_seed.syntax.grammars import GRAMMARS
from beam_seed.syntax.isolation import ParserFailure, ParserProcess
from beam_seed.syntax.measure import measure

HANGS = b"s#"  # the Perl grammar looks for the end of this substitution for ever
HUGE = b"[" + b"1," * 600_000 + b"1]"  # its tree is some 180 MB


def files(*contents: bytes, language: str = "Python") -> list[tuple[bytes, str, float]]:
    return [(content, language, 0.0) for content in contents]


def grammars(answers: list) -> list[str]:
    return [answer.error.split(":")[0] if isinstance(answer, ParserFailure) else answer.grammar for answer in answers]


def gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_answers_are_those_of_measure_in_order():
    batch = files(*(b"x = " + b"(" * (index % 3) + b"1\n" for index in range(300)))
    with ParserProcess() as process:
        assert process.measure(batch) == [measure(*file) for file in batch]
        assert process.measure([]) == []


def test_a_hang_costs_only_its_file():
    batch = [*files(b"x = 1\n"), (HANGS, "Perl", 0.0), *files(b"y = 2\n"), (HANGS, "Perl", 0.0), *files(b"z = 3\n")]
    with ParserProcess(cpu_seconds=0.3) as process:
        answers = process.measure(batch)
        assert grammars(answers) == ["python", "time-out", "python", "time-out", "python"]
        assert answers[1].error == "time-out: not parsed within 0.3 CPU seconds"
        assert grammars(process.measure(files(b"x = 1\n"))) == ["python"]


def test_a_parent_that_blocks_and_ignores_the_timer_s_signal_changes_nothing():
    handler = signal.signal(signal.SIGPROF, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPROF])
    try:
        with ParserProcess(cpu_seconds=0.3) as process:
            assert grammars(process.measure([(HANGS, "Perl", 0.0), *files(b"x\n")])) == ["time-out", "python"]
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])
        signal.signal(signal.SIGPROF, handler)


def test_too_much_memory_costs_only_its_file():
    batch = [*files(b"x = 1\n"), (HUGE, "JSON", 0.0), *files(b"y = (\n")]
    with ParserProcess(memory_bytes=128 << 20) as process:
        answers = process.measure(batch)
    assert answers[0].error_bytes == 0
    assert answers[1].error.startswith("crash: the parser process died of SIG")
    assert answers[1].error.endswith("(its memory is limited to 128 MiB)")
    assert answers[2].error_bytes > 0


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_file_on_which_the_child_dies_twice_is_lost_alone(number):
    """The child is killed, as a crash would, each time it has been busy with the hanging file for a while."""
    process = ParserProcess(cpu_seconds=60)
    killed = []

    def kill() -> None:
        while len(killed) < 2:
            child = process._child
            if child is not None and child.pid not in killed and _cpu_ticks(child.pid) > 10:
                killed.append(child.pid)
                os.kill(child.pid, number)
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    with process:
        answers = process.measure([*files(b"x = 1\n"), (HANGS, "Perl", 0.0), *files(b"y = 2\n")])
        killer.join()
    assert grammars(answers) == ["python", "crash", "python"]
    assert signal.Signals(number).name in answers[1].error
    assert all(gone(pid) for pid in killed)


def _cpu_ticks(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))
    except (FileNotFoundError, ProcessLookupError):
        return 0


def test_a_child_killed_between_batches_loses_nothing():
    with ParserProcess() as process:
        assert grammars(process.measure(files(b"x = 1\n"))) == ["python"]
        os.kill(process._child.pid, signal.SIGKILL)
        assert grammars(process.measure(files(b"x = 1\n", b"y = 2\n"))) == ["python", "python"]


def test_a_stopped_child_is_given_up(monkeypatch):
    monkeypatch.setattr(isolation, "PATIENCE", 2)
    with ParserProcess(cpu_seconds=0.2) as process:
        process.measure(files(b"x = 1\n"))
        pid = process._child.pid
        os.kill(pid, signal.SIGSTOP)
        answers = process.measure(files(b"x = 1\n", b"y = 2\n"))
        assert grammars(answers) == ["time-out", "python"]
    assert gone(pid)


def test_close_ends_the_child_and_measure_starts_another():
    process = ParserProcess()
    process.close()
    process.measure(files(b"x\n"))
    pid = process._child.pid
    process.close()
    process.close()
    assert gone(pid)
    assert grammars(process.measure(files(b"x\n"))) == ["python"]
    process.close()


def test_the_child_ends_when_its_parent_is_killed():
    program = """if True:
        import os, signal, sys
        from beam_seed.syntax.isolation import ParserProcess
        process = ParserProcess()
        process.measure([(b"x", "Python", 0.0)])
        print(process._child.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    parent = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, env=_environment(), check=False)
    child = int(parent.stdout)
    patience = time.monotonic() + 30
    while not gone(child):
        assert time.monotonic() < patience, "the parser process outlives its parent"
        time.sleep(0.05)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": isolation._ROOT}


def test_a_module_in_the_working_directory_is_not_run(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    (tmp_path / "tree_sitter.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    with ParserProcess() as process:
        assert grammars(process.measure(files(b"x\n"))) == ["python"]


def test_a_child_that_cannot_start_is_an_error_not_a_failure_of_every_file(monkeypatch):
    monkeypatch.setattr(isolation, "_CHILD", "beam_seed.syntax.no_such_module")
    with ParserProcess() as process, pytest.raises(RuntimeError, match="did not start"):
        process.measure(files(b"x\n"))


def test_starting_imports_neither_beam_nor_numpy():
    program = (
        "import sys, beam_seed.syntax.isolation, beam_seed.syntax.check; print({'apache_beam', 'numpy', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=_environment(), check=True)
    assert done.stdout.strip() == "set()"


def test_a_batch_larger_than_every_pipe_and_answers_larger_than_one_read():
    big = b"x = 1\n" * 30_000
    with ParserProcess() as process:
        answers = process.measure(files(*[big] * 4, *[b"y\n"] * 2_000))
    assert [answer.error_bytes for answer in answers] == [0] * 2_004


# Perl is left out because hangs would make this slow; those it has are above.
@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=300), st.sampled_from(sorted(set(GRAMMARS) - {"Perl"}))), max_size=40))
def test_random_bytes_in_any_language_get_one_answer_each(batch):
    with ParserProcess(cpu_seconds=1.0) as process:
        answers = process.measure([(content, language, 0.0) for content, language in batch])
    assert len(answers) == len(batch)
    for answer, (_, language) in zip(answers, batch, strict=True):
        assert isinstance(answer, ParserFailure) or answer.grammar in GRAMMARS[language]
