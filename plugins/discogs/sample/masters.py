"""The records of the file of masters."""

from __future__ import annotations

from discogs.sample.plan import id_at
from discogs.sample.references import VARIOUS
from discogs.sample.texts import style_rows, text, title, videos
from discogs.sample.words import DATA_QUALITIES, GENRE_DRAW, GENRE_NAMES, JOINS
from discogs.sample.writer import Sections, Writer, edited, wrapped
from discogs.schema.entities import Entity


class MasterWriter(Writer):
    entity = Entity.MASTERS

    def record(self, position: int, version: int) -> Sections:
        shape, references = self.shape, self.references
        master_id = id_at(position)
        draw, letters = self.draws.of(master_id)
        month = references.masters.born(position)
        kind = draw()
        main_release = references.main_release_of(position, draw)
        artist = references.artist(draw, month)
        if kind & 15 == 0:
            artist = VARIOUS
        if kind >> 4 & 7 == 0:
            credits = shape.credit(*artist, join=JOINS[draw() & 7])
            credits += shape.credit(*references.artist(draw, month))
        else:
            credits = shape.credit(*artist, join="" if kind >> 7 & 7 == 0 else ",")
        genre = GENRE_DRAW[draw() & 1023]
        styles = style_rows(genre, draw(), 1 + (kind >> 10 & 3) % 3)
        # Each version has another year, as when an older pressing is found; 0 is unknown.
        year = 1950 + (draw() + version) % 76 if kind % 13 else version
        notes = edited(text(draw, 4) if kind % 11 == 0 else "", version)
        name = title(draw)
        quality = DATA_QUALITIES[draw() & 255]
        return {
            "start": f'<master id="{master_id}">',
            "main_release": f"<main_release>{main_release}</main_release>",
            "images": shape.images(master_id),
            "artists": f"<artists>{credits}</artists>",
            "genres": f"<genres><genre>{GENRE_NAMES[genre]}</genre></genres>",
            "styles": f"<styles>{styles}</styles>" if kind % 17 else "",
            "notes": wrapped("notes", notes),
            "year": f"<year>{year}</year>",
            "title": f"<title>{name}</title>",
            "data_quality": f"<data_quality>{quality}</data_quality>",
            "videos": videos(draw, letters, shape, 1 + draw() % 6, artist[1]) if kind % 5 else "",
            "end": "</master>",
        }
