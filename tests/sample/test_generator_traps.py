"""Every trap is found in the files by a sign of its own, apart from the generator's code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from discogs.sample.generator import write_months
from discogs.sample.traps import FORBIDDEN, TRAPS
from discogs.schema.entities import Entity, Month
from tests.sample.reading import dump, raw, records

ODD_RELEASED = "1980s/200?/20061014/1999-03-00/1999-00-00/1973-1974/٢٠١٠/2001-02-30/0000-00-00/"
SIGNS: dict[str, dict[str, str]] = {
    "releases": {
        "identical label rows": r"<labels>(<label [^>]*TWIN[^>]*/>)\1</labels>",
        "identical format rows": r"<formats>(<format [^>]*/>)\1</formats>",
        "quantity of 64 digits": r'qty="\d{64}"',
        "quantity with zeros": r'qty="0002"',
        "quantity empty": r'qty=""',
        "format without text": r'<format name="Vinyl" qty="1"/>',
        **{
            f"released {text}": f"<released>{re.escape(text)}</released>"
            for text in f"{ODD_RELEASED}May 1977/99".split("/")
        },
        "released empty": r"<released></released>",
        "odd durations": r"<duration>3:5</duration>.*<duration>1:00:00</duration>",
        "long credit": r"<name>[^<]{4159,}</name><(?:anv></anv><join></join><)?role>[^<]{2655,}<",
        "long track title": r"<title>[^<]{5376,}</title>",
        "large record": r"^.{300000}",
        "no tracks": r"</data_quality>(?:<master_id[^/]*/master_id>)?(?!<tracklist|<master_id)<",
        "empty tracklist": r"<tracklist/>",
        "sub-tracks": r"<sub_tracks><track><position>A1a</position>",
        "videos without title": r'notitle____"[^>]*>(?:<title></title>|</video>)',
        "numeric genres": r"<genre>7</genre>",
        "empty genre": r"<genre/>",
        "mojibake": r"<title>BjÃ¶rk",
        "no-break spaces": "<title>\u00a0A",
        "blank title": "<title>\u00a0</title>",
        "beyond the BMP": r"<title>[^<]*[\U00010000-\U0010ffff]",
        "empty title": r"<title></title><labels>",
        "artists without a record": r"<id>194</id>.*<id>355</id>.*<id>118760</id>.*<title>",
        "credits without id": r"<artist><name>Nobody's Page</name>.*<id>0</id>",
        "late and vanishing credits": r"(?:Featuring</role>.*?){3}</extraartists>",
        "late and vanishing companies": r"<id>\d+</id><name>Absent Pressing Plant</name>",
        "absent master": r'is_main_release="false">\d+<',
        "master 0": r'<master_id is_main_release="false">0</master_id>',
        "nameless label": r'<label (?:catno="none" id="" )?name=""',
        "children reordered": r'<release id="\d+"[^>]*><(?:companies|videos|tracklist)>',
        "self-closed elements": r"<anv/><join/><role/><tracks/>",
        "line ends": r"First&#13;\nSecond&#13;\n&#13;\n&#9;Third&#13;",
        "tabs and backslashes": r"<notes>\\N\n\\\.\nC:\\new",
        "record-like text": r"<notes>&lt;/release&gt;\n&lt;release id",
        "blank notes": "<notes> \n\u00a0\n </notes>",
        "quotes in attributes": r'name="&quot;It&apos;s&quot; &lt;3"',
        "identifier with line break": r'="a&#10;b"',
        "raw control character": "Bell: \x07.",
        "forbidden character reference": r"Bell: &#x7;\.",
    },
    "artists": {
        "nameless artist": r"</id><name></name>",
        "artist without name": r"</id>(?!<name)<",
        "no-break space name": "</id><name>\u00a0</name>",
        "no-break space within": "<name>DJ\u00a0Food\u00a0</name>",
        "mojibake": r"<name>BjÃ¶rk",
        "beyond the BMP": r"<name>[^<]*[\U00010000-\U0010ffff]",
        "self-closed profile": r"<profile/>",
        "long profile": r"<profile>[^<]{10000,}</profile>",
        "tabs and backslashes": r"<profile>\\N\n\\\.\n",
        "record-like text": r"<profile>&lt;/artist&gt;\n&lt;artist&gt;",
        "line ends": r"First&#13;\nSecond&#13;\n&#9;Third",
        "empty url": r"<urls><url></url>",
        "duplicate name variations": r"<namevariations>(<name>Twice</name>)\1",
        "empty name variation": r"<namevariations><name/>",
        "absent alias": r"<aliases><name id=\"\d+\">Merged Away<",
        "absent member": r"<members>(?:<id>\d+</id>)?<name id=\"\d+\">Gone Member<",
        "children reordered": r"</name><id>\d+</id>(?:<images>.*</images>)?</artist>",
        "members without id": r"<members><name>Old Member</name>",
        "forbidden character reference": r"&#x1B;",
    },
    "labels": {
        "nameless label": r"</id><name></name>",
        "no-break space name": "<name>\u00a0Label\u00a0</name>",
        "absent parent": r"<parentLabel id=\"\d+\">Absent Holding<",
        "absent sublabel": r"<sublabels><label id=\"\d+\">Absent</label>",
        "duplicate sublabels": r"<sublabels>(<label [^>]*>Twin</label>)\1",
        "self-closed elements": r"<contactinfo/>",
        "line ends": r"<contactinfo>P\.O\. Box 1&#13;\nTown&#13;",
        "record-like text": r"<profile>&lt;/label&gt;\n&lt;label&gt;",
        "tabs and backslashes": r"<profile>\\N\n\\\.\n",
        "children reordered": r"</name><id>\d+</id>(?:<images>.*</images>)?</label>",
        "empty url": r"<urls><url/></urls>",
    },
    "masters": {
        "unresolved main release": r"<main_release>\d+</main_release>",
        "year 0": r"<year>0</year>",
        "artists without a record": r"<id>194</id>.*<id>355</id>.*<id>118760</id>.*<title>",
        "no styles": r"</genres>(?!<styles)",
        "numeric genres": r"<genre>12</genre>",
        "videos without title": r'notitle____"[^>]*>(?:<title></title>|</video>)',
        "record-like text": r"<notes>&lt;/master&gt;\n&lt;master id",
        "credits without id": r"<artist><name>Nobody's Page</name>.*<id>0</id>",
        "children reordered": r"<master id=\"\d+\"><(?:videos|data_quality)>",
        "mojibake": r"<title>BjÃ¶rk",
    },
}
ONLY_OLDER = {"raw control character", "members without id"}


@pytest.fixture(scope="module", params=["2020", "2026"])
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(f"era{request.param}")
    write_months(folder, Month(2026, 1), 2, 200, era=request.param)
    return folder


@pytest.mark.parametrize("entity", list(Entity))
def test_every_trap_has_its_sign_here(entity: Entity) -> None:
    assert [trap.name for trap in TRAPS[entity]] == list(SIGNS[entity.value])


@pytest.mark.parametrize("stamp", ["20260101", "20260201"])
@pytest.mark.parametrize("entity", list(Entity))
def test_every_trap_lies_in_a_sample_of_200_releases(
    sample: Path, entity: Entity, stamp: str
) -> None:
    found = records(dump(sample, stamp, entity.value))
    today = "era2026" in sample.name
    for number, trap in enumerate(TRAPS[entity]):
        special = found[sorted(found)[number]].decode()
        sign = re.compile(SIGNS[entity.value][trap.name], re.DOTALL)
        lies = sign.search(special) is not None
        assert lies != (today and trap.name in ONLY_OLDER), trap.name


def test_special_records_stay_as_they_are(sample: Path) -> None:
    for entity in Entity:
        before, now = (
            records(dump(sample, stamp, entity.value)) for stamp in ("20260101", "20260201")
        )
        for number in sorted(before)[: len(TRAPS[entity])]:
            assert before[number] == now[number]


def test_the_expression_for_forbidden_characters_leaves_the_allowed_ones() -> None:
    kept = b"\t\n\r &#13; &#9; &#x9; &#xA; &#xD; &#x20; &#10; &#x1F600; \xc3\xa9"
    assert FORBIDDEN.sub(b"", kept) == kept
    assert FORBIDDEN.sub(b"", b"\x07&#x7;\x1f&#x1B;&#x1f;") == b""


def test_ordinary_records_spring_traps_as_well(tmp_path: Path) -> None:
    write_months(tmp_path, Month(2026, 1), 1, 4000)
    data = raw(dump(tmp_path, "20260101", "releases")).decode()
    assert len(re.findall(r'qty="\d{64}"|BjÃ¶rk|<anv/><join/>|released>1980s|"0002"', data)) > 5
