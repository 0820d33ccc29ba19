"""The records of the file of labels."""

from __future__ import annotations

from discogs.sample.draws import Draws
from discogs.sample.plan import id_at
from discogs.sample.references import DANGLES_EVERY, References
from discogs.sample.shapes import Shape
from discogs.sample.terms import DATA_QUALITIES
from discogs.sample.texts import text, urls
from discogs.sample.traps import LABEL_TRAPS, Sections, Sprung, spring
from discogs.sample.vocabulary import PLACES
from discogs.schema.entities import Entity


class LabelWriter:
    entity = Entity.LABELS

    def __init__(self, references: References, shape: Shape, *, traps: Sprung) -> None:
        self._references = references
        self._draws = Draws(references.plan.seed, self.entity)
        self._shape = shape
        self._traps = traps

    def record(self, position: int, version: int) -> str:
        """The record at a position as a line of the file, without the line's end."""
        references = self._references
        label_id = id_at(position)
        draw, letters = self._draws.of(label_id)
        name = references.label_name(position)
        month = references.labels.born(position)
        kind = draw()
        sections: Sections = {
            "start": "<label>",
            "images": self._shape.images(label_id),
            "id": f"<id>{label_id}</id>",
            "name": f"<name>{name}</name>",
            "contactinfo": "",
            "profile": "",
            "data_quality": f"<data_quality>{DATA_QUALITIES[draw() & 255]}</data_quality>",
            "parentLabel": "",
            "urls": "",
            "sublabels": "",
            "end": "</label>",
        }
        if kind & 7 == 0:
            sections["contactinfo"] = (
                f"<contactinfo>{name}&#13;\nP.O. Box {draw()}&#13;\n{PLACES[draw() & 63]}&#13;\n"
                f"&#13;\nPhone: +{draw() % 90} {draw()} {draw()}&#13;\n</contactinfo>"
            )
        profile = text(draw, 4) if kind >> 3 & 3 == 0 else ""
        if kind >> 5 & 3 == 0:
            parent_id, parent = references.label(draw, month)
            if draw() % DANGLES_EVERY == 0:
                parent_id = references.absent(draw)
            sections["parentLabel"] = f'<parentLabel id="{parent_id}">{parent}</parentLabel>'
        if kind >> 7 & 3 == 0:
            sections["urls"] = urls(draw, letters, name)
        drawn = [draw] * (1 + (kind >> 12 & 3)) if kind >> 9 & 7 == 0 else []
        if version & 1:
            # Every other change adds a sublabel, the next takes it back.
            drawn.append(self._draws.of_edit(label_id, version))
        if drawn:
            rows = []
            for each in drawn:
                sublabel_id, sublabel = references.label(each, month)
                if each() % DANGLES_EVERY == 0:
                    sublabel_id = references.absent(each)
                rows.append(f'<label id="{sublabel_id}">{sublabel}</label>')
            sections["sublabels"] = f"<sublabels>{''.join(rows)}</sublabels>"
        if version:
            profile = f"{profile}\nSubmission {version + 1}." if profile else f"No. {version + 1}."
        if profile or self._shape.era == "2020":
            sections["profile"] = f"<profile>{profile}</profile>"
        spring(LABEL_TRAPS, sections, position, version, self._shape, references, self._traps)
        return "".join(sections.values())
