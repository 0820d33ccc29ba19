-- The phrase that joins an artist to the next is left out behind the last one, where older dumps have
-- a comma.

CREATE OR REPLACE VIEW live_masters AS
SELECT
    m.id, m.title,
    (SELECT string_agg(
        CASE WHEN a.seq = 1 THEN ''
             WHEN a.phrase IS NULL THEN ' '
             WHEN a.phrase = ',' THEN ', '
             ELSE ' ' || a.phrase || ' ' END || a.name, '' ORDER BY a.seq)
     FROM (SELECT seq, coalesce(anv, regexp_replace(name, ' \([0-9]+\)$', '')) AS name,
               lag(join_phrase) OVER (ORDER BY seq) AS phrase
           FROM master_artists WHERE master_id = m.id) a) AS artist,
    m.year,
    (SELECT array_agg(g.name ORDER BY x.seq)
     FROM master_genres x JOIN genres g ON g.id = x.genre_id WHERE x.master_id = m.id) AS genres,
    (SELECT array_agg(s.name ORDER BY x.seq)
     FROM master_styles x JOIN styles s ON s.id = x.style_id WHERE x.master_id = m.id) AS styles,
    m.main_release_id, m.data_quality, m.notes, m.dump_month
FROM masters m
WHERE m.removed_in IS NULL AND NOT m.placeholder;

CREATE OR REPLACE VIEW live_releases AS
SELECT
    r.id, r.title,
    (SELECT string_agg(
        CASE WHEN a.seq = 1 THEN ''
             WHEN a.phrase IS NULL THEN ' '
             WHEN a.phrase = ',' THEN ', '
             ELSE ' ' || a.phrase || ' ' END || a.name, '' ORDER BY a.seq)
     FROM (SELECT seq, coalesce(anv, regexp_replace(name, ' \([0-9]+\)$', '')) AS name,
               lag(join_phrase) OVER (ORDER BY seq) AS phrase
           FROM release_artists WHERE release_id = r.id) a) AS artist,
    (SELECT l.name FROM release_labels l WHERE l.release_id = r.id ORDER BY l.seq LIMIT 1) AS label,
    (SELECT l.catno FROM release_labels l WHERE l.release_id = r.id ORDER BY l.seq LIMIT 1) AS catno,
    r.country, r.released,
    CASE WHEN r.released_day IS NOT NULL
         THEN make_date(r.released_year, r.released_month, r.released_day) END AS released_date,
    r.released_year,
    (SELECT array_agg(g.name ORDER BY x.seq)
     FROM release_genres x JOIN genres g ON g.id = x.genre_id WHERE x.release_id = r.id) AS genres,
    (SELECT array_agg(s.name ORDER BY x.seq)
     FROM release_styles x JOIN styles s ON s.id = x.style_id WHERE x.release_id = r.id) AS styles,
    r.master_id, r.is_main_release, r.status, r.data_quality, r.notes, r.dump_month
FROM releases r
WHERE r.removed_in IS NULL AND NOT r.placeholder;
