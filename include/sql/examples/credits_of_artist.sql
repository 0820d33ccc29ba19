-- The credits of an artist by role, for whole releases and for single tracks. Roles are split at commas
-- outside brackets: "Bass, Vocals [Lead, Backing]" is two roles.
-- psql -v artist=45 -f credits_of_artist.sql
WITH credits AS (
    SELECT release_id, NULL::integer AS track_seq, role
    FROM release_credits WHERE artist_id = :artist
    UNION ALL
    SELECT release_id, track_seq, role FROM release_track_credits WHERE artist_id = :artist
)
SELECT trim(split.role) AS role, count(DISTINCT c.release_id) AS releases,
       count(c.track_seq) AS tracks
FROM credits c
CROSS JOIN LATERAL regexp_split_to_table(c.role, ',(?![^\[]*\])') AS split (role)
JOIN releases r ON r.id = c.release_id AND r.removed_in IS NULL
GROUP BY 1
ORDER BY releases DESC, role
