"""The records of the file of labels."""

from __future__ import annotations

from discogs.sample.plan import id_at
from discogs.sample.texts import text, urls
from discogs.sample.words import DATA_QUALITIES, PLACES
from discogs.sample.writer import Sections, Writer, edited, wrapped
from discogs.schema.entities import Entity


class LabelWriter(Writer):
    entity = Entity.LABELS

    def record(self, position: int, version: int) -> Sections:
        references = self.references
        label_id = id_at(position)
        draw, letters = self.draws.of(label_id)
        name = references.label_name(position)
        month = references.labels.born(position)
        kind = draw()
        quality = DATA_QUALITIES[draw() & 255]
        contact = profile = parent = addresses = ""
        if kind & 7 == 0:
            contact = (
                f"{name}&#13;\nP.O. Box {draw()}&#13;\n{PLACES[draw() & 63]}&#13;\n"
                f"&#13;\nPhone: +{draw() % 90} {draw()} {draw()}&#13;\n"
            )
        if kind >> 3 & 3 == 0:
            profile = text(draw, 4)
        if kind >> 5 & 3 == 0:
            number, other = references.sometimes_absent(references.label(draw, month), draw)
            parent = f'<parentLabel id="{number}">{other}</parentLabel>'
        if kind >> 7 & 3 == 0:
            addresses = urls(draw, letters, name)
        drawn = [draw] * (1 + (kind >> 12 & 3)) if kind >> 9 & 7 == 0 else []
        if version & 1:
            # Odd versions have one more sublabel.
            drawn.append(self.draws.of_edit(label_id, version))
        sublabels = ""
        for each in drawn:
            number, other = references.sometimes_absent(references.label(each, month), each)
            sublabels += f'<label id="{number}">{other}</label>'
        return {
            "start": "<label>",
            "images": self.shape.images(label_id),
            "id": f"<id>{label_id}</id>",
            "name": f"<name>{name}</name>",
            "contactinfo": wrapped("contactinfo", contact),
            "profile": self.shape.optional("profile", edited(profile, version)),
            "data_quality": f"<data_quality>{quality}</data_quality>",
            "parentLabel": parent,
            "urls": addresses,
            "sublabels": wrapped("sublabels", sublabels),
            "end": "</label>",
        }
