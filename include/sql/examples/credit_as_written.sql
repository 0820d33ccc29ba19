-- The artists of a release as one text, with name variations and join phrases, and without the numbers
-- that distinguish namesakes. The column artist of live_releases has the same text.
-- psql -v release=1 -f credit_as_written.sql
SELECT string_agg(
    CASE WHEN seq = 1 THEN ''
         WHEN phrase IS NULL THEN ' '
         WHEN phrase = ',' THEN ', '
         ELSE ' ' || phrase || ' ' END || name, '' ORDER BY seq) AS artist
FROM (
    SELECT seq, coalesce(anv, regexp_replace(name, ' \([0-9]+\)$', '')) AS name,
        lag(join_phrase) OVER (ORDER BY seq) AS phrase
    FROM release_artists
    WHERE release_id = :release
) AS artists
