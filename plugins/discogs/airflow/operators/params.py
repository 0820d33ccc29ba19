"""The parameters of a run, as the trigger form shows them."""

from __future__ import annotations

from airflow.sdk import Param

from discogs.schema.entities import Entity
from discogs.settings import Settings


def load_params(settings: Settings) -> dict[str, Param]:
    """The parameters of a run that loads a month; Airflow refuses what they do not allow."""
    entities = [str(entity) for entity in Entity]
    return {
        "year_month": Param(
            None,
            type=["null", "string"],
            pattern="^[0-9]{4}-(0[1-9]|1[0-2])$",
            title="Month",
            description="YYYY-MM. Used only when the run has no partition key.",
        ),
        "entities": Param(
            entities,
            type="array",
            items={"type": "string", "enum": entities},
            minItems=1,
            uniqueItems=True,
            examples=entities,
            title="Entities",
            description="What to load. References to the others get placeholder rows.",
        ),
        "filter": Param(
            None,
            type=["null", "string"],
            title="Filter",
            description="Which records to load, such as releases:country=Germany|Austria;"
            f" releases:format=Vinyl. Empty: DISCOGS_FILTER, now {settings.filter or 'all'}.",
        ),
        "shards": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=64,
            title="Shards",
            description=f"Staging tasks per entity. Empty: DISCOGS_SHARDS, now {settings.shards}.",
        ),
        "keep_files": Param(
            False,
            type="boolean",
            title="Keep files",
            description="Do not delete dump files at the end of this run.",
        ),
        "allow_shrink": Param(
            False,
            type="boolean",
            title="Allow shrink",
            description="Accept a dump with far fewer records than the month before. Without it,"
            " such a month fails before anything is merged.",
        ),
        "force": Param(
            False,
            type="boolean",
            title="Force",
            description="Load the month again though it is completed, or has failed too often.",
        ),
    }
