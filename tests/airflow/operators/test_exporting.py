"""The tasks of the export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from discogs.airflow.operators.exporting import (
    BeginExportOperator,
    PublishExportOperator,
    WriteExportOperator,
)
from discogs.airflow.operators.files import ChecksumOperator, ReadyOperator
from discogs.errors import InvalidSetting
from discogs.load.errors import ExportIncomplete
from discogs.tracking.postgres import PostgresMonthRepository
from tests.airflow.operators.steps import MONTH, context, fetched, load, run


def test_a_month_is_exported_once_and_each_part_of_it_may_be_tried_again(
    repository: PostgresMonthRepository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "parquet"
    monkeypatch.setenv("DISCOGS_EXPORT", str(out))
    asked: dict[str, Any] = {"entities": ["labels", "masters"], "shards": 2}
    begin, publish = BeginExportOperator(task_id="t"), PublishExportOperator(task_id="t")
    part = WriteExportOperator(task_id="t", entity="masters", shard=1, shards=2)

    report = load(**asked)

    manifest_file = out / "_manifest" / f"{MONTH}.json"
    manifest = json.loads(manifest_file.read_text())
    counted = {
        entity: counts["read"] - counts["rejected"] for entity, counts in report["entities"].items()
    }
    assert {e: each["exported"] for e, each in manifest["entities"].items()} == counted
    logged = capsys.readouterr().out
    assert f"{MONTH} is exported to {out} in 4 parts." in logged
    assert "masters, shard 2 of 2: " in logged
    assert f"{MONTH} is exported to {out}: {len(manifest['tables'])} tables, " in logged

    # The tasks of a completed month do nothing, as others do.
    given = context(**asked)
    with pytest.raises(AirflowSkipException, match="2026-05 is completed: nothing is exported"):
        run(begin, given)
    assert run(part, given) is None
    assert run(publish, given) is None

    # The same files again, a part of them alone, and other entities.
    files = fetched(**asked, force=True)
    given = context(files=files, **asked)
    for file in files:
        run(ChecksumOperator(task_id="t", file=file), given)
    run(ReadyOperator(task_id="t"), given)
    with pytest.raises(AirflowSkipException, match=r"already exported to .*, from the same files"):
        run(begin, given)
    assert run(part, given)["read"] > 0
    assert run(publish, given) is None
    other = context(files=[file for file in files if file["entity"] == "labels"])
    with pytest.raises(AirflowSkipException, match=r"is kept, since it also has masters"):
        run(begin, other)
    assert json.loads(manifest_file.read_text()) == manifest
    assert not (out / "_writing").exists()

    # A worker with another folder, and one without.
    monkeypatch.setenv("DISCOGS_EXPORT", str(tmp_path / "elsewhere"))
    with pytest.raises(ExportIncomplete, match=r"missing: labels, shard 1 of 2; .* export\.begin"):
        run(PublishExportOperator(task_id="t"), given)
    monkeypatch.delenv("DISCOGS_EXPORT")
    with pytest.raises(InvalidSetting, match="DISCOGS_EXPORT is ''"):
        run(BeginExportOperator(task_id="t"), given)
