-- The artists and labels that an artist's profile links to by id, such as [a123] and [l45].
-- psql -v artist=45 -f profile_links.sql
SELECT DISTINCT
    link.kind, link.id, coalesce(a.name, l.name) AS name
FROM artists p
CROSS JOIN LATERAL (
    SELECT found[1] AS kind, found[2]::bigint AS id
    FROM regexp_matches(p.profile, '\[([al])=?([0-9]{1,10})\]', 'g') AS found
) AS link
LEFT JOIN artists a ON link.kind = 'a' AND a.id = link.id
LEFT JOIN labels l ON link.kind = 'l' AND l.id = link.id
WHERE p.id = :artist
ORDER BY link.kind, link.id
