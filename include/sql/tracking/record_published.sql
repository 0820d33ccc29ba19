-- What was computed for a file stays while its published checksum does.
UPDATE discogs_data_processing AS months
SET
    dump_date = coalesce(%(dump_date)s::date, dump_date),
    file_checksums = (
        SELECT coalesce(
            jsonb_object_agg(
                published.key,
                CASE
                    WHEN months.file_checksums -> published.key ->> 'expected' = published.value
                        THEN months.file_checksums -> published.key
                    ELSE jsonb_build_object(
                        'expected', published.value,
                        'actual', NULL,
                        'size', NULL,
                        'validated_at', NULL
                    )
                END
            ),
            '{}'
        )
        FROM jsonb_each_text(%(expected)s) AS published
    ),
    updated_at = clock_timestamp()
WHERE year_month = %(year_month)s
RETURNING *
