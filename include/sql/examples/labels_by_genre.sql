-- The labels with the most releases of a genre.
-- psql -v genre=Jazz -f labels_by_genre.sql
SELECT l.id, l.name, count(DISTINCT r.id) AS releases
FROM genres g
JOIN release_genres rg ON rg.genre_id = g.id
JOIN releases r ON r.id = rg.release_id AND r.removed_in IS NULL
JOIN release_labels rl ON rl.release_id = r.id
JOIN labels l ON l.id = rl.label_id
WHERE g.name = :'genre'
GROUP BY l.id, l.name
ORDER BY releases DESC, l.id
LIMIT 20
