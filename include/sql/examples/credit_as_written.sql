-- A release's artists as people write them: the name variation where one is given, the phrase
-- that joins it to the next artist, without the number that tells namesakes apart.
-- psql -v release=1 -f credit_as_written.sql
SELECT trim(string_agg(
    coalesce(anv, regexp_replace(name, ' \([0-9]+\)$', ''))
        || CASE WHEN join_phrase IS NULL THEN ' '
                WHEN join_phrase = ',' THEN ', '
                ELSE ' ' || join_phrase || ' ' END,
    '' ORDER BY seq)) AS artist
FROM release_artists
WHERE release_id = :release
