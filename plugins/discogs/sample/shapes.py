"""How an element is written: today's format, and the one before December 2024.

The older one wrote empty elements out, had images, an id beside each member and a status,
and its attributes stood in alphabetical order. All texts come escaped.
"""

from __future__ import annotations

from typing import Literal, Protocol

Era = Literal["2020", "2026"]


class Shape(Protocol):
    """The elements in which the formats differ."""

    era: Era

    def credit(
        self,
        artist_id: int | None,
        name: str,
        anv: str = "",
        join: str = "",
        role: str = "",
        tracks: str = "",
    ) -> str: ...

    def label(self, name: str, catno: str, label_id: int | str) -> str: ...

    def identifier(self, kind: str, description: str, value: str) -> str: ...

    def video(self, code: str, duration: int, title: str, description: str) -> str: ...

    def company(self, label_id: int, name: str, catno: str, kind: int, kind_name: str) -> str: ...

    def member(self, artist_id: int, name: str) -> str: ...

    def optional(self, element: str, text: str) -> str: ...

    def images(self, number: int) -> str: ...

    def release(self, release_id: int) -> str: ...

    def master_id(self, master_id: int, main: bool) -> str: ...


class Today:
    """Since December 2024: what is empty is left out."""

    era: Era = "2026"

    @staticmethod
    def credit(
        artist_id: int | None,
        name: str,
        anv: str = "",
        join: str = "",
        role: str = "",
        tracks: str = "",
    ) -> str:
        text = f"<artist><id>{artist_id}</id><name>{name}</name>"
        if artist_id is None:
            text = f"<artist><name>{name}</name>"
        if anv:
            text += f"<anv>{anv}</anv>"
        if join:
            text += f"<join>{join}</join>"
        if role:
            text += f"<role>{role}</role>"
        if tracks:
            return f"{text}<tracks>{tracks}</tracks></artist>"
        return text + "</artist>"

    @staticmethod
    def label(name: str, catno: str, label_id: int | str) -> str:
        return f'<label name="{name}" catno="{catno}" id="{label_id}"/>'

    @staticmethod
    def identifier(kind: str, description: str, value: str) -> str:
        if description:
            return f'<identifier type="{kind}" description="{description}" value="{value}"/>'
        return f'<identifier type="{kind}" value="{value}"/>'

    @staticmethod
    def video(code: str, duration: int, title: str, description: str) -> str:
        start = (
            f'<video src="https://www.youtube.com/watch?v={code}" duration="{duration}"'
            f' embed="true">'
        )
        if title:
            start += f"<title>{title}</title>"
        if description:
            return f"{start}<description>{description}</description></video>"
        return start + "</video>"

    @staticmethod
    def company(label_id: int, name: str, catno: str, kind: int, kind_name: str) -> str:
        number = f"<catno>{catno}</catno>" if catno else ""
        return (
            f"<company><id>{label_id}</id><name>{name}</name>{number}"
            f"<entity_type>{kind}</entity_type>"
            f"<entity_type_name>{kind_name}</entity_type_name></company>"
        )

    @staticmethod
    def member(artist_id: int, name: str) -> str:
        return f'<name id="{artist_id}">{name}</name>'

    @staticmethod
    def optional(element: str, text: str) -> str:
        return f"<{element}>{text}</{element}>" if text else ""

    @staticmethod
    def images(number: int) -> str:
        return ""

    @staticmethod
    def release(release_id: int) -> str:
        return f'<release id="{release_id}">'

    @staticmethod
    def master_id(master_id: int, main: bool) -> str:
        word = "true" if main else "false"
        return f'<master_id is_main_release="{word}">{master_id}</master_id>'


class Older:
    """Before December 2024: what is empty is written out."""

    era: Era = "2020"

    @staticmethod
    def credit(
        artist_id: int | None,
        name: str,
        anv: str = "",
        join: str = "",
        role: str = "",
        tracks: str = "",
    ) -> str:
        number = "" if artist_id is None else f"<id>{artist_id}</id>"
        return (
            f"<artist>{number}<name>{name}</name><anv>{anv}</anv><join>{join}</join>"
            f"<role>{role}</role><tracks>{tracks}</tracks></artist>"
        )

    @staticmethod
    def label(name: str, catno: str, label_id: int | str) -> str:
        return f'<label catno="{catno}" id="{label_id}" name="{name}"/>'

    @staticmethod
    def identifier(kind: str, description: str, value: str) -> str:
        if description:
            return f'<identifier description="{description}" type="{kind}" value="{value}"/>'
        return f'<identifier type="{kind}" value="{value}"/>'

    @staticmethod
    def video(code: str, duration: int, title: str, description: str) -> str:
        return (
            f'<video duration="{duration}" embed="true"'
            f' src="https://www.youtube.com/watch?v={code}"><title>{title}</title>'
            f"<description>{description}</description></video>"
        )

    @staticmethod
    def company(label_id: int, name: str, catno: str, kind: int, kind_name: str) -> str:
        return (
            f"<company><id>{label_id}</id><name>{name}</name><catno>{catno}</catno>"
            f"<entity_type>{kind}</entity_type><entity_type_name>{kind_name}</entity_type_name>"
            f"<resource_url>https://api.discogs.com/labels/{label_id}</resource_url></company>"
        )

    @staticmethod
    def member(artist_id: int, name: str) -> str:
        return f'<id>{artist_id}</id><name id="{artist_id}">{name}</name>'

    @staticmethod
    def optional(element: str, text: str) -> str:
        return f"<{element}>{text}</{element}>"

    @staticmethod
    def images(number: int) -> str:
        """None for every fourth record, else one to three."""
        count = number & 3
        if not count:
            return ""
        rows = "".join(
            f'<image height="{600 - (number * 7 + at) % 200}"'
            f' type="{"secondary" if at else "primary"}" uri="" uri150="" width="600"/>'
            for at in range(count)
        )
        return f"<images>{rows}</images>"

    @staticmethod
    def release(release_id: int) -> str:
        status = "Accepted" if release_id % 97 else "Draft"
        return f'<release id="{release_id}" status="{status}">'

    @staticmethod
    def master_id(master_id: int, main: bool) -> str:
        if not master_id:
            return ""
        word = "true" if main else "false"
        return f'<master_id is_main_release="{word}">{master_id}</master_id>'


SHAPES: dict[Era, Shape] = {"2020": Older(), "2026": Today()}
