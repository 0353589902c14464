"""The documents: links lead somewhere, the site has every page, numbers and names are those of the code."""

import importlib
import inspect
import re

import yaml

from ballcast import models, sim, tracks
from ballcast.sim.kernels.aerodynamics import DRAG_FORMS, LIFT_FORMS
from tools import documents

API = re.findall(r"^- \[`(.+?)`\]\(\.\./(.+?)\)$", documents.read("docs/api.md"), re.MULTILINE)


# --- links ------------------------------------------------------------------------------------------------------------


def test_links_lead_to_files_and_headings_that_are_there():
    assert not [line for page in documents.names() for line in documents.broken_links(page)]


def test_links_to_nowhere_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    lines = "# A page", "[a](b.md) [b](#a-page) [c](#no) ![d](d.png)", "[e](https://nowhere)", '<img src="f.png">'
    (tmp_path / "a.md").write_text("\n\n".join(lines) + "\n\n```\n[g](g.md)\n```\n")
    wrong = documents.broken_links("a.md")
    assert [line.split(": ")[1] for line in wrong] == ["b.md", "#no", "d.png", "f.png"]
    assert wrong[0] == "a.md:3: b.md: there is no such file"


def test_anchors_are_those_of_github():
    text = "# What `a.b` does: 1, 2!\n\n## In Python\n\n### In Python\n\n## x < y\n\n```\n# no\n```\n"
    assert documents.anchors(text) == {"what-ab-does-1-2", "in-python", "in-python-1", "x--y"}


# --- the site ---------------------------------------------------------------------------------------------------------


def pages_in(entry):
    """The pages of mkdocs.yml's nav, in their order."""
    below = entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else None
    return [entry] if below is None else [page for part in below for page in pages_in(part)]


def test_every_page_is_in_the_site_once():
    named = pages_in(yaml.safe_load(documents.read("mkdocs.yml"))["nav"])
    assert len(named) == len(set(named))
    assert set(documents.names()) <= set(named), "add it to nav in mkdocs.yml"
    assert set(named) - set(documents.names()) <= documents.PLANNED, "nav in mkdocs.yml names pages that are not there"


def test_lists_are_indented_for_the_site():
    text = "a\n- b\n  c\n\n  ```\n    d\n  ```\n- e\n\n10. f\n    1. g\n\n    h\n\ni\n"
    wide = "a\n\n- b\n    c\n\n    ```\n      d\n    ```\n\n- e\n\n10. f\n\n    1. g\n\n    h\n\ni\n"
    assert documents.with_wide_lists(text) == wide


# --- what the pages say of the code -----------------------------------------------------------------------------------


def is_documented(name, file):
    """Whether a name of the API is in that file, and a function or a class has a docstring."""
    module, _, attribute = f"ballcast.{name}".rpartition(".")
    value = getattr(importlib.import_module(module), attribute)
    if not callable(value):
        return re.search(rf"^{attribute}\b.* = ", documents.read(file), re.MULTILINE) is not None
    return documents.ROOT.joinpath(file).samefile(inspect.getsourcefile(value)) and bool(inspect.getdoc(value))


def test_the_names_of_the_api_are_in_the_files_that_they_link_to():
    assert len(API) > 100 and not [name for name, file in API if not is_documented(name, file)]


def test_the_api_has_the_public_names_of_the_packages():
    public = {f"{package.__name__.removeprefix('ballcast.')}.{name}" for package in (sim, tracks, models)
              for name in package.__all__}  # fmt: skip
    assert public - {"models.TooShort"} <= {name for name, _ in API}, "add it to docs/api.md"


def law_text(law, forms):
    keys = {**forms, "path": ("rate",)}.get(law.form, ())
    return f"`{law.form}` {', '.join(f'{key} {value:g}' for key, value in zip(keys, law.values))}".strip()


def sport_rows(name):
    """The rows of a sport in the two tables of docs/physics.md."""
    sport = sim.load(name)
    ball, surface = sport.ball, sport.surfaces[sport.landing_surfaces[0]]
    bounce = surface.restitution
    sizes = f"{1e3 * ball.mass:g} | {1e3 * ball.radius:g} | {ball.inertia:g}"
    contact = f"{bounce.e:g}, {bounce.at:g}, {bounce.slope:g} | {surface.friction:g}"
    laws = law_text(sport.drag, DRAG_FORMS), law_text(sport.lift, LIFT_FORMS), law_text(sport.spin_decay, {})
    title = name.replace("_", " ")
    return f"| {title} | {sizes} | {contact} |", f"| {title} | {' | '.join(laws)} |"


def test_the_page_about_physics_has_the_numbers_of_the_sports():
    tables = re.search(
        r"<!-- sports -->\n([\s\S]+)<!-- laws -->\n\n([\s\S]+)<!-- -->\n", documents.read("docs/physics.md")
    )
    written = zip(*(table.splitlines()[2:] for table in tables.groups()))
    assert list(written) == [sport_rows(name) for name in sim.names()]
