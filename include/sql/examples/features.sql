-- The tracks that feature an artist: by a credit with the role "Featuring", for the track or for the
-- whole release, or by "Feat." between the artists of the track.
-- psql -v artist=2585 -f features.sql
WITH featured AS (
    SELECT release_id, track_seq FROM release_track_credits
    WHERE artist_id = :artist AND role ILIKE '%featuring%'
    UNION
    SELECT t.release_id, t.track_seq
    FROM release_track_artists t
    JOIN release_track_artists before
        ON (before.release_id, before.track_seq, before.seq) = (t.release_id, t.track_seq, t.seq - 1)
    WHERE t.artist_id = :artist AND before.join_phrase ILIKE '%feat%'
    UNION
    SELECT release_id, NULL FROM release_credits
    WHERE artist_id = :artist AND role ILIKE '%featuring%'
)
SELECT r.id AS release_id, r.title AS release, t.position, t.title AS track
FROM featured f
JOIN releases r ON r.id = f.release_id AND r.removed_in IS NULL
LEFT JOIN release_tracks t ON (t.release_id, t.seq) = (f.release_id, f.track_seq)
ORDER BY r.id, t.seq
