"""The records of the file of artists."""

from __future__ import annotations

from discogs.sample.draws import Draw
from discogs.sample.plan import id_at
from discogs.sample.texts import text, urls
from discogs.sample.words import DATA_QUALITIES, FIRST_NAMES, LAST_NAMES
from discogs.sample.writer import Sections, Writer, edited, wrapped
from discogs.schema.entities import Entity


class ArtistWriter(Writer):
    entity = Entity.ARTISTS

    def record(self, position: int, version: int) -> Sections:
        artist_id = id_at(position)
        draw, letters = self.draws.of(artist_id)
        name = self.references.artist_name(position)
        month = self.references.artists.born(position)
        kind = draw()
        quality = DATA_QUALITIES[draw() & 255]
        real = profile = addresses = aliases = members = groups = ""
        if kind & 3 == 0:
            real = f"{FIRST_NAMES[draw() & 511]} {LAST_NAMES[draw() & 1023]}"
        if kind >> 2 & 3 == 0:
            profile = text(draw, 8)
        if kind >> 4 & 3 == 0:
            addresses = urls(draw, letters, name)
        variations: list[str] = []
        if kind >> 6 & 3 == 0:
            last = name.rpartition(" ")[2]
            variations = [f"{name[0]}. {last}", f"{last}, {name[0]}.", name.upper()]
            if "&" in name or ";" in name:
                variations = [last, f"The {last}"]
            variations += [f"{FIRST_NAMES[draw() & 511]} {last}" for _ in range(kind >> 8 & 1)]
        # Odd versions have one more name variation.
        variations += [f"{name} #{version}"] * (version & 1)
        if kind >> 9 & 7 == 0:
            aliases = self._names(draw, month)
        if kind >> 12 & 7 == 0:
            for _ in range(2 + kind % 3):
                members += self.shape.member(*self._reference(draw, month))
        elif kind >> 12 & 7 == 1:
            groups = self._names(draw, month)
        return {
            "start": "<artist>",
            "images": self.shape.images(artist_id),
            "id": f"<id>{artist_id}</id>",
            "name": f"<name>{name}</name>",
            "realname": wrapped("realname", real),
            "profile": self.shape.optional("profile", edited(profile, version)),
            "data_quality": f"<data_quality>{quality}</data_quality>",
            "urls": addresses,
            "namevariations": wrapped(
                "namevariations", "".join(f"<name>{each}</name>" for each in variations)
            ),
            "aliases": wrapped("aliases", aliases),
            "members": wrapped("members", members),
            "groups": wrapped("groups", groups),
            "end": "</artist>",
        }

    def _names(self, draw: Draw, month: int) -> str:
        rows = ""
        for _ in range(1 + (draw() & 3)):
            artist_id, name = self._reference(draw, month)
            rows += f'<name id="{artist_id}">{name}</name>'
        return rows

    def _reference(self, draw: Draw, month: int) -> tuple[int, str]:
        return self.references.sometimes_absent(self.references.artist(draw, month), draw)
