"""The odd records occur in the files that tests load, with the described content only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import etree

from discogs.sample.generator import write_months as write_plain_months
from discogs.sample.plan import SamplePlan
from discogs.sample.references import References
from discogs.sample.shapes import ERAS, Era
from discogs.schema.entities import Entity, Month
from tests.sample.odd_records import ODD_RECORDS, late, vanishing, write_months
from tests.sample.reading import dump, raw, records

FIRST = Month(2026, 1)
STAMPS = ("20260101", "20260201", "20260301", "20260401")
RELEASES = 200


@pytest.fixture(scope="module", params=ERAS)
def era(request: pytest.FixtureRequest) -> Era:
    era: Era = request.param
    return era


@pytest.fixture(scope="module")
def folder(era: Era, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(f"odd{era}")
    write_months(folder, FIRST, 4, RELEASES, era=era)
    return folder


@pytest.fixture(scope="module")
def plain(era: Era, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(f"plain{era}")
    write_plain_months(folder, FIRST, 1, RELEASES, era=era)
    return folder


@pytest.mark.parametrize("entity", list(Entity))
def test_every_odd_record_is_in_a_sample_of_200_releases_and_stays(
    folder: Path, plain: Path, era: Era, entity: Entity
) -> None:
    months = [records(dump(folder, stamp, entity.value)) for stamp in STAMPS]
    ordinary = records(dump(plain, STAMPS[0], entity.value))
    for number, odd in zip(sorted(ordinary), ODD_RECORDS[entity], strict=False):
        # In today's format, a release without a master is not odd.
        expected = era in odd.eras and (odd.name, era) != ("master 0", "2026")
        assert (months[0][number] != ordinary[number]) == expected, odd.name
        assert {month[number] for month in months} == {months[0][number]}


def test_some_ordinary_records_are_odd_as_well(tmp_path: Path) -> None:
    write_months(tmp_path, FIRST, 1, 4000)
    data = raw(dump(tmp_path, STAMPS[0], "releases")).decode()
    assert len(re.findall(r'qty="\d{64}"|BjÃ¶rk|<anv/><join/>|released>1980s|"0002"', data)) > 5


@pytest.mark.parametrize("entity", list(Entity))
def test_forbidden_characters_are_the_only_defect(
    folder: Path, tmp_path: Path, era: Era, entity: Entity
) -> None:
    if entity in (Entity.ARTISTS, Entity.RELEASES):
        with pytest.raises(etree.XMLSyntaxError, match=r"invalid xmlChar value|invalid Char value"):
            etree.fromstring(raw(dump(folder, STAMPS[0], entity.value)))
    write_months(tmp_path, FIRST, 1, RELEASES, era=era, forbidden=False)
    root = etree.fromstring(
        raw(dump(tmp_path, STAMPS[0], entity.value)), etree.XMLParser(huge_tree=True)
    )
    assert {record.tag for record in root} == {entity.value[:-1]}


@pytest.mark.parametrize("entity", [Entity.ARTISTS, Entity.LABELS])
def test_some_references_are_to_records_that_appear_later_or_are_removed(
    folder: Path, entity: Entity
) -> None:
    references = References(SamplePlan(RELEASES, 1))
    there = [records(dump(folder, stamp, entity.value)).keys() for stamp in STAMPS]
    releases = raw(dump(folder, STAMPS[0], "releases"))

    def seen(reference: tuple[int, str]) -> list[bool]:
        assert f"<id>{reference[0]}</id><name>{reference[1]}</name>".encode() in releases
        return [reference[0] in ids for ids in there]

    assert seen(late(references, entity)) == [False, True, True, True]
    assert seen(vanishing(references, entity, 0)) == [True, False, False, True]
    gone = seen(vanishing(references, entity, 1))
    assert gone[0]
    assert not gone[3]
