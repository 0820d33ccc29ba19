"""The records of the file of artists."""

from __future__ import annotations

from discogs.sample.draws import Draw, Draws
from discogs.sample.plan import id_at
from discogs.sample.references import DANGLES_EVERY, References
from discogs.sample.shapes import Shape
from discogs.sample.terms import DATA_QUALITIES
from discogs.sample.texts import text, urls
from discogs.sample.traps import ARTIST_TRAPS, Sections, Sprung, spring
from discogs.sample.vocabulary import FIRST_NAMES, LAST_NAMES
from discogs.schema.entities import Entity


class ArtistWriter:
    entity = Entity.ARTISTS

    def __init__(self, references: References, shape: Shape, *, traps: Sprung) -> None:
        self._references = references
        self._draws = Draws(references.plan.seed, self.entity)
        self._shape = shape
        self._traps = traps

    def record(self, position: int, version: int) -> str:
        """The record at a position as a line of the file, without the line's end."""
        shape = self._shape
        references = self._references
        artist_id = id_at(position)
        draw, letters = self._draws.of(artist_id)
        name = references.artist_name(position)
        kind = draw()
        sections: Sections = {
            "start": "<artist>",
            "images": shape.images(artist_id),
            "id": f"<id>{artist_id}</id>",
            "name": f"<name>{name}</name>",
            "realname": "",
            "profile": "",
            "data_quality": f"<data_quality>{DATA_QUALITIES[draw() & 255]}</data_quality>",
            "urls": "",
            "namevariations": "",
            "aliases": "",
            "members": "",
            "groups": "",
            "end": "</artist>",
        }
        if kind & 3 == 0:
            real = f"{FIRST_NAMES[draw() & 511]} {LAST_NAMES[draw() & 1023]}"
            sections["realname"] = f"<realname>{real}</realname>"
        profile = text(draw, 8) if kind >> 2 & 3 == 0 else ""
        if kind >> 4 & 3 == 0:
            sections["urls"] = urls(draw, letters, name)
        variations: list[str] = []
        if kind >> 6 & 3 == 0:
            last = name.rpartition(" ")[2]
            variations = [f"{name[0]}. {last}", f"{last}, {name[0]}.", name.upper()]
            if "&" in name or ";" in name:
                variations = [last, f"The {last}"]
            variations += [f"{FIRST_NAMES[draw() & 511]} {last}" for _ in range(kind >> 8 & 1)]
        # Every other change adds a variation, the next takes it back.
        variations += [f"{name} #{version}"] * (version & 1)
        if variations:
            rows = "".join(f"<name>{variation}</name>" for variation in variations)
            sections["namevariations"] = f"<namevariations>{rows}</namevariations>"
        month = references.artists.born(position)
        if kind >> 9 & 7 == 0:
            sections["aliases"] = f"<aliases>{self._names(draw, month)}</aliases>"
        if kind >> 12 & 7 == 0:
            rows = "".join(shape.member(*self._reference(draw, month)) for _ in range(2 + kind % 3))
            sections["members"] = f"<members>{rows}</members>"
        elif kind >> 12 & 7 == 1:
            sections["groups"] = f"<groups>{self._names(draw, month)}</groups>"
        if version:
            profile = f"{profile}\nSubmission {version + 1}." if profile else f"No. {version + 1}."
        if profile or shape.era == "2020":
            sections["profile"] = f"<profile>{profile}</profile>"
        spring(ARTIST_TRAPS, sections, position, version, shape, references, self._traps)
        return "".join(sections.values())

    def _names(self, draw: Draw, month: int) -> str:
        rows = []
        for _ in range(1 + (draw() & 3)):
            artist_id, name = self._reference(draw, month)
            rows.append(f'<name id="{artist_id}">{name}</name>')
        return "".join(rows)

    def _reference(self, draw: Draw, month: int) -> tuple[int, str]:
        artist_id, name = self._references.artist(draw, month)
        if draw() % DANGLES_EVERY == 0:
            return self._references.absent(draw), name
        return artist_id, name
