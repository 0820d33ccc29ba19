-- The releases of an artist, without unofficial releases, promotional copies and test pressings.
-- psql -v artist=45 -f official_releases.sql
SELECT r.id, r.title, r.released
FROM release_artists c
JOIN releases r ON r.id = c.release_id
WHERE c.artist_id = :artist AND r.removed_in IS NULL
    AND NOT EXISTS (
        SELECT FROM release_formats f
        WHERE f.release_id = r.id
            AND f.descriptions && ARRAY['Unofficial Release', 'Promo', 'Test Pressing', 'White Label']
    )
ORDER BY r.released_year NULLS LAST, r.id
