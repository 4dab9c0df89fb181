"""Dependencies of a few files written down in a test."""

import posixpath

import pytest

from beam_seed.dependencies.graph import build_graph
from beam_seed.dependencies.mentions import Mentions
from beam_seed.dependencies.table import LANGUAGES, MANIFESTS, read_mentions

_LANGUAGES = {
    "c": "C", "h": "C", "cpp": "C++", "cs": "C#", "cu": "Cuda", "go": "Go", "java": "Java", "js": "JavaScript", "kt": "Kotlin",
    "php": "PHP",
    "py": "Python", "pyi": "Python", "rb": "Ruby", "rs": "Rust", "scala": "Scala", "ts": "TypeScript", "tsx": "TypeScript",
}  # fmt: skip


def language_of(path):
    return _LANGUAGES.get(path.rpartition(".")[2], "")


def graph_of(files):
    paths = sorted(files)
    languages = [language_of(path) for path in paths]
    mentions = [
        read_mentions(files[path].encode(), language) if language in LANGUAGES else Mentions()
        for path, language in zip(paths, languages, strict=True)
    ]
    manifests = {path: files[path] for path in paths if posixpath.basename(path) in MANIFESTS}
    return build_graph(paths, languages, mentions, manifests)


def needs_of(files):
    """{path: paths it needs}, groups taken apart; without those that need nothing."""
    paths, graph = sorted(files), graph_of(files)
    needed = {}
    for node, other in graph.edges.tolist():
        needed.setdefault(node, []).append(other)
    found = {}
    for node, others in needed.items():
        if node < graph.files:
            files_needed = {member for other in others for member in (needed.get(other, []) if other >= graph.files else [other])}
            found[paths[node]] = sorted(paths[member] for member in files_needed)
    return found


@pytest.fixture
def needs():
    return needs_of


@pytest.fixture
def graph():
    return graph_of
