"""Which column of a file of pixels is what: found by the usual names, or as the option `columns` says.

    layout = find_pixel_layout("ball.csv", 1, "t,camera,u,v", ReadOptions())

Recognised by their headers, besides our own t,camera,u,v[,diameter]: TT3D's pixel files (Timestamp,X,Y,Z,u,v,l,theta;
X, Y, Z are the truth and are not read), those of TrackNet and WASB (Frame,Visibility,X,Y), and those of `ballcast
detect` (frame,t,u,v,diameter,length,angle,probability,flight).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ballcast.tracks.layout import KNOWN_NAMES as TRACK_NAMES
from ballcast.tracks.layout import PIXEL_COLUMNS, find_separator, is_number_or_missing, parse_name, split_cells
from ballcast.tracks.options import ReadOptions
from ballcast.tracks.track import TrackError

OURS = ("t", "camera", "u", "v", "diameter")
KEYS = (*OURS, "frame", "visibility")  # of the option `columns`
KNOWN_NAMES = {  # key of a column -> names in lower case, with _ between words
    "t": TRACK_NAMES["t"],
    "camera": {"camera", "cam", "camera_name", "camera_id", "view"},
    "u": {"u", "px", "pixel_x", "x_pixel", "x_px", "u_px", "x", "x_coordinate"},
    "v": {"v", "py", "pixel_y", "y_pixel", "y_px", "v_px", "y", "y_coordinate"},
    "diameter": {"diameter", "diameter_px"},
    "frame": TRACK_NAMES["frame"] | {"frame_num", "file_name", "filename"},
    "visibility": {"visibility", "visible", "visi"},
}  # fmt: skip
TRUTH = {"X", "Y", "Z", "Timestamp"}  # of TT3D's pixel files
FOLLOWED = {"frame", "length", "angle", "probability", "flight"}  # further columns of `ballcast detect`


@dataclass(frozen=True)
class PixelLayout:
    """Where the columns of a file of pixels are, counted from 0."""

    separator: str | None  # None: spaces
    width: int  # cells of a line
    columns: dict[str, int]  # key, one of KEYS -> column; u and v are there, and t or the option `rate`
    header: tuple[str, ...] | None
    further: dict[str, int]  # name -> column of those that are kept as text
    time_unit: float = 1.0  # s, named by the header or the rate


def find_pixel_layout(name: str, row: int, line: str, options: ReadOptions, cameras: Sequence[str] = ()) -> PixelLayout:
    """The layout of the file `name`, whose first line is `line`, in row `row`; TrackError if it is not known.

    cameras   their names: without a header, rows are ours if it can be nothing else
    """
    where, separator = f"{name}, row {row}", find_separator(line)
    header = tuple(cell.strip() for cell in split_cells(line, separator))
    chosen = options.column_names(KEYS)
    if not chosen and (columns := _ours_without_header(header, cameras, bool(options.rate))):
        return PixelLayout(separator, len(header), *_timed(where, columns, options))
    if all(map(is_number_or_missing, header)):
        if not chosen:
            how = "add the line t,camera,u,v (in the file's order), or name them: --columns t=1,u=2,v=3"
            raise TrackError(f"{where}: numbers where the header should be; {how}")
        return PixelLayout(separator, len(header), *_timed(where, _numbered(where, len(header), chosen), options))
    if twice := [title for title in header if title and header.count(title) > 1]:
        raise TrackError(f"{where}: column {twice[0]!r} is twice in the header; rename one of them")
    if not chosen and "Timestamp" in header and set(header) >= PIXEL_COLUMNS:
        columns = {"t": header.index("Timestamp"), "u": header.index("u"), "v": header.index("v")}
        further = {title: k for k, title in enumerate(header) if title not in TRUTH | {"u", "v", ""}}
        return PixelLayout(separator, len(header), *_timed(where, columns, options, header, further))
    columns = _named(where, header, chosen)
    _check_found(where, line, columns)
    others = {title: k for k, title in enumerate(header) if title and k not in columns.values()}
    is_of_tracknet = {"frame", "visibility"} <= columns.keys()  # its further columns, if any, are of other programs
    if others.keys() - FOLLOWED and not chosen and not is_of_tracknet:
        how = f"known are {','.join(OURS)}; to read it all the same, name yours: --columns t=NAME,u=NAME,v=NAME"
        unknown = next(title for title in others if title not in FOLLOWED)
        raise TrackError(f"{where}: unknown column {unknown!r}; {how}")
    if is_of_tracknet and not options.rate and "t" not in chosen:
        raise TrackError(f"{where}: frame numbers, as TrackNet and WASB write them; say --rate HZ")
    return PixelLayout(separator, len(header), *_timed(where, columns, options, header, others))


def _ours_without_header(cells, cameras, has_rate):
    """Key -> column, of a row that is t,camera,u,v[,diameter] by the name of a camera, or t,u,v of one camera, or u,v
    where there is a rate."""
    if len(cells) in (4, 5) and cells[1] in cameras:
        keys = OURS[: len(cells)]
    elif len(cells) == 3 and len(cameras) == 1:
        keys = ("t", "u", "v")
    elif len(cells) == 2 and len(cameras) == 1 and has_rate:
        keys = ("u", "v")
    else:
        return None
    is_row = all(is_number_or_missing(cell) for key, cell in zip(keys, cells) if key != "camera")
    return {key: k for k, key in enumerate(keys)} if is_row else None


def _named(where, header, chosen):
    """Key -> column, as the option `columns` says, else by the usual names."""
    columns, titles = {}, [parse_name(title)[0] for title in header]
    for key, title in chosen.items():
        if title not in header:
            there = ", ".join(filter(None, header))[:80]
            raise TrackError(f"{where}: --columns {key}={title}: there is no such column; there are {there}")
        columns[key] = header.index(title)
    if "z" in titles and not {"u", "v"} & {*titles, *chosen}:
        raise TrackError(f"{where}: a track in space (x, y, z), not pixels; read_track reads it")
    for key in KEYS:
        names = KNOWN_NAMES[key]
        if key not in columns:
            found = [k for k, title in enumerate(titles) if title in names and k not in columns.values()]
            found.sort(key=lambda k: titles[k] != key)  # the name itself goes first
            if found:
                columns[key] = found[0]
    return columns


def _numbered(where, width, chosen):
    """Key -> column, of a file without a header."""
    try:
        columns = {key: int(number) - 1 for key, number in chosen.items()}
    except ValueError:
        raise TrackError(f"{where}: no header, so --columns takes numbers from 1, as in t=1,u=2,v=3") from None
    if any(not 0 <= k < width for k in columns.values()):
        raise TrackError(f"{where}: --columns: the file has columns 1 to {width}")
    _check_found(where, ",".join(f"{key}={number}" for key, number in chosen.items()), columns)
    return columns


def _check_found(where, line, columns):
    if missing := [key for key in ("u", "v") if key not in columns]:
        found = line.strip()[:80]
        what = f"no column {', '.join(missing)} in {found!r}"
        raise TrackError(f"{where}: {what}; it needs t,camera,u,v; other names: --columns t=NAME,u=NAME,v=NAME")


def _timed(where, columns, options, header=None, further=None):
    """The columns without those of times that do not count, the header, further columns, and the unit of time in s."""
    columns, unit = dict(columns), 1.0
    if options.rate:
        time, unit = columns.pop("frame", columns.get("t")), 1.0 / options.rate
        columns |= {} if time is None else {"t": time}
    elif "t" not in columns:
        hint = "frame numbers, or no times: --rate HZ"
        raise TrackError(f"{where}: no column t; {hint}; another name: --columns t=NAME")
    elif header:
        unit = parse_name(header[columns["t"]])[1] or 1.0
    columns.pop("frame", None)
    return columns, header, further or {}, unit
