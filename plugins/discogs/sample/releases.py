"""The records of the file of releases: most of a dump's bytes."""

from __future__ import annotations

from discogs.sample.draws import Draw, Draws
from discogs.sample.plan import absent_id, id_at
from discogs.sample.references import (
    DANGLES_EVERY,
    NO_ARTIST,
    UNKNOWN_ARTIST,
    VARIOUS,
    References,
)
from discogs.sample.shapes import Shape
from discogs.sample.terms import (
    COMPANY_ROLES,
    COUNTRIES,
    DATA_QUALITIES,
    FORMAT_TEXTS,
    FORMATS,
    GENRE_DRAW,
    GENRE_NAMES,
    IDENTIFIERS,
    JOINS,
    NUMBERED,
    ROLES,
    SIDED,
    TRACK_COUNTS,
)
from discogs.sample.texts import catno, style_rows, text, title, videos
from discogs.sample.traps import RELEASE_TRAPS, Sections, Sprung, spring
from discogs.schema.entities import Entity

_SIDED_FORMATS = frozenset(("Vinyl", "Cassette", "Shellac", "Flexi-disc", "8-Track Cartridge"))
_LETTERED = "abcdefgh"


class ReleaseWriter:
    entity = Entity.RELEASES

    def __init__(self, references: References, shape: Shape, *, traps: Sprung) -> None:
        self._references = references
        self._draws = Draws(references.plan.seed, self.entity)
        self._shape = shape
        self._traps = traps

    def record(self, position: int, version: int) -> str:
        """The record at a position as a line of the file, without the line's end."""
        shape = self._shape
        references = self._references
        release_id = id_at(position)
        draw, letters = self._draws.of(release_id)
        month = references.releases.born(position)
        kind = draw()
        compilation = kind & 7 == 0
        artist_id, artist = references.artist(draw, month)
        if compilation:
            artist_id, artist = VARIOUS, "Various"
        elif kind & 127 == 9:
            artist_id, artist = UNKNOWN_ARTIST, "Unknown Artist"
        elif kind & 1023 == 11:
            artist_id, artist = NO_ARTIST, "No Artist"
        if kind >> 3 & 7 == 0 and not compilation:
            artists = shape.credit(artist_id, artist, join=JOINS[draw() & 7]) + shape.credit(
                *references.artist(draw, month)
            )
        else:
            anv = artist.upper() if kind >> 6 & 15 == 0 and "&" not in artist else ""
            artists = shape.credit(artist_id, artist, anv)
        first, descriptions = FORMATS[draw() & 1023]
        number = catno(draw)
        genre = GENRE_DRAW[draw() & 1023]
        genres = f"<genre>{GENRE_NAMES[genre]}</genre>"
        other = GENRE_DRAW[draw() & 1023]
        if kind >> 10 & 3 == 0 and other != genre:
            genres += f"<genre>{GENRE_NAMES[other]}</genre>"
        styles = style_rows(genre, draw(), 1 + (draw() & 3) % 3)
        master_id, main = references.master_of(position, draw)
        if draw() & 4095 == 0:
            # Masters that releases name although the file of masters lacks them.
            master_id, main = absent_id(draw()), False
        notes = text(draw, 4) if kind % 5 < 3 else ""
        if version:
            notes = f"{notes}\nSubmission {version + 1}." if notes else f"No. {version + 1}."
        credit_count = draw() % 7 if kind >> 12 & 7 else 0
        credits = self._credits(draw, month, credit_count, number)
        # A change adds a credit, the next an identifier, the one after a track, and so on.
        edit = self._draws.of_edit(release_id, version) if version else draw
        if version % 3 == 1:
            credits += self._credits(edit, month, 1)
        sections: Sections = {
            "start": shape.release(release_id),
            "images": shape.images(release_id),
            "artists": f"<artists>{artists}</artists>",
            "title": f"<title>{title(draw)}</title>",
            "labels": f"<labels>{self._labels(draw, month, number)}</labels>",
            "series": self._series(draw, month) if kind % 17 == 0 else "",
            "extraartists": f"<extraartists>{credits}</extraartists>" if credits else "",
            "formats": _formats(draw, first, descriptions),
            "genres": f"<genres>{genres}</genres>",
            "styles": f"<styles>{styles}</styles>" if kind % 33 else "",
            "country": f"<country>{COUNTRIES[draw() & 1023]}</country>" if kind % 61 else "",
            "released": _released(draw),
            "notes": f"<notes>{notes}</notes>" if notes else "",
            "data_quality": f"<data_quality>{DATA_QUALITIES[draw() & 255]}</data_quality>",
            "master_id": shape.master_id(master_id, main),
            "tracklist": "",
            "identifiers": "",
            "videos": "",
            "companies": "",
            "end": "</release>",
        }
        tracks = self._tracklist(
            draw, month, TRACK_COUNTS[draw() & 1023], compilation, first in _SIDED_FORMATS
        )
        if version and version % 3 == 0:
            tracks += f"<track><position>Bonus</position><title>{title(edit)}</title></track>"
        sections["tracklist"] = f"<tracklist>{tracks}</tracklist>"
        identifiers = self._identifiers(draw, letters, number) if kind % 6 else ""
        if version % 3 == 2:
            identifiers += self._shape.identifier("Label Code", "", f"LC {edit() % 30000:05d}")
        if identifiers:
            sections["identifiers"] = f"<identifiers>{identifiers}</identifiers>"
        if kind % 3:
            sections["videos"] = videos(draw, letters, shape, 1 + draw() % 9, artist)
        if kind % 7 > 1:
            sections["companies"] = self._companies(draw, month, 1 + draw() % 7)
        spring(RELEASE_TRAPS, sections, position, version, shape, references, self._traps)
        return "".join(sections.values())

    def _labels(self, draw: Draw, month: int, number: str) -> str:
        kind = draw()
        label_id, name = self._references.label(draw, month)
        rows = self._shape.label(name, number, label_id)
        if kind & 7 == 0:
            # Often the same label again, now and then with the same number too.
            if kind & 15:
                label_id, name = self._references.label(draw, month)
            rows += self._shape.label(name, number if kind >> 4 & 7 else catno(draw), label_id)
        return rows

    def _series(self, draw: Draw, month: int) -> str:
        if self._shape.era == "2020":
            return ""  # series came about 2024
        label_id, name = self._references.label(draw, month)
        number = f"Vol. {draw() % 40}"
        return f'<series><series name="{name}" catno="{number}" id="{label_id}"/></series>'

    def _credits(self, draw: Draw, month: int, count: int, tracks: str = "") -> str:
        """So many credits; with ``tracks`` some say what they are for."""
        credit = self._shape.credit
        artist = self._references.artist
        rows = []
        for _ in range(count):
            kind = draw()
            artist_id, name = artist(draw, month)
            role = ROLES[kind & 63]
            anv = ""
            if kind >> 6 & 3 == 0 and "&" not in name:
                last = name.rpartition(" ")[2]
                anv = f"{name[0]}. {last}" if kind & 256 else last
            where = f"A{kind >> 9 & 7}, B{kind >> 12 & 7}" if tracks and kind >> 9 & 15 == 0 else ""
            if kind % 256 == 77:
                # Credits without an id, or with none: nobody's page is linked.
                rows.append(credit(None if kind & 512 else 0, name, anv, "", role, where))
            else:
                rows.append(credit(artist_id, name, anv, "", role, where))
        return "".join(rows)

    def _tracklist(self, draw: Draw, month: int, count: int, compilation: bool, sided: bool) -> str:
        kind = draw()
        positions = SIDED[count] if sided and count < len(SIDED) else NUMBERED
        # Whole releases come without durations, and some with credits on every track.
        timed = kind & 15 > 6
        most_credits = (0, 0, 0, 0, 0, 1, 2, 3)[kind >> 4 & 7] + (kind >> 7 & 1 and 2)
        by_track = compilation or kind >> 8 & 7 == 0
        credit = self._shape.credit
        rows = []
        if kind >> 11 & 15 == 0:
            # A heading is a track without a position.
            rows.append(f"<track><title>{title(draw)}</title></track>")
        for at in range(count):
            length = draw()
            place = positions[at] if at < len(positions) else str(at + 1)
            row = f"<track><position>{place}</position><title>{title(draw)}</title>"
            if timed and length & 15:
                row += f"<duration>{length >> 13}:{(length >> 4) % 60:02d}</duration>"
            elif self._shape.era == "2020":
                row += "<duration></duration>"
            if by_track:
                artist_id, name = self._references.artist(draw, month)
                if length >> 8 & 7:
                    row += f"<artists>{credit(artist_id, name)}</artists>"
                else:
                    other = credit(*self._references.artist(draw, month))
                    row += f"<artists>{credit(artist_id, name, join='&amp;')}{other}</artists>"
            if most_credits and (rows_of := length % (most_credits + 1)):
                credits = self._credits(draw, month, rows_of)
                row += f"<extraartists>{credits}</extraartists>"
            if length % 397 == 0:
                row += self._sub_tracks(draw, month, place, 2 + length % 7)
            rows.append(row + "</track>")
        return "".join(rows)

    def _sub_tracks(self, draw: Draw, month: int, place: str, count: int) -> str:
        """The movements of a work or the songs of a medley."""
        rows = []
        for letter in _LETTERED[:count]:
            row = f"<track><position>{place}{letter}</position><title>{title(draw)}</title>"
            if draw() & 3 == 0:
                row += f"<extraartists>{self._credits(draw, month, 1)}</extraartists>"
            rows.append(row + "</track>")
        return f"<sub_tracks>{''.join(rows)}</sub_tracks>"

    def _identifiers(self, draw: Draw, letters: str, number: str) -> str:
        rows = []
        for at in range(1 + draw() % 6):
            kind, about = IDENTIFIERS[draw() & 7]
            if kind == "Barcode":
                value = f"{draw():05d}{draw():05d}{draw() % 1000:03d}"
            elif kind == "Matrix / Runout":
                side = "ABCDEFGH"[at & 7]
                value = f"{number}-{side} {letters[60 + at * 5 : 68 + at * 5]} T{draw() & 7}"
            elif kind == "Rights Society":
                value = ("BIEM/GEMA", "SACEM", "ASCAP", "JASRAC")[draw() & 3]
            else:
                value = f"LC {draw() % 30000:05d}"
            rows.append(self._shape.identifier(kind, about, value))
        return "".join(rows)

    def _companies(self, draw: Draw, month: int, count: int) -> str:
        rows = []
        for _ in range(count):
            mix = draw()
            kind, role = COMPANY_ROLES[mix & 15]
            label_id, name = self._references.label(draw, month)
            if mix >> 4 & (DANGLES_EVERY - 1) == 0:
                label_id = self._references.absent(draw)
            number = catno(draw) if mix >> 11 & 15 == 0 else ""
            rows.append(self._shape.company(label_id, name, number, kind, role))
        return f"<companies>{''.join(rows)}</companies>"


def _formats(draw: Draw, first: str, descriptions: tuple[str, ...]) -> str:
    kind = draw()
    words = "".join(f"<description>{word}</description>" for word in descriptions)
    quantity = (1, 1, 1, 1, 1, 1, 2, 2 + (kind >> 3 & 3))[kind & 7]
    note = FORMAT_TEXTS[kind >> 5 & 1023]
    row = (
        f'<format name="{first}" qty="{quantity}" text="{note}">'
        f"<descriptions>{words}</descriptions></format>"
    )
    if kind >> 10 & 31 == 0:
        # A box holds the same thing again, or a disc of another kind.
        row += row if kind & 64 else '<format name="DVD" qty="1" text=""></format>'
    return f"<formats>{row}</formats>"


def _released(draw: Draw) -> str:
    """A full date 26 %, a year 56 %, a month 4 %, nothing 14 %."""
    share, when = draw() % 100, draw()
    year = 1955 + when % 71
    if share < 56:
        return f"<released>{year}</released>"
    month = 1 + (when >> 8) % 12
    if share < 82:
        return f"<released>{year}-{month:02d}-{1 + (when >> 4) % 28:02d}</released>"
    if share < 86:
        return f"<released>{year}-{month:02d}-00</released>"
    return ""
