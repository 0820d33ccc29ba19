"""The records of the file of releases: most of a dump's bytes."""

from __future__ import annotations

from discogs.sample import words
from discogs.sample.draws import Draw
from discogs.sample.plan import absent_id, id_at
from discogs.sample.references import DANGLES_EVERY, NO_ARTIST, UNKNOWN_ARTIST, VARIOUS
from discogs.sample.texts import catno, style_rows, text, title, videos
from discogs.sample.writer import Sections, Writer, edited, wrapped
from discogs.schema.entities import Entity

_SIDED_FORMATS = {"Vinyl", "Cassette", "Shellac", "Flexi-disc", "8-Track Cartridge"}


class ReleaseWriter(Writer):
    entity = Entity.RELEASES

    def record(self, position: int, version: int) -> Sections:
        shape, references = self.shape, self.references
        release_id = id_at(position)
        draw, letters = self.draws.of(release_id)
        month = references.releases.born(position)
        kind = draw()
        compilation = kind & 7 == 0
        artist = references.artist(draw, month)
        if compilation:
            artist = VARIOUS
        elif kind & 127 == 9:
            artist = UNKNOWN_ARTIST
        elif kind & 1023 == 11:
            artist = NO_ARTIST
        if kind >> 3 & 7 == 0 and not compilation:
            artists = shape.credit(*artist, join=words.JOINS[draw() & 7])
            artists += shape.credit(*references.artist(draw, month))
        else:
            anv = artist[1].upper() if kind >> 6 & 15 == 0 and "&" not in artist[1] else ""
            artists = shape.credit(*artist, anv)
        first, descriptions = words.FORMATS[draw() & 1023]
        number = catno(draw)
        genre = words.GENRE_DRAW[draw() & 1023]
        genres = f"<genre>{words.GENRE_NAMES[genre]}</genre>"
        other = words.GENRE_DRAW[draw() & 1023]
        if kind >> 10 & 3 == 0 and other != genre:
            genres += f"<genre>{words.GENRE_NAMES[other]}</genre>"
        styles = style_rows(genre, draw(), 1 + (draw() & 3) % 3)
        master_id, main = references.master_of(position, draw)
        if draw() & 4095 == 0:
            # Some releases of the real dumps refer to masters that are not in the masters' file.
            master_id, main = absent_id(draw()), False
        notes = edited(text(draw, 4) if kind % 5 < 3 else "", version)
        credits = self._credits(draw, month, draw() % 7 if kind >> 12 & 7 else 0, tracks=True)
        # Versions have an additional credit, identifier or track, in turn.
        edit = self.draws.of_edit(release_id, version) if version else draw
        if version % 3 == 1:
            credits += self._credits(edit, month, 1)
        sections: Sections = {
            "start": shape.release(release_id),
            "images": shape.images(release_id),
            "artists": f"<artists>{artists}</artists>",
            "title": f"<title>{title(draw)}</title>",
            "labels": f"<labels>{self._labels(draw, month, number)}</labels>",
            "series": self._series(draw, month) if kind % 17 == 0 else "",
            "extraartists": wrapped("extraartists", credits),
            "formats": _formats(draw, first, descriptions),
            "genres": f"<genres>{genres}</genres>",
            "styles": f"<styles>{styles}</styles>" if kind % 33 else "",
            "country": f"<country>{words.COUNTRIES[draw() & 1023]}</country>" if kind % 61 else "",
            "released": wrapped("released", _released(draw)),
            "notes": wrapped("notes", notes),
            "data_quality": f"<data_quality>{words.DATA_QUALITIES[draw() & 255]}</data_quality>",
            "master_id": shape.master_id(master_id, main),
        }
        tracks = self._tracks(draw, month, words.TRACK_COUNTS[draw() & 1023], compilation, first)
        if version and version % 3 == 0:
            tracks += f"<track><position>Bonus</position><title>{title(edit)}</title></track>"
        identifiers = self._identifiers(draw, letters, number) if kind % 6 else ""
        if version % 3 == 2:
            identifiers += shape.identifier("Label Code", "", f"LC {edit() % 30000:05d}")
        sections["tracklist"] = f"<tracklist>{tracks}</tracklist>"
        sections["identifiers"] = wrapped("identifiers", identifiers)
        sections["videos"] = sections["companies"] = ""
        if kind % 3:
            sections["videos"] = videos(draw, letters, shape, 1 + draw() % 9, artist[1])
        if kind % 7 > 1:
            sections["companies"] = self._companies(draw, month, 1 + draw() % 7)
        sections["end"] = "</release>"
        return sections

    def _labels(self, draw: Draw, month: int, number: str) -> str:
        kind = draw()
        label_id, name = self.references.label(draw, month)
        rows = self.shape.label(name, number, label_id)
        if kind & 7 == 0:
            # Half of them name the same label twice, and some with the same number.
            if kind & 15:
                label_id, name = self.references.label(draw, month)
            rows += self.shape.label(name, number if kind >> 4 & 7 else catno(draw), label_id)
        return rows

    def _series(self, draw: Draw, month: int) -> str:
        if self.shape.older:
            return ""  # older dumps have no series
        label_id, name = self.references.label(draw, month)
        row = self.shape.tag("series", name=name, catno=f"Vol. {draw() % 40}", id=label_id)
        return f"<series>{row}</series>"

    def _credits(self, draw: Draw, month: int, count: int, *, tracks: bool = False) -> str:
        """Credits; with ``tracks``, some name the tracks that they are for."""
        rows = ""
        for _ in range(count):
            kind = draw()
            artist_id, name = self.references.artist(draw, month)
            anv = where = ""
            if kind >> 6 & 3 == 0 and "&" not in name:
                last = name.rpartition(" ")[2]
                anv = f"{name[0]}. {last}" if kind & 256 else last
            if tracks and kind >> 9 & 15 == 0:
                where = f"A{kind >> 9 & 7}, B{kind >> 12 & 7}"
            linked: int | None = artist_id
            if kind % 256 == 77:  # credits without an id, or with none
                linked = None if kind & 512 else 0
            rows += self.shape.credit(linked, name, anv, "", words.ROLES[kind & 63], where)
        return rows

    def _tracks(self, draw: Draw, month: int, count: int, compilation: bool, format: str) -> str:
        kind = draw()
        places = words.NUMBERED
        if format in _SIDED_FORMATS and count < len(words.SIDED):
            places = words.SIDED[count]
        # Some releases have no durations at all, and some have credits on each track.
        timed = kind & 15 > 6
        most_credits = (0, 0, 0, 0, 0, 1, 2, 3)[kind >> 4 & 7] + (kind >> 7 & 1 and 2)
        by_track = compilation or kind >> 8 & 7 == 0
        credit = self.shape.credit
        rows = []
        if kind >> 11 & 15 == 0:  # a heading is a track without a position
            rows.append(f"<track><title>{title(draw)}</title></track>")
        for place in places[:count]:
            length = draw()
            row = f"<track><position>{place}</position><title>{title(draw)}</title>"
            time = f"{length >> 13}:{(length >> 4) % 60:02d}" if timed and length & 15 else ""
            row += self.shape.optional("duration", time)
            if by_track:
                artist = self.references.artist(draw, month)
                if length >> 8 & 7:
                    row += f"<artists>{credit(*artist)}</artists>"
                else:
                    other = credit(*self.references.artist(draw, month))
                    row += f"<artists>{credit(*artist, join='&amp;')}{other}</artists>"
            if most_credits and (rows_of := length % (most_credits + 1)):
                credits = self._credits(draw, month, rows_of)
                row += f"<extraartists>{credits}</extraartists>"
            if length % 397 == 0:
                row += self._sub_tracks(draw, month, place, 2 + length % 7)
            rows.append(row + "</track>")
        return "".join(rows)

    def _sub_tracks(self, draw: Draw, month: int, place: str, count: int) -> str:
        """Sub-tracks, such as the movements of a work."""
        rows = ""
        for letter in "abcdefgh"[:count]:
            rows += f"<track><position>{place}{letter}</position><title>{title(draw)}</title>"
            if draw() & 3 == 0:
                rows += f"<extraartists>{self._credits(draw, month, 1)}</extraartists>"
            rows += "</track>"
        return f"<sub_tracks>{rows}</sub_tracks>"

    def _identifiers(self, draw: Draw, letters: str, number: str) -> str:
        rows = ""
        for at in range(1 + draw() % 6):
            kind, about = words.IDENTIFIERS[draw() & 7]
            if kind == "Barcode":
                value = f"{draw():05d}{draw():05d}{draw() % 1000:03d}"
            elif kind == "Matrix / Runout":
                side = "ABCDEFGH"[at & 7]
                value = f"{number}-{side} {letters[60 + at * 5 : 68 + at * 5]} T{draw() & 7}"
            elif kind == "Rights Society":
                value = ("BIEM/GEMA", "SACEM", "ASCAP", "JASRAC")[draw() & 3]
            else:
                value = f"LC {draw() % 30000:05d}"
            rows += self.shape.identifier(kind, about, value)
        return rows

    def _companies(self, draw: Draw, month: int, count: int) -> str:
        rows = ""
        for _ in range(count):
            mix = draw()
            kind, role = words.COMPANY_ROLES[mix & 15]
            label_id, name = self.references.label(draw, month)
            if mix >> 4 & (DANGLES_EVERY - 1) == 0:
                label_id = self.references.absent(draw)
            number = catno(draw) if mix >> 11 & 15 == 0 else ""
            rows += self.shape.company(label_id, name, number, kind, role)
        return f"<companies>{rows}</companies>"


def _formats(draw: Draw, first: str, descriptions: list[str]) -> str:
    kind = draw()
    about = "".join(f"<description>{word}</description>" for word in descriptions)
    quantity = (1, 1, 1, 1, 1, 1, 2, 2 + (kind >> 3 & 3))[kind & 7]
    note = words.FORMAT_TEXTS[kind >> 5 & 1023]
    row = (
        f'<format name="{first}" qty="{quantity}" text="{note}">'
        f"<descriptions>{about}</descriptions></format>"
    )
    if kind >> 10 & 31 == 0:
        # A box set: the same format again, or a DVD.
        row += row if kind & 64 else '<format name="DVD" qty="1" text=""></format>'
    return f"<formats>{row}</formats>"


def _released(draw: Draw) -> str:
    """A full date 26 %, a year 56 %, a month 4 %, nothing 14 %."""
    share, when = draw() % 100, draw()
    year, month = 1955 + when % 71, 1 + (when >> 8) % 12
    if share < 56:
        return f"{year}"
    if share < 82:
        return f"{year}-{month:02d}-{1 + (when >> 4) % 28:02d}"
    return f"{year}-{month:02d}-00" if share < 86 else ""
