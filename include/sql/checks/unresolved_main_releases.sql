-- The number of masters whose main release, which has no foreign key, is in no dump. It cannot fail:
-- real dumps have some.
SELECT
    'unresolved_main_releases' AS name,
    true AS passed,
    count(*) AS value,
    'live masters whose main release is in no dump' AS detail
FROM masters m
WHERE m.main_release_id IS NOT NULL AND m.removed_in IS NULL
    AND NOT EXISTS (SELECT FROM releases r WHERE r.id = m.main_release_id)
