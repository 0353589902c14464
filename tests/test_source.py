"""Names that say what they mean, functions short enough to read, and few enough parameters."""

import statistics

import pytest
import source

VAGUE = {  # words that name nothing, each from a private vocabulary of an early version
    "told", "brain", "eye", "sky", "surroundings", "watch", "watcher", "knot", "knots", "strange", "stranger",
    "strangers", "wander", "spell", "outset", "tally", "believe", "believed", "foresee", "farewell", "said",
}  # fmt: skip
VAGUE_BOUNDS = {"LEAST", "MOST"}  # in constants: MIN_ and MAX_
# the camera has one
CAMERA_FILES = ("tools/demo/", "render/", "viewer/", "sim/view.py", "tests/test_viewer", "tests/test_render")
MAX_LINES, MAX_MEDIAN_LINES, MAX_POSITIONAL = 60, 8, 8

FILES = source.files()


@pytest.mark.parametrize("file", FILES)
def test_identifiers_say_what_they_mean(file):
    allowed = {"eye"} if file.startswith(CAMERA_FILES) else set()
    found = set()
    for identifier, line in source.identifiers(file):
        words = source.words(identifier)
        if ({word.lower() for word in words} & VAGUE - allowed) or VAGUE_BOUNDS & set(words):
            found.add(f"{file}:{line}: {identifier}")
    assert not found, "\n".join(sorted(found))


def test_functions_are_short_and_have_few_positional_parameters():
    functions = [f for file in source.files(tests=False) for f in source.functions(file)]
    wrong = [f for f in functions if f.lines > MAX_LINES or (f.positional > MAX_POSITIONAL and not f.compiled)]
    assert not wrong, "\n".join(map(str, wrong))
    assert statistics.median(f.lines for f in functions) <= MAX_MEDIAN_LINES
