import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import beam_seed.quality
from beam_seed.commits.tokens import EstimatedTokens, token_counter
from beam_seed.long_context.assemble import SEQUENCES, Assembly, CodeFile, LongSequence, assemble
from beam_seed.long_context.format import parse_sequence
from beam_seed.syntax.isolation import ParserProcess

SCORER = str(Path(beam_seed.quality.__file__).parent / "default_scorer")
BYTES = EstimatedTokens(1.0)


@pytest.fixture(scope="module")
def process():
    with ParserProcess() as process:
        yield process


def file(path, content, language="Python", quality=None, **fields):
    return CodeFile(**({"id": f"id of {path}", "source": "s", "repo": "r", "license": "MIT"} | fields), path=path, content=content,
                    language=language, quality=quality)  # fmt: skip


FILES = [
    file("pkg/a.py", "from . import b\n", quality=0.5),
    file("pkg/b.py", "import pkg.c\nX = '<[file]>'\n", quality=1.0),
    file("pkg/c.py", ""),
    file("README.md", "# r\n", "Markdown"),
    file("x.sql", "select 1", "SQL"),
]


def test_one_sequence(process):
    made = assemble("r", FILES, process)
    (sequence,) = made.sequences
    assert tuple(SEQUENCES.names) == LongSequence._fields
    assert sequence.content == (
        "<[repo]>r\n<[file]>README.md\n# r\n<[file]>pkg/c.py\n<[file]>pkg/b.py\nimport pkg.c\nX = '<[\\file]>'\n"
        "<[file]>pkg/a.py\nfrom . import b\n<[file]>x.sql\nselect 1"
    )
    assert json.loads(sequence.ids) == [f"id of {path}" for path in ("README.md", "pkg/c.py", "pkg/b.py", "pkg/a.py", "x.sql")]
    assert (sequence.kind, sequence.path, sequence.part, sequence.parts, sequence.files) == ("repository", "", 0, 1, 5)
    assert (sequence.quality, sequence.language, sequence.license, sequence.size) == (0.75, "Python", "MIT", len(sequence.content))
    assert json.loads(sequence.languages) == {"Python": 44, "SQL": 8, "Markdown": 4}
    expected = {"files": 5, "edges": 2, "edges_cut": 0, "edges_against_order": 0, "edges_misplaced": 0, "over_budget": 0}
    assert {name: made.facts[name] for name in expected} == expected


def test_the_order_of_the_input_makes_no_difference(process):
    shuffled = random.Random(1).sample(FILES, len(FILES))
    assert assemble("r", shuffled, process) == assemble("r", FILES, process)


@pytest.mark.parametrize("tokenizer", ["", SCORER, f"{SCORER}/tokenizer.json"])
def test_tokens_are_those_of_the_parts(process, tokenizer):
    counter = token_counter(tokenizer)
    (sequence,) = assemble("r", FILES, process, counter=counter).sequences
    head, *files = sequence.content.split("<[file]>")
    parts = [head] + [part for text in files for part in (f"<[file]>{text.partition(chr(10))[0]}\n", text.partition("\n")[2])]
    assert sequence.tokens == sum(map(counter.count, parts)) >= counter.count(sequence.content)


contents = st.lists(
    st.sampled_from(["import a\n", "from .b import x\n", "from . import c\n", "y = 1\n" * 9, "<[file]>", "\x00é"]), max_size=4
)
repositories = st.dictionaries(st.sampled_from(["a.py", "b.py", "c.py", "p/__init__.py", "p/b.py", "q.html", "r/README.md"]), contents)


@settings(deadline=None, max_examples=60)
@given(repositories, st.integers(1, 120), st.sampled_from(["topological", "random", "path"]))
def test_every_file_comes_out_once_within_the_budget(process, repository, budget, order):
    files = [file(path, "".join(lines), "Python" if path.endswith("py") else "HTML") for path, lines in repository.items()]
    sequences = assemble("a/b", files, process, Assembly(order, budget), BYTES).sequences
    found = []
    for part, sequence in enumerate(sequences):
        repo, told = parse_sequence(sequence.content)
        assert (repo, sequence.part, sequence.parts) == ("a/b", part, len(sequences))
        assert sequence.tokens <= budget or sequence.files == 1
        assert sequence.tokens == len(sequence.content.encode())
        found += told
    assert sorted(found) == sorted((each.path, each.content) for each in files)
    assert len({sequence.id for sequence in sequences}) == len(sequences)


def test_what_cannot_be():
    with pytest.raises(ValueError, match="expected one of"):
        Assembly("sideways")
    with pytest.raises(ValueError, match="expected a number of tokens above 0"):
        Assembly(budget=0)
