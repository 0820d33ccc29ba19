"""The names of artists and labels by position, and the references between records.

Records refer to records that are in every month, or were added no later than themselves, so the
references resolve in every month, except a share that dangles on purpose.
"""

from __future__ import annotations

from discogs.sample import words
from discogs.sample.draws import Draw
from discogs.sample.plan import EntityPlan, SamplePlan, absent_id, hashed, id_at
from discogs.schema.entities import Entity

#: Artists that are credited in many records, but have none themselves.
VARIOUS = (194, "Various")
UNKNOWN_ARTIST = (355, "Unknown Artist")
NO_ARTIST = (118760, "No Artist")

_SCRIPTS = ("細野晴臣", "Кино", "Ημισκούμπρια", "فيروز", "ชาตรี", "하수빈", "רותי", "Þeyr")
# One in this many references is to a record that does not exist.
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
        mix = _mixed(position, self._artist_salt)
        kind = mix & 31
        if kind < 21:
            name = f"{words.FIRST_NAMES[mix >> 5 & 511]} {words.LAST_NAMES[mix >> 14 & 1023]}"
        elif kind < 25:
            name = f"The {words.ADJECTIVES[mix >> 5 & 63]} {words.NOUNS[mix >> 11 & 127]}"
        elif kind < 28:
            name = f"{words.TITLE_WORDS[mix >> 5 & 511]} {words.NOUNS[mix >> 14 & 127]}"
        elif kind < 30:
            name = f"{words.LAST_NAMES[mix >> 5 & 1023]} &amp; {words.LAST_NAMES[mix >> 15 & 1023]}"
        elif kind < 31:
            name = f"DJ {words.TITLE_WORDS[mix >> 5 & 511]}"
        else:
            name = f"{_SCRIPTS[mix >> 5 & 7]} {words.TITLE_WORDS[mix >> 8 & 511]}"
        # Discogs numbers artists with the same name.
        return f"{name} ({2 + (mix >> 24 & 7)})" if mix >> 27 == 1 else name

    def label_name(self, position: int) -> str:
        mix = _mixed(position, self._label_salt)
        if mix & 3:
            return f"{words.TITLE_WORDS[mix >> 2 & 511]} {words.LABEL_TAILS[mix >> 11 & 15]}"
        name = f"{words.ADJECTIVES[mix >> 2 & 63]} {words.NOUNS[mix >> 8 & 127]}"
        return f"{name} {words.LABEL_TAILS[mix >> 15 & 15]}"

    def artist(self, draw: Draw, month: int = 0) -> tuple[int, str]:
        """An artist's id and name, some far more often than others.

        :param month: the month in which the referring record was added.
        """
        position = _pick(self.artists, draw, month)
        return id_at(position), self.artist_name(position)

    def label(self, draw: Draw, month: int = 0) -> tuple[int, str]:
        """A label's id and name, some far more often than others."""
        position = _pick(self.labels, draw, month)
        return id_at(position), self.label_name(position)

    def sometimes_absent(self, reference: tuple[int, str], draw: Draw) -> tuple[int, str]:
        """The reference, or sometimes one to an id that is in no file."""
        if draw() % DANGLES_EVERY:
            return reference
        return self.absent(draw), reference[1]

    def absent(self, draw: Draw) -> int:
        """An id that is in no file."""
        return absent_id(draw() & 4095)

    def master_of(self, position: int, draw: Draw) -> tuple[int, bool]:
        """The id of a release's master, 0 for none, and whether it is the main release."""
        releases, masters = self.releases, self.masters
        if position >= releases.base:
            batch, place = releases.added_at(position)
            if place < masters.added:
                return id_at(masters.base + batch * masters.added + place), True
            return id_at(_pick(masters, draw, batch + 1)) if draw() & 1 else 0, False
        if position < releases.staying:
            return 0, False
        rank = releases.going.rank(position - releases.staying) - releases.volatile
        if 0 <= rank < masters.pool - masters.volatile:
            return id_at(masters.stays(rank)), True
        # With these and the main releases, 59 % of all releases have a master.
        if 0 <= rank < 0.59 * releases.base:
            return id_at(_pick(masters, draw, 0)), False
        return 0, False

    def main_release_of(self, position: int, draw: Draw) -> int:
        """The id of a master's main release; one in 512 is in no file."""
        releases, masters = self.releases, self.masters
        if draw() & 511 == 0:
            return absent_id(draw())
        if position >= masters.base:
            batch, place = masters.added_at(position)
            if place < releases.added:
                return id_at(releases.base + batch * releases.added + place)
            return id_at(releases.stays(place))
        if position < masters.staying:
            return id_at(releases.stays(-1 - position))
        rank = masters.going.rank(position - masters.staying) - masters.volatile
        # The main release of a master that will be removed does not refer back to it.
        return id_at(releases.stays(rank))


def _mixed(position: int, salt: int) -> int:
    """A 32-bit hash of both."""
    mix = (position * 0x9E3779B1 + salt) & 0xFFFFFFFF
    mix = (mix ^ mix >> 15) * 0x85EBCA77 & 0xFFFFFFFF
    return mix ^ mix >> 13


def _pick(of: EntityPlan, draw: Draw, month: int) -> int:
    """A position; a product of two draws is often small, so few records get most references."""
    product = draw() * draw()
    if month and product & 3 == 0:
        return of.base + product % (month * of.added)
    return of.stays(product * (of.pool - of.volatile) >> 32)
