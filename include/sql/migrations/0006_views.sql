-- The live records: without those that the newest dump lacks, and without placeholders. Views of
-- the child tables are created beside these each time the migrations run.

CREATE VIEW live_labels AS
SELECT id, name, contact_info, profile, data_quality, parent_id, parent_name, dump_month
FROM labels
WHERE removed_in IS NULL AND NOT placeholder;

CREATE VIEW live_artists AS
SELECT id, name, real_name, profile, data_quality, dump_month
FROM artists
WHERE removed_in IS NULL AND NOT placeholder;

CREATE VIEW live_masters AS
SELECT
    m.id, m.title,
    (SELECT trim(string_agg(
        coalesce(a.anv, regexp_replace(a.name, ' \([0-9]+\)$', ''))
            || CASE WHEN a.join_phrase IS NULL THEN ' '
                    WHEN a.join_phrase = ',' THEN ', '
                    ELSE ' ' || a.join_phrase || ' ' END, '' ORDER BY a.seq))
     FROM master_artists a WHERE a.master_id = m.id) AS artist,
    m.year,
    (SELECT array_agg(g.name ORDER BY x.seq)
     FROM master_genres x JOIN genres g ON g.id = x.genre_id WHERE x.master_id = m.id) AS genres,
    (SELECT array_agg(s.name ORDER BY x.seq)
     FROM master_styles x JOIN styles s ON s.id = x.style_id WHERE x.master_id = m.id) AS styles,
    m.main_release_id, m.data_quality, m.notes, m.dump_month
FROM masters m
WHERE m.removed_in IS NULL AND NOT m.placeholder;

CREATE VIEW live_releases AS
SELECT
    r.id, r.title,
    (SELECT trim(string_agg(
        coalesce(a.anv, regexp_replace(a.name, ' \([0-9]+\)$', ''))
            || CASE WHEN a.join_phrase IS NULL THEN ' '
                    WHEN a.join_phrase = ',' THEN ', '
                    ELSE ' ' || a.join_phrase || ' ' END, '' ORDER BY a.seq))
     FROM release_artists a WHERE a.release_id = r.id) AS artist,
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
