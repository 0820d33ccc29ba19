from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from discogs.sample.generator import write_months
from discogs.sample.plan import SamplePlan, absent_id, id_at
from discogs.schema.entities import Entity, Month
from tests.sample.changes import changes, is_absent, versions
from tests.sample.reading import ENTITIES, dump, raw, record_id, records, tree

FIRST = Month(2026, 1)
RELEASES = 600
# The child rows of a release, but for its images.
ROWS = (
    "artists/artist",
    "extraartists/artist",
    "labels/label",
    "series/series",
    "formats/format",
    "genres/genre",
    "styles/style",
    ".//track",
    ".//track/artists/artist",
    ".//track/extraartists/artist",
    "identifiers/identifier",
    "videos/video",
    "companies/company",
)
STAMPS = ("20260101", "20260201", "20260301", "20260401")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four months in today's format."""
    folder = tmp_path_factory.mktemp("today")
    write_months(folder, FIRST, 4, RELEASES, seed=5)
    return folder


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first month of the same sample in the older format."""
    folder = tmp_path_factory.mktemp("older")
    write_months(folder, FIRST, 1, RELEASES, seed=5, era="2020")
    return folder


@pytest.fixture(scope="module")
def plan() -> SamplePlan:
    return SamplePlan(RELEASES, 5)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        write_months(tmp_path / name, FIRST, 2, 60, seed)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    other = digests(tmp_path / "other")
    assert not set(digests(tmp_path / "one").values()) & set(other.values())


def test_a_later_month_written_alone_is_the_same_month(folder: Path, tmp_path: Path) -> None:
    write_months(tmp_path, FIRST.plus(2), 1, RELEASES, seed=5, since=FIRST)
    assert digests(tmp_path).items() <= digests(folder).items()
    assert len(digests(tmp_path)) == 5


def test_every_month_has_four_files_and_a_checksum(tmp_path: Path) -> None:
    written = write_months(tmp_path, Month(2025, 12), 2, 10)
    assert sorted(written) == sorted(tmp_path.iterdir())
    assert [path.name for path in written if "CHECKSUM" in path.name] == [
        "discogs_20251201_CHECKSUM.txt",
        "discogs_20260101_CHECKSUM.txt",
    ]
    for stamp in ("20251201", "20260101"):
        lines = (tmp_path / f"discogs_{stamp}_CHECKSUM.txt").read_text().splitlines()
        assert len(lines) == 4
        for line in lines:
            assert re.fullmatch(rf"[0-9a-f]{{64}} discogs_{stamp}_[a-z]+\.xml\.gz", line)
            digest, name = line.split(" ")
            assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest


def test_the_gzip_header_has_neither_name_nor_time(folder: Path) -> None:
    header = dump(folder, STAMPS[0], "releases").read_bytes()[:10]
    assert header[:4] == b"\x1f\x8b\x08\x00"
    assert header[4:8] == bytes(4)


@pytest.mark.parametrize("entity", ENTITIES)
def test_records_begin_lines_and_no_declaration_comes_first(folder: Path, entity: str) -> None:
    data = raw(dump(folder, STAMPS[0], entity))
    assert data.startswith(f"<{entity}>\n<{entity[:-1]}".encode())
    assert data.endswith(f"</{entity[:-1]}>\n</{entity}>\n".encode())
    assert b"\0" not in data
    assert b"&#0;" not in data
    assert b"&#x0;" not in data
    data.decode()


def test_records_are_as_large_and_as_rich_as_the_real_ones(folder: Path) -> None:
    sizes = sorted(len(record) for record in records(dump(folder, STAMPS[0], "releases")).values())
    assert 3500 < sum(sizes) / len(sizes) < 5500
    releases = tree(dump(folder, STAMPS[0], "releases"))
    rows = sum(len(release.findall(path)) for release in releases for path in ROWS)
    assert 30 < rows / len(releases) < 45


def test_entities_have_the_real_proportions(folder: Path) -> None:
    counts = {entity: len(records(dump(folder, STAMPS[0], entity))) for entity in ENTITIES}
    assert counts == {
        "labels": round(0.125 * RELEASES),
        "artists": round(0.53 * RELEASES),
        "masters": round(0.134 * RELEASES),
        "releases": RELEASES,
    }


@pytest.mark.parametrize("entity", list(Entity))
def test_months_differ_as_the_plan_says(folder: Path, plan: SamplePlan, entity: Entity) -> None:
    months = [records(dump(folder, stamp, entity.value)) for stamp in STAMPS]
    seen = set(months[0])
    for index in (1, 2, 3):
        before, now = months[index - 1], months[index]
        expected = changes(plan, entity, index)
        new = now.keys() - before.keys()
        assert new - seen == expected.added
        assert new & seen == expected.restored
        assert before.keys() - now.keys() == expected.removed
        changed = {i for i in now.keys() & before.keys() if now[i] != before[i]}
        assert changed == expected.changed
        assert expected.added
        assert expected.removed
        assert changed
        assert bool(expected.restored) == (index == 3)
        for back in expected.restored:
            assert back in months[0]
        seen |= now.keys()
        assert list(now) == list(versions(plan, entity, index))


def test_two_per_cent_of_the_releases_change_a_month() -> None:
    large = SamplePlan(20_000, 9)
    for index in (1, 2):
        expected = changes(large, Entity.RELEASES, index)
        assert len(expected.added) == 80
        assert len(expected.removed) == 10
        assert 396 <= len(expected.changed) <= 404
    assert len(changes(large, Entity.RELEASES, 3).restored) == 4


def test_ids_ascend_with_gaps_and_leave_free_those_of_various(folder: Path) -> None:
    for entity in ENTITIES:
        ids = list(records(dump(folder, STAMPS[3], entity)))
        assert ids == sorted(ids)
        assert ids[-1] > len(ids) * 1.05
        assert not {194, 355, 118760} & set(ids)


def test_older_masters_are_unsorted(folder: Path, older: Path) -> None:
    ids = list(records(dump(older, STAMPS[0], "masters")))
    assert ids != sorted(ids)
    assert sorted(ids) == list(records(dump(folder, STAMPS[0], "masters")))


def test_both_formats_have_the_same_records(folder: Path, older: Path) -> None:
    for entity in ENTITIES:
        today, before = (records(dump(at, STAMPS[0], entity)) for at in (folder, older))
        assert today.keys() == before.keys()
    titles = [
        {record_id(r): r.findtext("title") for r in tree(dump(at, STAMPS[0], "releases"))}
        for at in (folder, older)
    ]
    assert titles[0] == titles[1]


def test_the_formats_differ(folder: Path, older: Path) -> None:
    today = {entity: raw(dump(folder, STAMPS[0], entity)) for entity in ENTITIES}
    before = {entity: raw(dump(older, STAMPS[0], entity)) for entity in ENTITIES}
    for mark in (b"<images><image height=", b"<anv></anv>", b'uri150="" width='):
        assert mark in before["releases"]
        assert mark not in today["releases"]
    assert re.search(rb'<members><id>(\d+)</id><name id="\1">', before["artists"])
    assert b"<members><id>" not in today["artists"]
    assert b'<release id="1" status="Accepted">' in before["releases"]
    assert b"status=" not in today["releases"]
    assert b'<label catno="' in before["releases"]
    assert b'<label name="' in today["releases"]
    assert b"<series>" in today["releases"]
    assert b"<series>" not in before["releases"]
    assert b"https://api.discogs.com/labels/" in before["releases"]
    assert b'<master id="' in before["masters"]


def artist_ids(folder: Path, stamp: str) -> list[int]:
    found = [
        int(number.text or 0)
        for entity in ("releases", "masters")
        for number in tree(dump(folder, stamp, entity)).iterfind(".//artist/id")
    ]
    for path in ("aliases/name", "members/name", "groups/name"):
        for name in tree(dump(folder, stamp, "artists")).iterfind(f"artist/{path}"):
            found.append(int(name.get("id") or 0))
    return found


def label_ids(folder: Path, stamp: str) -> list[int]:
    releases, labels = (tree(dump(folder, stamp, name)) for name in ("releases", "labels"))
    found = [int(number.text or 0) for number in releases.iterfind("release/companies/company/id")]
    for root, path in (
        (releases, "release/labels/label"),
        (releases, "release/series/series"),
        (labels, "label/parentLabel"),
        (labels, "label/sublabels/label"),
    ):
        found += [int(element.get("id") or 0) for element in root.iterfind(path)]
    return found


def master_ids(folder: Path, stamp: str) -> list[int]:
    releases = tree(dump(folder, stamp, "releases"))
    return [int(number.text or 0) for number in releases.iterfind("release/master_id")]


def release_ids(folder: Path, stamp: str) -> list[int]:
    masters = tree(dump(folder, stamp, "masters"))
    return [int(number.text or 0) for number in masters.iterfind("master/main_release")]


@pytest.mark.parametrize("stamp", STAMPS)
@pytest.mark.parametrize(
    ("entity", "referred"),
    [
        (Entity.ARTISTS, artist_ids),
        (Entity.LABELS, label_ids),
        (Entity.MASTERS, master_ids),
        (Entity.RELEASES, release_ids),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_references_resolve_except_to_ids_that_no_sample_has(
    folder: Path,
    stamp: str,
    entity: Entity,
    referred: Callable[[Path, str], list[int]],
) -> None:
    there = records(dump(folder, stamp, entity.value)).keys()
    ids = [i for i in referred(folder, stamp) if i]
    dangling = [i for i in ids if i not in there]
    assert [i for i in dangling if not is_absent(i)] == []
    assert dangling or entity in (Entity.MASTERS, Entity.RELEASES)  # few of those do
    dangling = [i for i in dangling if i not in (194, 355, 118760)]
    assert len(dangling) < 0.03 * len(ids)


def test_main_releases_and_masters_point_to_each_other(folder: Path) -> None:
    for stamp in STAMPS:
        masters = {
            record_id(master): int(master.findtext("main_release"))
            for master in tree(dump(folder, stamp, "masters"))
        }
        pairs = [
            (record_id(release), int(master.text or 0))
            for release in tree(dump(folder, stamp, "releases"))
            if (master := release.find("master_id")) is not None
            and master.get("is_main_release") == "true"
        ]
        assert len(pairs) > 0.5 * len(masters)
        wrong = [pair for pair in pairs if masters[pair[1]] != pair[0]]
        # One master in 512 names a release that is in no file.
        assert all(is_absent(masters[master]) for _, master in wrong)


def test_two_fifths_of_the_releases_have_no_master(folder: Path) -> None:
    numbers = master_ids(folder, STAMPS[0])
    assert len(numbers) == RELEASES
    assert 0.35 < numbers.count(0) / len(numbers) < 0.5


def test_names_of_references_are_those_of_the_records(folder: Path) -> None:
    names = {record_id(a): a.findtext("name") for a in tree(dump(folder, STAMPS[0], "artists"))}
    seen = 0
    for credit in tree(dump(folder, STAMPS[0], "releases")).iterfind(".//artist"):
        name = names.get(int(credit.findtext("id") or 0))
        if name:
            seen += 1
            assert credit.findtext("name") == name
    assert seen > 1000


def test_ids_ascend_and_leave_out_the_absent_ones() -> None:
    ids = [id_at(position) for position in range(1000)]
    assert ids == sorted(set(ids))
    assert not any(is_absent(i) for i in ids)
    assert all(is_absent(absent_id(number)) for number in range(200))
    assert {194, 355, 118760} <= {absent_id(number) for number in range(20_000)}


@pytest.mark.parametrize("releases", [1, 7, 60])
def test_a_few_releases_are_a_sample_too(tmp_path: Path, releases: int) -> None:
    write_months(tmp_path, FIRST, 3, releases)
    numbers = {entity: len(records(dump(tmp_path, STAMPS[2], entity))) for entity in ENTITIES}
    # Each of the two months added one, and removed one if there are ordinary records.
    assert numbers["releases"] == releases + (0 if releases > 50 else 2)
    assert min(numbers["labels"], numbers["artists"], numbers["masters"]) > 30


def test_progress_is_reported_file_by_file(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    write_months(tmp_path, FIRST, 1, 600, on_progress=lambda *each: told.append(each))
    releases = [each[1:] for each in told if "releases" in each[0]]
    assert releases == [(256, 600), (512, 600), (600, 600)]
    assert {name.split("_")[2] for name, _, _ in told} == {f"{e}.xml.gz" for e in ENTITIES}


@pytest.mark.parametrize(
    "arguments",
    [
        {"months": 0},
        {"releases": 0},
        {"era": "1999"},
        {"since": Month(2026, 2)},
    ],
    ids=str,
)
def test_numbers_out_of_range_are_refused_and_nothing_is_written(
    tmp_path: Path, arguments: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"must be|begins in"):
        write_months(tmp_path / "none", FIRST, **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "none").exists()
