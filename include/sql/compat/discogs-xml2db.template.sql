-- Template: composed with psycopg.sql; does not run as it is.
-- The live records under the table and column names of discogs-xml2db 2, for queries written for it.
-- Where that project assigns serial ids to rows, the id is computed from the record's id and the
-- row's position in the record.

CREATE OR REPLACE VIEW {compat}.artist AS
SELECT id, coalesce(name, '[artist #' || id || ']') AS name, real_name AS realname, profile, data_quality
FROM {schema}.live_artists;

CREATE OR REPLACE VIEW {compat}.artist_url AS
SELECT artist_id::bigint * 1000000 + seq AS id, artist_id, url FROM {schema}.live_artist_urls;

CREATE OR REPLACE VIEW {compat}.artist_namevariation AS
SELECT artist_id::bigint * 1000000 + seq AS id, artist_id, name FROM {schema}.live_artist_name_variations;

CREATE OR REPLACE VIEW {compat}.artist_alias AS
SELECT artist_id, alias_name, alias_id AS alias_artist_id FROM {schema}.live_artist_aliases;

CREATE OR REPLACE VIEW {compat}.artist_image AS
SELECT artist_id, type, width, height FROM {schema}.live_artist_images;

CREATE OR REPLACE VIEW {compat}.group_member AS
SELECT artist_id AS group_artist_id, member_id AS member_artist_id, member_name
FROM {schema}.live_artist_members;

CREATE OR REPLACE VIEW {compat}.label AS
SELECT id, name, contact_info, profile, parent_id, parent_name, data_quality FROM {schema}.live_labels;

CREATE OR REPLACE VIEW {compat}.label_url AS
SELECT label_id::bigint * 1000000 + seq AS id, label_id, url FROM {schema}.live_label_urls;

CREATE OR REPLACE VIEW {compat}.label_image AS
SELECT label_id, type, width, height FROM {schema}.live_label_images;

CREATE OR REPLACE VIEW {compat}.master AS
SELECT id, title, year::integer AS year, main_release_id AS main_release, data_quality
FROM {schema}.live_masters;

CREATE OR REPLACE VIEW {compat}.master_artist AS
SELECT master_id::bigint * 1000000 + seq AS id, master_id, artist_id, name AS artist_name, anv,
    seq AS position, join_phrase AS join_string, role
FROM {schema}.live_master_artists;

CREATE OR REPLACE VIEW {compat}.master_video AS
SELECT master_id::bigint * 1000000 + seq AS id, master_id, duration, title, description, src AS uri
FROM {schema}.live_master_videos;

CREATE OR REPLACE VIEW {compat}.master_genre AS
SELECT m.master_id::bigint * 1000000 + m.seq AS id, m.master_id, g.name AS genre
FROM {schema}.live_master_genres m JOIN {schema}.genres g ON g.id = m.genre_id;

CREATE OR REPLACE VIEW {compat}.master_style AS
SELECT m.master_id::bigint * 1000000 + m.seq AS id, m.master_id, s.name AS style
FROM {schema}.live_master_styles m JOIN {schema}.styles s ON s.id = m.style_id;

CREATE OR REPLACE VIEW {compat}.master_image AS
SELECT master_id, type, width, height FROM {schema}.live_master_images;

CREATE OR REPLACE VIEW {compat}.release AS
SELECT id, title, released, country, notes, data_quality, is_main_release::integer AS main, master_id, status
FROM {schema}.live_releases;

CREATE OR REPLACE VIEW {compat}.release_artist AS
SELECT release_id::bigint * 1000000 + seq AS id, release_id, artist_id, name AS artist_name,
    0 AS extra, anv, seq AS position, join_phrase AS join_string, role, tracks
FROM {schema}.live_release_artists
UNION ALL
SELECT release_id::bigint * 1000000 + 500000 + seq, release_id, artist_id, name,
    1, anv, seq, join_phrase, role, tracks
FROM {schema}.live_release_credits;

CREATE OR REPLACE VIEW {compat}.release_label AS
SELECT release_id::bigint * 1000000 + seq AS id, release_id, label_id, name AS label_name, catno
FROM {schema}.live_release_labels;

CREATE OR REPLACE VIEW {compat}.release_genre AS
SELECT r.release_id::bigint * 1000000 + r.seq AS id, r.release_id, g.name AS genre
FROM {schema}.live_release_genres r JOIN {schema}.genres g ON g.id = r.genre_id;

CREATE OR REPLACE VIEW {compat}.release_style AS
SELECT r.release_id, s.name AS style
FROM {schema}.live_release_styles r JOIN {schema}.styles s ON s.id = r.style_id;

CREATE OR REPLACE VIEW {compat}.release_format AS
SELECT release_id::bigint * 1000000 + seq AS id, release_id, name,
    CASE WHEN qty ~ '^[0-9]{{1,100}}$' THEN qty::numeric END AS qty, text AS text_string,
    array_to_string(descriptions, '; ') AS descriptions
FROM {schema}.live_release_formats;

CREATE OR REPLACE VIEW {compat}.release_track AS
SELECT release_id::bigint * 1000000 + seq AS id, release_id, seq AS sequence, position,
    parent_seq AS parent, title, duration, release_id || '-' || seq AS track_id
FROM {schema}.live_release_tracks;

CREATE OR REPLACE VIEW {compat}.release_track_artist AS
SELECT release_id::bigint * 10000000000 + track_seq::bigint * 10000 + seq AS id,
    release_id || '-' || track_seq AS track_id, release_id, track_seq AS track_sequence, artist_id,
    name AS artist_name, false AS extra, anv, seq AS position, join_phrase AS join_string, role, tracks
FROM {schema}.live_release_track_artists
UNION ALL
SELECT release_id::bigint * 10000000000 + track_seq::bigint * 10000 + 5000 + seq,
    release_id || '-' || track_seq, release_id, track_seq, artist_id,
    name, true, anv, seq, join_phrase, role, tracks
FROM {schema}.live_release_track_credits;

CREATE OR REPLACE VIEW {compat}.release_identifier AS
SELECT release_id::bigint * 1000000 + seq AS id, release_id, description, type, value
FROM {schema}.live_release_identifiers;

CREATE OR REPLACE VIEW {compat}.release_video AS
SELECT release_id::bigint * 1000000 + seq AS id, release_id, duration, title, description, src AS uri
FROM {schema}.live_release_videos;

CREATE OR REPLACE VIEW {compat}.release_company AS
SELECT release_id::bigint * 1000000 + seq AS id, release_id, company_id, name AS company_name,
    entity_type, entity_type_name, resource_url AS uri
FROM {schema}.live_release_companies;

CREATE OR REPLACE VIEW {compat}.release_image AS
SELECT release_id, type, width, height FROM {schema}.live_release_images
