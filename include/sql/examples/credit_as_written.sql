-- A release's artists as people write them: the name variation where one is given, the phrase
-- that joins it to the next artist, without the number that distinguishes namesakes. The view
-- live_releases has it too, as artist.
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
