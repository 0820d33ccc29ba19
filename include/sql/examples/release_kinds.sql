-- The number of releases of each kind, according to their formats, without unofficial and promotional
-- releases.
SELECT kind, count(*) AS releases
FROM releases r
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN 'Compilation' = ANY (d) THEN 'compilation'
        WHEN d && ARRAY['LP', 'Album'] THEN 'album'
        WHEN d && ARRAY['EP', 'Mini-Album'] THEN 'EP'
        WHEN d && ARRAY['Single', 'Maxi-Single'] THEN 'single'
        ELSE 'other'
    END AS kind, d
    FROM (
        SELECT coalesce(array_agg(x), '{}') AS d
        FROM release_formats f CROSS JOIN LATERAL unnest(f.descriptions) AS x
        WHERE f.release_id = r.id
    ) AS descriptions
) AS described
WHERE r.removed_in IS NULL AND NOT d && ARRAY['Unofficial Release', 'Promo']
GROUP BY kind
ORDER BY releases DESC
