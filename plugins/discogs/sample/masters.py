"""The records of the file of masters."""

from __future__ import annotations

from discogs.sample.draws import Draws
from discogs.sample.plan import id_at
from discogs.sample.references import VARIOUS, References
from discogs.sample.shapes import Shape
from discogs.sample.terms import DATA_QUALITIES, GENRE_DRAW, GENRE_NAMES, JOINS
from discogs.sample.texts import style_rows, text, title, videos
from discogs.sample.traps import MASTER_TRAPS, Sections, Sprung, spring
from discogs.schema.entities import Entity


class MasterWriter:
    entity = Entity.MASTERS

    def __init__(self, references: References, shape: Shape, *, traps: Sprung) -> None:
        self._references = references
        self._draws = Draws(references.plan.seed, self.entity)
        self._shape = shape
        self._traps = traps

    def record(self, position: int, version: int) -> str:
        """The record at a position as a line of the file, without the line's end."""
        shape = self._shape
        references = self._references
        master_id = id_at(position)
        draw, letters = self._draws.of(master_id)
        month = references.masters.born(position)
        kind = draw()
        main_release = references.main_release_of(position, draw)
        artist_id, artist = references.artist(draw, month)
        if kind & 15 == 0:
            artist_id, artist = VARIOUS, "Various"
        if kind >> 4 & 7 == 0:
            credits = shape.credit(artist_id, artist, join=JOINS[draw() & 7]) + shape.credit(
                *references.artist(draw, month)
            )
        else:
            credits = shape.credit(artist_id, artist, join="" if kind >> 7 & 7 == 0 else ",")
        genre = GENRE_DRAW[draw() & 1023]
        styles = style_rows(genre, draw(), 1 + (kind >> 10 & 3) % 3)
        # Every change turns the year, as a found older pressing does; 0 is unknown.
        year = 1950 + (draw() + version) % 76 if kind % 13 else version
        notes = text(draw, 4) if kind % 11 == 0 else ""
        if version:
            notes = f"{notes}\nSubmission {version + 1}." if notes else f"No. {version + 1}."
        sections: Sections = {
            "start": f'<master id="{master_id}">',
            "main_release": f"<main_release>{main_release}</main_release>",
            "images": shape.images(master_id),
            "artists": f"<artists>{credits}</artists>",
            "genres": f"<genres><genre>{GENRE_NAMES[genre]}</genre></genres>",
            "styles": f"<styles>{styles}</styles>" if kind % 17 else "",
            "notes": f"<notes>{notes}</notes>" if notes else "",
            "year": f"<year>{year}</year>",
            "title": f"<title>{title(draw)}</title>",
            "data_quality": f"<data_quality>{DATA_QUALITIES[draw() & 255]}</data_quality>",
            "videos": "",
            "end": "</master>",
        }
        if kind % 5:
            sections["videos"] = videos(draw, letters, shape, 1 + draw() % 6, artist)
        spring(MASTER_TRAPS, sections, position, version, shape, references, self._traps)
        return "".join(sections.values())
