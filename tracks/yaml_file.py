"""YAML files by PyYAML's safe loader, with the row of every key, and without keys that silently replace others."""

import re
from pathlib import Path
from typing import Any

from ballcast.tracks.track import TrackError

OPENCV_HEADER = re.compile(r"\A%YAML:1\.\d[^\n]*")  # OpenCV's first line, which is no YAML


class Section(dict):
    """A mapping of a YAML file: what it says, and the row (as an editor counts) of each of its keys."""

    rows: dict[str, int]


def read_yaml(name: str, content: bytes) -> Section:
    """The mapping that the YAML file `name` holds. TrackError, one line, with the row, if it is not one."""
    yaml = _library(name)
    try:
        text = OPENCV_HEADER.sub("#", content.decode("utf-8-sig"), count=1)
        roots = [root for root in yaml.compose_all(text, Loader=yaml.SafeLoader) if root.id != "scalar" or root.value]
        if len(roots) > 1:
            raise TrackError(f"{name}, row {roots[1].start_mark.line + 1}: a second document; split the file at ---")
        values = _value(name, yaml.SafeLoader(""), roots[0]) if roots else None
    except UnicodeDecodeError as error:
        raise TrackError(f"{name}: is not text in UTF-8; a camera file is YAML") from error
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f"{name}, row {mark.line + 1}" if mark else name
        raise TrackError(f"{where}: not YAML ({str(problem or error).splitlines()[0]}); correct it") from error
    if not isinstance(values, Section):
        raise TrackError(f"{name}: holds no `key: value` lines; a camera file begins with `cameras:`")
    return values


def write_yaml(path: Path, values: dict[str, Any]) -> str:
    """The text of a YAML file; lists of numbers are in one line each."""
    text: str = _library(str(path)).safe_dump(values, sort_keys=False, default_flow_style=None, width=10**6)
    return text


def _library(name):
    try:
        import yaml
    except ModuleNotFoundError:
        raise TrackError(f"{name}: a camera file needs PyYAML: pip install pyyaml") from None
    return yaml


def _value(name, loader, node):
    """What a node of the file holds: Section, list, or a plain value."""
    if node.id == "sequence":
        return [_value(name, loader, part) for part in node.value]
    if node.id != "mapping":
        return loader.construct_object(node)
    section = Section()
    section.rows = {}
    for key_node, part in node.value:
        key, row = str(loader.construct_object(key_node, deep=True)), key_node.start_mark.line + 1
        if key in section:
            raise TrackError(f"{name}, row {row}: {key!r} is already in row {section.rows[key]}; rename one of them")
        section[key], section.rows[key] = _value(name, loader, part), row
    return section
