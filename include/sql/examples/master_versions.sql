-- The versions of a master: its main release first, then the others by year.
-- psql -v master=634 -f master_versions.sql
SELECT
    r.id AS release_id, r.title, r.country, r.released,
    (SELECT string_agg(concat_ws(' ', l.name, nullif(l.catno, 'none')), ', ' ORDER BY l.seq)
     FROM release_labels l WHERE l.release_id = r.id) AS labels,
    (SELECT string_agg(concat_ws(' ', nullif(f.qty, '1'), f.name, array_to_string(f.descriptions, ' ')),
                       ' + ' ORDER BY f.seq)
     FROM release_formats f WHERE f.release_id = r.id) AS format,
    r.is_main_release
FROM releases r
WHERE r.master_id = :master AND r.removed_in IS NULL
ORDER BY r.is_main_release DESC NULLS LAST, r.released_year NULLS LAST, r.id
