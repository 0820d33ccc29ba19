-- The releases of an artist, of its aliases, and of the groups that it belongs to, oldest first.
-- psql -v artist=45 -f discography.sql
WITH names AS (
    SELECT id, 'artist' AS credited_as FROM artists WHERE id = :artist
    UNION
    SELECT alias_id, 'alias' FROM artist_aliases WHERE artist_id = :artist
    UNION
    SELECT group_id, 'group' FROM artist_groups WHERE artist_id = :artist
)
SELECT DISTINCT
    r.released_year, r.released, r.id AS release_id, r.title, r.country, a.name AS artist,
    n.credited_as
FROM names n
JOIN artists a USING (id)
JOIN release_artists c ON c.artist_id = n.id
JOIN releases r ON r.id = c.release_id
WHERE r.removed_in IS NULL
ORDER BY r.released_year NULLS LAST, r.released, r.id
