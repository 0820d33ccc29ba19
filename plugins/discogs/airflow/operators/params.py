"""The parameters of a run, as the trigger form shows them."""

from __future__ import annotations

import datetime as dt

from airflow.sdk import Param

from discogs.schema.entities import Entity, Month
from discogs.settings import Settings

#: How many of the last months the form suggests; any other can be typed.
_SUGGESTED = 24


def load_params(settings: Settings) -> dict[str, Param]:
    """The parameters of a run; Airflow validates their values."""
    entities = [str(entity) for entity in Entity]
    present = Month.of(dt.datetime.now(dt.timezone.utc).date())
    return {
        "year_month": Param(
            None,
            type=["null", "string"],
            pattern="^[0-9]{4}-(0[1-9]|1[0-2])$",
            examples=[str(present.plus(-number)) for number in range(_SUGGESTED)],
            title="Month",
            description="The month of the dump as YYYY-MM, such as 2026-07. Empty: the partition"
            " key, if Advanced Options has one, else the current month. Any other text"
            " is rejected (Bad Request); a run for a month that has not begun fails at once.",
        ),
        "entities": Param(
            entities,
            type="array",
            items={"type": "string", "enum": entities},
            minItems=1,
            uniqueItems=True,
            examples=entities,
            title="Entities",
            description="Entities to load. References to records of other entities become"
            " placeholder rows.",
        ),
        "filter": Param(
            None,
            type=["null", "string"],
            title="Filter",
            description="Which records to load, such as releases:country=Germany|Austria;"
            f" releases:format=Vinyl. Empty: the setting DISCOGS_FILTER, now"
            f" {settings.filter or 'all'}.",
        ),
        "shards": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=64,
            title="Shards",
            description="Staging tasks per entity, from 1 to 64. Empty: the setting DISCOGS_SHARDS,"
            f" now {settings.shards}.",
        ),
        "keep_files": Param(
            False,
            type="boolean",
            title="Keep files",
            description="Keep all dump files at the end of this run, regardless of"
            " DISCOGS_KEEP_MONTHS.",
        ),
        "allow_shrink": Param(
            False,
            type="boolean",
            title="Allow shrink",
            description="Accept a dump that has no records, or fewer than the previous month by"
            f" more than DISCOGS_MAX_SHRINK (now {settings.max_shrink:.0%}). Otherwise such a month"
            " fails before anything is merged.",
        ),
        "force": Param(
            False,
            type="boolean",
            title="Force",
            description="Load the month again even if it is completed, or has failed"
            f" DISCOGS_MAX_ATTEMPTS times (now {settings.max_attempts}).",
        ),
    }
