"""Writing elements in today's format, and in the format before December 2024.

The older format has empty elements, images, an id beside each member, a status, and attributes in
alphabetical order. All texts are passed in escaped.
"""

from __future__ import annotations

from typing import Literal, get_args

Era = Literal["2020", "2026"]
ERAS: tuple[Era, ...] = get_args(Era)


class Shape:
    """Writes the elements in which the formats differ."""

    def __init__(self, era: Era) -> None:
        self.era = era
        self.older = era == "2020"

    def tag(self, element: str, end: str = "/>", **attributes: object) -> str:
        """An element's tag, with its attributes in the order of the era."""
        items = sorted(attributes.items()) if self.older else attributes.items()
        return f"<{element}" + "".join(f' {name}="{value}"' for name, value in items) + end

    def optional(self, element: str, text: str) -> str:
        return f"<{element}>{text}</{element}>" if text or self.older else ""

    def credit(
        self,
        artist_id: int | None,
        name: str,
        anv: str = "",
        join: str = "",
        role: str = "",
        tracks: str = "",
    ) -> str:
        number = "" if artist_id is None else f"<id>{artist_id}</id>"
        more = self.optional("anv", anv) + self.optional("join", join)
        more += self.optional("role", role) + self.optional("tracks", tracks)
        return f"<artist>{number}<name>{name}</name>{more}</artist>"

    def label(self, name: str, catno: str, label_id: int | str) -> str:
        return self.tag("label", name=name, catno=catno, id=label_id)

    def identifier(self, kind: str, description: str, value: str) -> str:
        about = {"description": description} if description else {}
        return self.tag("identifier", type=kind, **about, value=value)

    def video(self, code: str, duration: int, title: str, description: str) -> str:
        source = f"https://www.youtube.com/watch?v={code}"
        start = self.tag("video", ">", src=source, duration=duration, embed="true")
        texts = self.optional("title", title) + self.optional("description", description)
        return f"{start}{texts}</video>"

    def company(self, label_id: int, name: str, catno: str, kind: int, kind_name: str) -> str:
        url = f"https://api.discogs.com/labels/{label_id}"
        return (
            f"<company><id>{label_id}</id><name>{name}</name>{self.optional('catno', catno)}"
            f"<entity_type>{kind}</entity_type><entity_type_name>{kind_name}</entity_type_name>"
            f"{f'<resource_url>{url}</resource_url>' if self.older else ''}</company>"
        )

    def member(self, artist_id: int, name: str) -> str:
        number = f"<id>{artist_id}</id>" if self.older else ""
        return f'{number}<name id="{artist_id}">{name}</name>'

    def images(self, number: int) -> str:
        """Images, in the older format only: none for every fourth record, else one to three."""
        if not self.older or not number & 3:
            return ""
        rows = "".join(
            f'<image height="{600 - (number * 7 + at) % 200}"'
            f' type="{"secondary" if at else "primary"}" uri="" uri150="" width="600"/>'
            for at in range(number & 3)
        )
        return f"<images>{rows}</images>"

    def release(self, release_id: int) -> str:
        status = {"status": "Accepted" if release_id % 97 else "Draft"} if self.older else {}
        return self.tag("release", ">", id=release_id, **status)

    def master_id(self, master_id: int, main: bool) -> str:
        if self.older and not master_id:
            return ""
        return f'<master_id is_main_release="{"true" if main else "false"}">{master_id}</master_id>'
