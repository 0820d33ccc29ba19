"""Sample dumps with odd records, as in the real ones: a list of them per entity.

Each is at the position of its index in the list, in every month. Those marked ``scattered`` are
also put in place of ordinary records that never change, one in ``SCATTER``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from discogs.sample import generator
from discogs.sample.plan import STAYING, absent_id, id_at
from discogs.sample.references import NO_ARTIST, UNKNOWN_ARTIST, VARIOUS, References
from discogs.sample.shapes import Era, Shape
from discogs.sample.writer import Sections, Writer
from discogs.schema.entities import Entity, Month

Change = Callable[[Sections, Shape, References], None]

SCATTER = 199


@dataclass(frozen=True)
class OddRecord:
    """What is odd, and how it changes a record's elements."""

    name: str
    change: Change
    scattered: bool = True
    eras: tuple[Era, ...] = ("2020", "2026")
    #: holds characters that XML 1.0 forbids
    forbidden: bool = False


def write_months(
    folder: Path, first: Month, *arguments: Any, forbidden: bool = True, **options: Any
) -> list[Path]:
    """As :func:`discogs.sample.generator.write_months`, odd records among the others.

    From 200 releases on, every one occurs.

    :param forbidden: whether characters that XML 1.0 forbids occur; else the files are
        well-formed.
    """

    def alter(writer: Writer, position: int, version: int, sections: Sections) -> None:
        records = ODD_RECORDS[writer.entity]
        assert len(records) <= STAYING[writer.entity], "a later one would change and go"
        if position < len(records):
            odd = records[position]
        elif position % SCATTER == 0 and not version:
            odd = records[position // SCATTER % len(records)]
            if not odd.scattered:
                return
        else:
            return
        if writer.shape.era in odd.eras and (forbidden or not odd.forbidden):
            odd.change(sections, writer.shape, writer.references)

    return generator.write_months(folder, first, *arguments, alter=alter, **options)


def late(references: References, entity: Entity) -> tuple[int, str]:
    """A record that others refer to from the first month on and that comes in the second."""
    position = references.plan.of(entity).base
    return id_at(position), _name(references, entity, position)


def vanishing(references: References, entity: Entity, rank: int) -> tuple[int, str]:
    """A record that others refer to in every month, and that is removed in one.

    :param rank: 0 for a record that is restored later; 1 for one that is not.
    """
    of = references.plan.of(entity)
    position = of.staying + of.going.at(rank % of.pool)
    return id_at(position), _name(references, entity, position)


def _name(references: References, entity: Entity, position: int) -> str:
    artists = entity is Entity.ARTISTS
    return references.artist_name(position) if artists else references.label_name(position)


def _put(element: str, content: str) -> Change:
    """Replace the content of an element."""

    def alter(sections: Sections, shape: Shape, references: References) -> None:
        sections[element] = f"<{element}>{content}</{element}>"

    return alter


def _raw(section: str, xml: str) -> Change:
    """The section written just so; an empty text leaves the element out."""

    def alter(sections: Sections, shape: Shape, references: References) -> None:
        sections[section] = xml

    return alter


def _wrapped(element: str, make: Callable[[Shape, References], str]) -> Change:
    """The element with content that needs the era's shape or references."""

    def alter(sections: Sections, shape: Shape, references: References) -> None:
        sections[element] = f"<{element}>{make(shape, references)}</{element}>"

    return alter


def _track(position: str, name: str, duration: str = "", more: str = "") -> str:
    time = f"<duration>{duration}</duration>" if duration else ""
    return f"<track><position>{position}</position><title>{name}</title>{time}{more}</track>"


def _two_label_rows(shape: Shape, references: References) -> str:
    label_id, name = references.label(lambda: 7)
    return shape.label(name, "TWIN 1", label_id) * 2


def _special_artists(shape: Shape, references: References) -> str:
    return (
        shape.credit(*VARIOUS, join="With")
        + shape.credit(*UNKNOWN_ARTIST, join="With")
        + shape.credit(*NO_ARTIST)
    )


def _unlinked_credits(shape: Shape, references: References) -> str:
    return (
        shape.credit(None, "Nobody's Page", role="Artwork")
        + shape.credit(0, "Zero's Page", role="Design")
        + shape.credit(absent_id(5), "Merged Away", role="Mixed By")
    )


def _late_and_vanishing_credits(shape: Shape, references: References) -> str:
    """Credits of an artist who appears in the second month, and of two who disappear."""
    people = (
        late(references, Entity.ARTISTS),
        vanishing(references, Entity.ARTISTS, 0),
        vanishing(references, Entity.ARTISTS, 1),
    )
    return "".join(shape.credit(*person, role="Featuring") for person in people)


def _late_and_vanishing_companies(shape: Shape, references: References) -> str:
    companies = (
        late(references, Entity.LABELS),
        vanishing(references, Entity.LABELS, 0),
        vanishing(references, Entity.LABELS, 1),
        (absent_id(8), "Absent Pressing Plant"),
    )
    return "".join(shape.company(*company, "", 17, "Pressed By") for company in companies)


def _sub_tracks(shape: Shape, references: References) -> str:
    credit = shape.credit(*references.artist(lambda: 900), role="Conductor")
    artist = shape.credit(*references.artist(lambda: 1200))
    inner = _track("A1a", "Allegro", "3:00", f"<artists>{artist}</artists>")
    inner += _track("A1b", "Adagio", "", f"<extraartists>{credit}</extraartists>")
    more = f"<extraartists>{credit}</extraartists><sub_tracks>{inner}</sub_tracks>"
    headless = "<track><title>Side Two</title></track>"
    return _track("A1", "Concerto", "12:00", more) + headless + _track("B1", "Coda")


def _odd_durations(shape: Shape, references: References) -> str:
    odd = ("3:5", "1:00:00", "90:00", "4.35", "3'45", "0:00", "?", "12", "1:2:3", "(4:10)", "٣:٤٥")
    return "".join(_track(str(at), "Time", duration) for at, duration in enumerate(odd, 1))


def _long_texts(shape: Shape, references: References) -> str:
    name = ("The Longest Name Of The World " * 140).strip()
    role = ", ".join(f"Written-By [Part {part}]" for part in range(122))
    return shape.credit(absent_id(2), name, role=role)


def _large_tracklist(shape: Shape, references: References) -> str:
    return "".join(
        _track(str(at), f"Field recording number {at}, made by the river at night", "0:59")
        for at in range(1, 2701)
    )


def _reordered(sections: Sections, shape: Shape, references: References) -> None:
    """The elements of a record in another order."""
    inner = [name for name in sections if name not in ("start", "end")]
    kept = dict(sections)
    sections.clear()
    for name in ("start", *reversed(inner), "end"):
        sections[name] = kept[name]


def _self_closed(sections: Sections, shape: Shape, references: References) -> None:
    artist_id, name = references.artist(lambda: 300)
    sections["artists"] = (
        f"<artists><artist><id>{artist_id}</id><name>{name}</name><anv/><join/><role/>"
        f"<tracks/></artist></artists>"
    )
    for name in ("notes", "identifiers", "companies", "videos", "extraartists"):
        sections[name] = f"<{name}/>"


def _rough_videos(shape: Shape, references: References) -> str:
    return (
        shape.video("notitle____", 0, "", "")
        + shape.video("nodescript_", 61, "Only A Title", "")
        + shape.video("twice______", 5, "Twice", "The same")
        + shape.video("twice______", 5, "Twice", "The same")
    )


# \N and \. mean something to COPY's text format, braces and commas to arrays.
_COPY_TEXT = '\\N\n\\.\nC:\\new\\table "quoted", {a,b} \\x41 tab:\tend'
_RECORD_TEXT = '&lt;/release&gt;\n&lt;release id="1"&gt;\n&lt;/releases&gt; ]]&gt; &amp;amp;'
_MOJIBAKE = "BjÃ¶rk â€“ DÃ©but ï¿½"
_WIDE = "𝄞 Ünïcödé 🎛️ e\u0301 \u200f\u05e9\u05dc\u05d5\u05dd\u200e"

_ODD_RELEASED = (
    "1980s",
    "200?",
    "20061014",
    "1999-03-00",
    "1999-00-00",
    "1973-1974",
    "٢٠١٠",  # Arabic-Indic digits
    "2001-02-30",
    "0000-00-00",
    "May 1977",
    "99",
)

RELEASE_RECORDS: tuple[OddRecord, ...] = (
    # the same label row twice, as in release 6155: ordinals are the key
    OddRecord("identical label rows", _wrapped("labels", _two_label_rows)),
    # the same format row twice, as in release 48967
    OddRecord("identical format rows", _put("formats", '<format name="CD" qty="1" text=""/>' * 2)),
    # a quantity that no integer holds, as in release 8262262
    OddRecord(
        "quantity of 64 digits",
        _put("formats", f'<format name="File" qty="{"1234567890" * 6 + "1234"}" text=""/>'),
    ),
    OddRecord("quantity with zeros", _put("formats", '<format name="CD" qty="0002" text="180g"/>')),
    OddRecord("quantity empty", _put("formats", '<format name="CD" qty="" text=""/>')),
    OddRecord("format without text", _put("formats", '<format name="Vinyl" qty="1"/>')),
    *(OddRecord(f"released {text}", _put("released", text)) for text in _ODD_RELEASED),
    OddRecord("released empty", _raw("released", "<released></released>")),
    OddRecord("odd durations", _wrapped("tracklist", _odd_durations)),
    # too long for a btree index: a name of 4,159 characters, a role of 2,655
    OddRecord("long credit", _wrapped("extraartists", _long_texts), scattered=False),
    OddRecord(
        "long track title", _put("tracklist", _track("1", "Long Title " * 490)), scattered=False
    ),
    # 320 kB, as the largest record of the excerpts seen
    OddRecord("large record", _wrapped("tracklist", _large_tracklist), scattered=False),
    OddRecord("no tracks", _raw("tracklist", "")),
    OddRecord("empty tracklist", _raw("tracklist", "<tracklist/>")),
    OddRecord("sub-tracks", _wrapped("tracklist", _sub_tracks)),
    OddRecord("videos without title", _wrapped("videos", _rough_videos)),
    OddRecord("numeric genres", _put("genres", "<genre>7</genre><genre>Electronic</genre>")),
    OddRecord("empty genre", _put("genres", "<genre/>")),
    OddRecord("mojibake", _put("title", _MOJIBAKE)),
    OddRecord("no-break spaces", _put("title", "\u00a0A\u00a0B\u00a0")),
    OddRecord("blank title", _put("title", "\u00a0")),
    OddRecord("beyond the BMP", _put("title", _WIDE)),
    OddRecord("empty title", _raw("title", "<title></title>")),
    # Various, Unknown Artist and No Artist are in no file of artists
    OddRecord("artists without a record", _wrapped("artists", _special_artists)),
    OddRecord("credits without id", _wrapped("extraartists", _unlinked_credits)),
    # references that some months answer and some do not
    OddRecord("late and vanishing credits", _wrapped("extraartists", _late_and_vanishing_credits)),
    OddRecord("late and vanishing companies", _wrapped("companies", _late_and_vanishing_companies)),
    # a master that no file of masters lists: 78 in 2026-04
    OddRecord(
        "absent master",
        _raw("master_id", f'<master_id is_main_release="false">{absent_id(11)}</master_id>'),
    ),
    # written out in 2020 too, where it is mostly left out
    OddRecord("master 0", _raw("master_id", '<master_id is_main_release="false">0</master_id>')),
    OddRecord("nameless label", _wrapped("labels", lambda shape, _: shape.label("", "none", ""))),
    OddRecord("children reordered", _reordered),
    OddRecord("self-closed elements", _self_closed),
    # carriage returns as references, a tab as one
    OddRecord("line ends", _put("notes", "First&#13;\nSecond&#13;\n&#13;\n&#9;Third&#13;")),
    OddRecord("tabs and backslashes", _put("notes", _COPY_TEXT)),
    OddRecord("record-like text", _put("notes", _RECORD_TEXT)),
    OddRecord("blank notes", _put("notes", " \n\u00a0\n ")),
    OddRecord(
        "quotes in attributes",
        _wrapped("labels", lambda s, r: s.label("&quot;It&apos;s&quot; &lt;3", "A&amp;B", 0)),
    ),
    OddRecord(
        "identifier with line break",
        _wrapped("identifiers", lambda s, r: s.identifier("Other", "a&#10;b", "1&#9;2 ")),
    ),
    # the text of a real dump of 2011 held a bell as it is
    OddRecord(
        "raw control character", _put("notes", "Bell: \x07."), eras=("2020",), forbidden=True
    ),
    OddRecord("forbidden character reference", _put("notes", "Bell: &#x7;."), forbidden=True),
)

ARTIST_RECORDS: tuple[OddRecord, ...] = (
    OddRecord("nameless artist", _raw("name", "<name></name>")),
    OddRecord("artist without name", _raw("name", "")),
    OddRecord("no-break space name", _put("name", "\u00a0")),
    OddRecord("no-break space within", _put("name", "DJ\u00a0Food\u00a0")),
    OddRecord("mojibake", _put("name", _MOJIBAKE)),
    OddRecord("beyond the BMP", _put("name", _WIDE)),
    OddRecord("self-closed profile", _raw("profile", "<profile/>")),
    OddRecord("long profile", _put("profile", "A long story. " * 1000), scattered=False),
    OddRecord("tabs and backslashes", _put("profile", _COPY_TEXT)),
    OddRecord("record-like text", _put("profile", "&lt;/artist&gt;\n&lt;artist&gt;&lt;id&gt;9")),
    OddRecord("line ends", _put("profile", "First&#13;\nSecond&#13;\n&#9;Third")),
    OddRecord("empty url", _put("urls", "<url></url><url>http://a.example/?a=1&amp;b=2 </url>")),
    OddRecord("duplicate name variations", _put("namevariations", "<name>Twice</name>" * 2)),
    OddRecord("empty name variation", _put("namevariations", "<name/><name>Real</name>")),
    OddRecord("absent alias", _put("aliases", f'<name id="{absent_id(14)}">Merged Away</name>')),
    OddRecord(
        "absent member",
        _wrapped("members", lambda shape, _: shape.member(absent_id(17), "Gone Member")),
    ),
    OddRecord("children reordered", _reordered),
    # names without id, as before 2016
    OddRecord("members without id", _put("members", "<name>Old Member</name>"), eras=("2020",)),
    OddRecord("forbidden character reference", _put("profile", "Escape: &#x1B;["), forbidden=True),
)

LABEL_RECORDS: tuple[OddRecord, ...] = (
    # as label 212
    OddRecord("nameless label", _raw("name", "<name></name>")),
    OddRecord("no-break space name", _put("name", "\u00a0Label\u00a0")),
    OddRecord(
        "absent parent",
        _raw("parentLabel", f'<parentLabel id="{absent_id(20)}">Absent Holding</parentLabel>'),
    ),
    OddRecord("absent sublabel", _put("sublabels", f'<label id="{absent_id(23)}">Absent</label>')),
    OddRecord(
        "duplicate sublabels", _put("sublabels", f'<label id="{absent_id(26)}">Twin</label>' * 2)
    ),
    OddRecord("self-closed elements", _raw("contactinfo", "<contactinfo/>")),
    OddRecord(
        "line ends", _put("contactinfo", "P.O. Box 1&#13;\nTown&#13;\n&#13;\n&#9;Land&#13;\n")
    ),
    OddRecord("record-like text", _put("profile", "&lt;/label&gt;\n&lt;label&gt;&lt;id&gt;9")),
    OddRecord("tabs and backslashes", _put("profile", _COPY_TEXT)),
    OddRecord("children reordered", _reordered),
    OddRecord("empty url", _put("urls", "<url/>")),
)

MASTER_RECORDS: tuple[OddRecord, ...] = (
    OddRecord("unresolved main release", _put("main_release", str(absent_id(29)))),
    OddRecord("year 0", _put("year", "0")),
    OddRecord("artists without a record", _wrapped("artists", _special_artists)),
    OddRecord("no styles", _raw("styles", "")),
    OddRecord("numeric genres", _put("genres", "<genre>12</genre>")),
    OddRecord("videos without title", _wrapped("videos", _rough_videos)),
    OddRecord(
        "record-like text", _put("notes", "&lt;/master&gt;\n&lt;master id=&quot;1&quot;&gt;")
    ),
    OddRecord("credits without id", _wrapped("artists", _unlinked_credits)),
    OddRecord("children reordered", _reordered),
    OddRecord("mojibake", _put("title", _MOJIBAKE)),
)

ODD_RECORDS: Mapping[Entity, tuple[OddRecord, ...]] = {
    Entity.LABELS: LABEL_RECORDS,
    Entity.ARTISTS: ARTIST_RECORDS,
    Entity.MASTERS: MASTER_RECORDS,
    Entity.RELEASES: RELEASE_RECORDS,
}
