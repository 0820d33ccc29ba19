"""Names by position, and whom a record may refer to.

References go to records that are in every month, or to additions no younger than the
record itself, so they resolve in every month. Those that dangle are made on purpose, and
:func:`dangling_ids` lists what they can be.
"""

from __future__ import annotations

from discogs.sample.draws import Draw
from discogs.sample.plan import EntityPlan, SamplePlan, absent_id, hashed, id_at
from discogs.sample.vocabulary import (
    ADJECTIVES,
    FIRST_NAMES,
    LABEL_TAILS,
    LAST_NAMES,
    NOUNS,
    TITLE_WORDS,
)
from discogs.schema.entities import Entity

#: credited everywhere, in no file of artists
VARIOUS = 194
UNKNOWN_ARTIST = 355
NO_ARTIST = 118760

_SCRIPTS = ("細野晴臣", "Кино", "Ημισκούμπρια", "فيروز", "ชาตรี", "하수빈", "רותי", "Þeyr")
# One reference in so many, beyond those of the special records, is to an absent record.
DANGLES_EVERY = 128


class References:
    """Draws references and names them; names are already escaped for XML."""

    def __init__(self, plan: SamplePlan) -> None:
        self.plan = plan
        self.artists = plan.of(Entity.ARTISTS)
        self.labels = plan.of(Entity.LABELS)
        self.masters = plan.of(Entity.MASTERS)
        self.releases = plan.of(Entity.RELEASES)
        self._artist_salt = hashed(plan.seed, "artist names")
        self._label_salt = hashed(plan.seed, "label names")

    def artist_name(self, position: int) -> str:
        mix = (position * 0x9E3779B1 + self._artist_salt) & 0xFFFFFFFF
        mix = (mix ^ mix >> 15) * 0x85EBCA77 & 0xFFFFFFFF
        mix ^= mix >> 13
        kind = mix & 31
        if kind < 21:
            name = f"{FIRST_NAMES[mix >> 5 & 511]} {LAST_NAMES[mix >> 14 & 1023]}"
        elif kind < 25:
            name = f"The {ADJECTIVES[mix >> 5 & 63]} {NOUNS[mix >> 11 & 127]}"
        elif kind < 28:
            name = f"{TITLE_WORDS[mix >> 5 & 511]} {NOUNS[mix >> 14 & 127]}"
        elif kind < 30:
            name = f"{LAST_NAMES[mix >> 5 & 1023]} &amp; {LAST_NAMES[mix >> 15 & 1023]}"
        elif kind < 31:
            name = f"DJ {TITLE_WORDS[mix >> 5 & 511]}"
        else:
            name = f"{_SCRIPTS[mix >> 5 & 7]} {TITLE_WORDS[mix >> 8 & 511]}"
        # Discogs numbers the namesakes.
        return f"{name} ({2 + (mix >> 24 & 7)})" if mix >> 27 == 1 else name

    def label_name(self, position: int) -> str:
        mix = (position * 0x9E3779B1 + self._label_salt) & 0xFFFFFFFF
        mix = (mix ^ mix >> 15) * 0x85EBCA77 & 0xFFFFFFFF
        mix ^= mix >> 13
        if mix & 3:
            return f"{TITLE_WORDS[mix >> 2 & 511]} {LABEL_TAILS[mix >> 11 & 15]}"
        return f"{ADJECTIVES[mix >> 2 & 63]} {NOUNS[mix >> 8 & 127]} {LABEL_TAILS[mix >> 15 & 15]}"

    def artist(self, draw: Draw, month: int = 0) -> tuple[int, str]:
        """An artist's id and name, some far more often than others.

        :param month: the month in which the record that refers was born.
        """
        position = _pick(self.artists, draw, month)
        return id_at(position), self.artist_name(position)

    def label(self, draw: Draw, month: int = 0) -> tuple[int, str]:
        """A label's id and name, some far more often than others."""
        position = _pick(self.labels, draw, month)
        return id_at(position), self.label_name(position)

    def master_of(self, position: int, draw: Draw) -> tuple[int, bool]:
        """The id of a release's master, 0 for none, and whether it is the main release."""
        releases, masters = self.releases, self.masters
        if position >= releases.base:
            batch, place = divmod(position - releases.base, releases.added)
            if place < masters.added:
                return id_at(masters.base + batch * masters.added + place), True
            return id_at(_pick(masters, draw, batch + 1)) if draw() & 1 else 0, False
        if position < releases.special:
            return 0, False
        rank = releases.going.rank(position - releases.special) - releases.volatile
        if rank < 0:
            return 0, False
        mains = masters.pool - masters.volatile
        if rank < mains:
            return id_at(masters.stays(rank)), True
        # Main releases and these are 59 % of all.
        if rank < 0.59 * releases.base:
            return id_at(_pick(masters, draw, 0)), False
        return 0, False

    def main_release_of(self, position: int, draw: Draw) -> int:
        """The id of a master's main release; one in 512 is in no file."""
        releases, masters = self.releases, self.masters
        if draw() & 511 == 0:
            return absent_id(draw())
        if position >= masters.base:
            batch, place = divmod(position - masters.base, masters.added)
            if place < releases.added:
                return id_at(releases.base + batch * releases.added + place)
            return id_at(releases.stays(place))
        if position < masters.special:
            return id_at(releases.stays(-1 - position))
        rank = masters.going.rank(position - masters.special) - masters.volatile
        # A master that will go has a main release that does not point back.
        return id_at(releases.stays(rank))

    def late(self, entity: Entity) -> tuple[int, str]:
        """A record that others refer to from the first month and that comes in the second."""
        of = self.plan.of(entity)
        return id_at(of.base), self.name(entity, of.base)

    def vanishing(self, entity: Entity, rank: int) -> tuple[int, str]:
        """A record that others refer to for ever and that goes one month.

        :param rank: 0 is the first that goes, and it comes back; 1 stays away.
        """
        position = self.plan.of(entity).goes(rank)
        return id_at(position), self.name(entity, position)

    def name(self, entity: Entity, position: int) -> str:
        name = self.artist_name if entity is Entity.ARTISTS else self.label_name
        return name(position)

    def absent(self, draw: Draw) -> int:
        """An id that is in no file."""
        return absent_id(draw() & 4095)


def _pick(of: EntityPlan, draw: Draw, month: int) -> int:
    """The product of two draws falls towards 0: a few records get most references."""
    product = draw() * draw()
    if month and of.added and product & 3 == 0:
        return of.base + product % (month * of.added)
    return of.stays(product * (of.pool - of.volatile) >> 32)


def dangling_ids(plan: SamplePlan, entity: Entity) -> frozenset[int]:
    """The ids that special records refer to although some months lack them.

    Besides these, only ids with no position (:func:`~discogs.sample.plan.position_of`)
    dangle, which 194, 355 and 118760 are among.
    """
    references = References(plan)
    ids = {references.late(entity)[0]}
    ids.update(references.vanishing(entity, rank)[0] for rank in (0, 1))
    return frozenset(ids)
