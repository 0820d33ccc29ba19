-- The tracks of a release: headings (without position and duration), tracks, and sub-tracks.
-- psql -v release=1 -f tracklist.sql
SELECT
    CASE
        WHEN t.parent_seq IS NOT NULL THEN 'sub-track'
        WHEN EXISTS (SELECT FROM release_tracks s
                     WHERE (s.release_id, s.parent_seq) = (t.release_id, t.seq)) THEN 'index track'
        WHEN t.position IS NULL AND t.duration IS NULL THEN 'heading'
        ELSE 'track'
    END AS kind,
    t.position, t.title, t.duration, t.duration_seconds
FROM release_tracks t
WHERE t.release_id = :release
ORDER BY t.seq
