-- The credits of a release, one row for each track that a credit names: "A1 to A3, B2" is four tracks.
-- psql -v release=430 -f credits_by_track.sql
WITH tracks AS (
    SELECT seq, position, title FROM release_tracks
    WHERE release_id = :release AND position IS NOT NULL
), parts AS (
    SELECT c.seq, c.name, c.role, trim(part) AS part
    FROM release_credits c
    CROSS JOIN LATERAL regexp_split_to_table(c.tracks, ',') AS part
    WHERE c.release_id = :release
), ranges AS (
    SELECT p.seq, p.name, p.role, first.seq AS first_seq, last.seq AS last_seq
    FROM parts p
    JOIN tracks first ON first.position = trim(split_part(p.part, ' to ', 1))
    JOIN tracks last ON last.position = trim(coalesce(nullif(split_part(p.part, ' to ', 2), ''), p.part))
)
SELECT t.position, t.title, r.name, r.role
FROM ranges r
JOIN tracks t ON t.seq BETWEEN r.first_seq AND r.last_seq
ORDER BY t.seq, r.seq
