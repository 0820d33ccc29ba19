"""A month through a real scheduler; its rows are counted without the package's parser."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from discogs.database.migrations import migrate
from discogs.schema.entities import Month
from discogs.tracking.model import RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository
from tests.sample.odd_records import write_months

if TYPE_CHECKING:
    from tests.airflow.conftest import RunningAirflow

pytestmark = pytest.mark.airflow

MONTH = Month(2026, 5)
# Without the characters that XML forbids: lxml alone cannot read on after them.
SAMPLE: dict[str, Any] = {"releases": 400, "seed": 5, "since": MONTH, "forbidden": False}

# Table to the XPath of what makes its rows; written down apart from the mapping.
COUNTED = {
    "releases": {
        "release_tracks": "release/tracklist//track[ancestor::tracklist]",
        "release_identifiers": "release/identifiers/identifier",
        "release_videos": "release/videos/video",
        "release_formats": "release/formats/format",
        "release_labels": "release/labels/label",
        "release_series": "release/series/series",
        "release_companies": "release/companies/company",
        "release_artists": "release/artists/artist",
        "release_credits": "release/extraartists/artist",
        "release_track_artists": "release/tracklist//track/artists/artist",
        "release_track_credits": "release/tracklist//track/extraartists/artist",
    },
    "masters": {
        "master_artists": "master/artists/artist",
        "master_videos": "master/videos/video",
        "master_styles": "master/styles/style",
    },
    "artists": {
        "artist_aliases": "artist/aliases/name",
        "artist_members": "artist/members/name",
        "artist_groups": "artist/groups/name",
    },
    "labels": {"label_sublabels": "label/sublabels/label"},
}


def parsed(path: Path) -> etree._Element:
    parser = etree.XMLParser(huge_tree=True, resolve_entities=False)
    with gzip.open(path) as opened:
        return etree.parse(opened, parser).getroot()


def test_a_month_is_loaded_as_its_files_hold_it(airflow_stack: RunningAirflow) -> None:
    airflow_stack.start_afresh()
    written = write_months(airflow_stack.dumps, MONTH, **SAMPLE)
    files = {path.name.split("_")[2].removesuffix(".xml.gz"): path for path in written}

    run_id, state = airflow_stack.load(str(MONTH))

    states = airflow_stack.states(run_id)
    assert state == "success", states
    assert set(states.values()) == {"success"}
    assert {"download [releases]", "checksum [labels]"} <= states.keys()
    assert "stage.artists [shard 1 of 1]" in states

    record = airflow_stack.month(str(MONTH))
    assert record.status is Status.COMPLETED
    assert record.dump_date == MONTH.first_day
    assert (record.dag_id, record.run_id) == ("discogs_monthly", run_id)
    for entity in COUNTED:
        path = files[entity]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        checksum = record.file_checksums[path.name]
        assert (checksum.expected, checksum.actual) == (digest, digest)
        assert checksum.size == path.stat().st_size
        assert record.processing_stats[entity]["sha256"] == digest

    with airflow_stack.connect() as conn:
        for entity, children in COUNTED.items():
            root = parsed(files[entity])
            in_file = {int(record.get("id") or record.findtext("id") or 0) for record in root}
            rows = conn.execute(
                f"SELECT id, dump_month FROM {entity} WHERE NOT placeholder"
            ).fetchall()
            named_by_credits = {194, 355, 118760} if entity == "artists" else set()
            assert {row[0] for row in rows} - named_by_credits == in_file - named_by_credits
            assert record.processing_stats[entity]["read"] == len(root)
            for table, path in children.items():
                row = conn.execute(f"SELECT count(*) FROM {table}").fetchone()
                assert row == (len(root.xpath(path)),), table
        titles = dict(conn.execute("SELECT id, title FROM releases").fetchall())
    for release in parsed(files["releases"]):
        title = " ".join((release.findtext("title") or "").split())
        assert " ".join((titles[int(release.get("id"))] or "").split()) == title


def test_a_completed_month_ends_at_its_third_task(airflow_stack: RunningAirflow) -> None:
    airflow_stack.ensure_loaded(MONTH, **SAMPLE)
    before = airflow_stack.month(str(MONTH))

    run_id, state = airflow_stack.load(str(MONTH))

    states = airflow_stack.states(run_id)
    assert state == "success"
    done = {name for name, each in states.items() if each == "success"}
    assert done == {"resolve_month", "migrate"}
    assert set(states.values()) == {"success", "skipped"}
    assert airflow_stack.month(str(MONTH)) == before
    assert "nothing new is published" in airflow_stack.log(run_id, "month_pending")


def test_a_dump_that_is_not_what_its_checksum_says_fails_the_month_until_it_is(
    airflow_stack: RunningAirflow,
) -> None:
    month = MONTH.plus(1)
    airflow_stack.ensure_loaded(MONTH, **SAMPLE)
    write_months(airflow_stack.dumps, month, releases=400, seed=5, since=MONTH)
    broken = airflow_stack.dumps / f"discogs_{month.first_day:%Y%m%d}_masters.xml.gz"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-9] + bytes(9))
    rows = airflow_stack.count("releases")

    run_id, state = airflow_stack.load(str(month))

    states = airflow_stack.states(run_id)
    assert state == "failed"
    assert [name for name, each in states.items() if each == "failed"] == ["download [masters]"]
    record = airflow_stack.month(str(month))
    assert record.status is Status.FAILED
    assert record.error_message is not None
    assert record.error_message.startswith("download [masters]: ")
    assert broken.name in record.error_message
    assert record.retry_count == 1
    assert airflow_stack.count("releases") == rows

    broken.write_bytes(whole)
    airflow_stack.client.clear("discogs_monthly", run_id)

    assert airflow_stack.wait(run_id) == "success", airflow_stack.states(run_id)
    record = airflow_stack.month(str(month))
    assert (record.status, record.error_message) == (Status.COMPLETED, None)
    assert airflow_stack.count("releases") > rows


def test_a_run_takes_over_what_a_vanished_one_left_and_loads_what_it_is_asked_for(
    airflow_stack: RunningAirflow,
) -> None:
    month = MONTH.plus(2)
    airflow_stack.start_afresh()
    migrate(airflow_stack.connect, "discogs")
    write_months(airflow_stack.dumps, month, releases=400, seed=5, since=MONTH)
    gone = RunIdentity("discogs_monthly", "a run that was deleted")
    PostgresMonthRepository(airflow_stack.connect).claim(month, gone)

    run_id, state = airflow_stack.load(str(month), entities=["labels", "masters"], shards=2)

    states = airflow_stack.states(run_id)
    assert state == "success", states
    assert {states[f"stage.masters [shard {number} of 2]"] for number in (1, 2)} == {"success"}
    assert (states["merge.labels"], states["merge.masters"]) == ("success", "success")
    assert (states["merge.artists"], states["merge.releases"]) == ("skipped", "skipped")
    record = airflow_stack.month(str(month))
    assert (record.status, record.run_id) == (Status.COMPLETED, run_id)
    assert set(record.processing_stats) == {"labels", "masters"}
    assert "a run that was deleted" in airflow_stack.log(run_id, "month_pending")
