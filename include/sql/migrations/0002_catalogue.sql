-- The catalogue: one table an entity, and the rows below it.
--
-- Ids are Discogs' own. Child rows are keyed by their record's id and their place in it (seq,
-- from 1), since the dump repeats rows to the letter. Lengths in the dump have no bound, so no
-- index lies on a raw text. The indexes on references serve joins and the foreign keys' checks.

CREATE TABLE genres (
    id   bigint PRIMARY KEY,
    name text NOT NULL UNIQUE
);
COMMENT ON TABLE genres IS 'Names of genres; the id is computed from the name, so it is the same everywhere.';

CREATE TABLE styles (
    id   bigint PRIMARY KEY,
    name text NOT NULL UNIQUE
);
COMMENT ON TABLE styles IS 'Names of styles; the id is computed from the name, so it is the same everywhere.';

CREATE TABLE labels (
    id           integer PRIMARY KEY,
    name         text,
    contact_info text,
    profile      text,
    data_quality text,
    parent_id    integer,
    parent_name  text,
    dump_month   text,
    fingerprint  bigint,
    placeholder  boolean NOT NULL DEFAULT false,
    removed_in   text,
    last_seen    text
);
COMMENT ON TABLE labels IS 'Record labels and companies.';

CREATE TABLE label_urls (
    label_id integer NOT NULL,
    seq      integer NOT NULL,
    url      text,
    PRIMARY KEY (label_id, seq)
);

CREATE TABLE label_sublabels (
    label_id      integer NOT NULL,
    seq           integer NOT NULL,
    sublabel_id   integer,
    sublabel_name text,
    PRIMARY KEY (label_id, seq)
);

CREATE TABLE label_images (
    label_id integer NOT NULL,
    seq      integer NOT NULL,
    type     text,
    uri      text,
    uri150   text,
    width    integer,
    height   integer,
    PRIMARY KEY (label_id, seq)
);

CREATE TABLE artists (
    id           integer PRIMARY KEY,
    name         text,
    real_name    text,
    profile      text,
    data_quality text,
    dump_month   text,
    fingerprint  bigint,
    placeholder  boolean NOT NULL DEFAULT false,
    removed_in   text,
    last_seen    text
);
COMMENT ON TABLE artists IS 'Artists and groups.';

CREATE TABLE artist_urls (
    artist_id integer NOT NULL,
    seq       integer NOT NULL,
    url       text,
    PRIMARY KEY (artist_id, seq)
);

CREATE TABLE artist_name_variations (
    artist_id integer NOT NULL,
    seq       integer NOT NULL,
    name      text,
    PRIMARY KEY (artist_id, seq)
);

CREATE TABLE artist_aliases (
    artist_id  integer NOT NULL,
    seq        integer NOT NULL,
    alias_id   integer,
    alias_name text,
    PRIMARY KEY (artist_id, seq)
);

CREATE TABLE artist_members (
    artist_id   integer NOT NULL,
    seq         integer NOT NULL,
    member_id   integer,
    member_name text,
    PRIMARY KEY (artist_id, seq)
);

CREATE TABLE artist_groups (
    artist_id  integer NOT NULL,
    seq        integer NOT NULL,
    group_id   integer,
    group_name text,
    PRIMARY KEY (artist_id, seq)
);

CREATE TABLE artist_images (
    artist_id integer NOT NULL,
    seq       integer NOT NULL,
    type      text,
    uri       text,
    uri150    text,
    width     integer,
    height    integer,
    PRIMARY KEY (artist_id, seq)
);

CREATE TABLE masters (
    id              integer PRIMARY KEY,
    title           text,
    year            smallint,
    main_release_id integer,
    data_quality    text,
    notes           text,
    dump_month      text,
    fingerprint     bigint,
    placeholder     boolean NOT NULL DEFAULT false,
    removed_in      text,
    last_seen       text
);
COMMENT ON TABLE masters IS 'Masters: what the versions of one recording have in common.';

CREATE TABLE master_artists (
    master_id   integer NOT NULL,
    seq         integer NOT NULL,
    artist_id   integer,
    name        text,
    anv         text,
    join_phrase text,
    role        text,
    tracks      text,
    PRIMARY KEY (master_id, seq)
);

CREATE TABLE master_genres (
    master_id integer NOT NULL,
    seq       integer NOT NULL,
    genre_id  bigint,
    PRIMARY KEY (master_id, seq)
);

CREATE TABLE master_styles (
    master_id integer NOT NULL,
    seq       integer NOT NULL,
    style_id  bigint,
    PRIMARY KEY (master_id, seq)
);

CREATE TABLE master_videos (
    master_id   integer NOT NULL,
    seq         integer NOT NULL,
    src         text,
    duration    integer,
    embed       boolean,
    title       text,
    description text,
    PRIMARY KEY (master_id, seq)
);

CREATE TABLE master_images (
    master_id integer NOT NULL,
    seq       integer NOT NULL,
    type      text,
    uri       text,
    uri150    text,
    width     integer,
    height    integer,
    PRIMARY KEY (master_id, seq)
);

CREATE TABLE releases (
    id              integer PRIMARY KEY,
    status          text,
    title           text,
    country         text,
    released        text,
    released_year   smallint,
    released_month  smallint,
    released_day    smallint,
    notes           text,
    data_quality    text,
    master_id       integer,
    is_main_release boolean,
    dump_month      text,
    fingerprint     bigint,
    placeholder     boolean NOT NULL DEFAULT false,
    removed_in      text,
    last_seen       text
);
COMMENT ON TABLE releases IS 'Releases: one edition of a recording, as pressed or published.';

CREATE TABLE release_artists (
    release_id  integer NOT NULL,
    seq         integer NOT NULL,
    artist_id   integer,
    name        text,
    anv         text,
    join_phrase text,
    role        text,
    tracks      text,
    PRIMARY KEY (release_id, seq)
);

CREATE TABLE release_credits (
    release_id  integer NOT NULL,
    seq         integer NOT NULL,
    artist_id   integer,
    name        text,
    anv         text,
    join_phrase text,
    role        text,
    tracks      text,
    PRIMARY KEY (release_id, seq)
);

CREATE TABLE release_labels (
    release_id integer NOT NULL,
    seq        integer NOT NULL,
    label_id   integer,
    name       text,
    catno      text,
    PRIMARY KEY (release_id, seq)
);

CREATE TABLE release_series (
    release_id integer NOT NULL,
    seq        integer NOT NULL,
    series_id  integer,
    name       text,
    catno      text,
    PRIMARY KEY (release_id, seq)
);

CREATE TABLE release_formats (
    release_id   integer NOT NULL,
    seq          integer NOT NULL,
    name         text,
    qty          text,
    text         text,
    descriptions text[],
    PRIMARY KEY (release_id, seq)
);

CREATE TABLE release_genres (
    release_id integer NOT NULL,
    seq        integer NOT NULL,
    genre_id   bigint,
    PRIMARY KEY (release_id, seq)
);

CREATE TABLE release_styles (
    release_id integer NOT NULL,
    seq        integer NOT NULL,
    style_id   bigint,
    PRIMARY KEY (release_id, seq)
);

CREATE TABLE release_tracks (
    release_id       integer NOT NULL,
    seq              integer NOT NULL,
    parent_seq       integer,
    position         text,
    title            text,
    duration         text,
    duration_seconds integer,
    PRIMARY KEY (release_id, seq)
);

CREATE TABLE release_track_artists (
    release_id  integer NOT NULL,
    track_seq   integer NOT NULL,
    seq         integer NOT NULL,
    artist_id   integer,
    name        text,
    anv         text,
    join_phrase text,
    role        text,
    tracks      text,
    PRIMARY KEY (release_id, track_seq, seq)
);

CREATE TABLE release_track_credits (
    release_id  integer NOT NULL,
    track_seq   integer NOT NULL,
    seq         integer NOT NULL,
    artist_id   integer,
    name        text,
    anv         text,
    join_phrase text,
    role        text,
    tracks      text,
    PRIMARY KEY (release_id, track_seq, seq)
);

CREATE TABLE release_identifiers (
    release_id  integer NOT NULL,
    seq         integer NOT NULL,
    type        text,
    description text,
    value       text,
    PRIMARY KEY (release_id, seq)
);

CREATE TABLE release_videos (
    release_id  integer NOT NULL,
    seq         integer NOT NULL,
    src         text,
    duration    integer,
    embed       boolean,
    title       text,
    description text,
    PRIMARY KEY (release_id, seq)
);

CREATE TABLE release_companies (
    release_id       integer NOT NULL,
    seq              integer NOT NULL,
    company_id       integer,
    name             text,
    catno            text,
    entity_type      text,
    entity_type_name text,
    resource_url     text,
    PRIMARY KEY (release_id, seq)
);

CREATE TABLE release_images (
    release_id integer NOT NULL,
    seq        integer NOT NULL,
    type       text,
    uri        text,
    uri150     text,
    width      integer,
    height     integer,
    PRIMARY KEY (release_id, seq)
);

-- References. A record's rows go with it; what refers elsewhere keeps its target in place.
ALTER TABLE label_urls ADD CONSTRAINT label_urls_label_id_fkey
    FOREIGN KEY (label_id) REFERENCES labels (id) ON DELETE CASCADE;
ALTER TABLE label_sublabels ADD CONSTRAINT label_sublabels_label_id_fkey
    FOREIGN KEY (label_id) REFERENCES labels (id) ON DELETE CASCADE;
ALTER TABLE label_images ADD CONSTRAINT label_images_label_id_fkey
    FOREIGN KEY (label_id) REFERENCES labels (id) ON DELETE CASCADE;
ALTER TABLE labels ADD CONSTRAINT labels_parent_id_fkey
    FOREIGN KEY (parent_id) REFERENCES labels (id);
ALTER TABLE label_sublabels ADD CONSTRAINT label_sublabels_sublabel_id_fkey
    FOREIGN KEY (sublabel_id) REFERENCES labels (id);
ALTER TABLE artist_urls ADD CONSTRAINT artist_urls_artist_id_fkey
    FOREIGN KEY (artist_id) REFERENCES artists (id) ON DELETE CASCADE;
ALTER TABLE artist_name_variations ADD CONSTRAINT artist_name_variations_artist_id_fkey
    FOREIGN KEY (artist_id) REFERENCES artists (id) ON DELETE CASCADE;
ALTER TABLE artist_aliases ADD CONSTRAINT artist_aliases_artist_id_fkey
    FOREIGN KEY (artist_id) REFERENCES artists (id) ON DELETE CASCADE;
ALTER TABLE artist_members ADD CONSTRAINT artist_members_artist_id_fkey
    FOREIGN KEY (artist_id) REFERENCES artists (id) ON DELETE CASCADE;
ALTER TABLE artist_groups ADD CONSTRAINT artist_groups_artist_id_fkey
    FOREIGN KEY (artist_id) REFERENCES artists (id) ON DELETE CASCADE;
ALTER TABLE artist_images ADD CONSTRAINT artist_images_artist_id_fkey
    FOREIGN KEY (artist_id) REFERENCES artists (id) ON DELETE CASCADE;
ALTER TABLE artist_aliases ADD CONSTRAINT artist_aliases_alias_id_fkey
    FOREIGN KEY (alias_id) REFERENCES artists (id);
ALTER TABLE artist_members ADD CONSTRAINT artist_members_member_id_fkey
    FOREIGN KEY (member_id) REFERENCES artists (id);
ALTER TABLE artist_groups ADD CONSTRAINT artist_groups_group_id_fkey
    FOREIGN KEY (group_id) REFERENCES artists (id);
ALTER TABLE master_artists ADD CONSTRAINT master_artists_master_id_fkey
    FOREIGN KEY (master_id) REFERENCES masters (id) ON DELETE CASCADE;
ALTER TABLE master_genres ADD CONSTRAINT master_genres_master_id_fkey
    FOREIGN KEY (master_id) REFERENCES masters (id) ON DELETE CASCADE;
ALTER TABLE master_styles ADD CONSTRAINT master_styles_master_id_fkey
    FOREIGN KEY (master_id) REFERENCES masters (id) ON DELETE CASCADE;
ALTER TABLE master_videos ADD CONSTRAINT master_videos_master_id_fkey
    FOREIGN KEY (master_id) REFERENCES masters (id) ON DELETE CASCADE;
ALTER TABLE master_images ADD CONSTRAINT master_images_master_id_fkey
    FOREIGN KEY (master_id) REFERENCES masters (id) ON DELETE CASCADE;
ALTER TABLE master_artists ADD CONSTRAINT master_artists_artist_id_fkey
    FOREIGN KEY (artist_id) REFERENCES artists (id);
ALTER TABLE master_genres ADD CONSTRAINT master_genres_genre_id_fkey
    FOREIGN KEY (genre_id) REFERENCES genres (id);
ALTER TABLE master_styles ADD CONSTRAINT master_styles_style_id_fkey
    FOREIGN KEY (style_id) REFERENCES styles (id);
ALTER TABLE release_artists ADD CONSTRAINT release_artists_release_id_fkey
    FOREIGN KEY (release_id) REFERENCES releases (id) ON DELETE CASCADE;
ALTER TABLE release_credits ADD CONSTRAINT release_credits_release_id_fkey
    FOREIGN KEY (release_id) REFERENCES releases (id) ON DELETE CASCADE;
ALTER TABLE release_labels ADD CONSTRAINT release_labels_release_id_fkey
    FOREIGN KEY (release_id) REFERENCES releases (id) ON DELETE CASCADE;
ALTER TABLE release_series ADD CONSTRAINT release_series_release_id_fkey
    FOREIGN KEY (release_id) REFERENCES releases (id) ON DELETE CASCADE;
ALTER TABLE release_formats ADD CONSTRAINT release_formats_release_id_fkey
    FOREIGN KEY (release_id) REFERENCES releases (id) ON DELETE CASCADE;
ALTER TABLE release_genres ADD CONSTRAINT release_genres_release_id_fkey
    FOREIGN KEY (release_id) REFERENCES releases (id) ON DELETE CASCADE;
ALTER TABLE release_styles ADD CONSTRAINT release_styles_release_id_fkey
    FOREIGN KEY (release_id) REFERENCES releases (id) ON DELETE CASCADE;
ALTER TABLE release_tracks ADD CONSTRAINT release_tracks_release_id_fkey
    FOREIGN KEY (release_id) REFERENCES releases (id) ON DELETE CASCADE;
ALTER TABLE release_track_artists ADD CONSTRAINT release_track_artists_release_id_fkey
    FOREIGN KEY (release_id) REFERENCES releases (id) ON DELETE CASCADE;
ALTER TABLE release_track_credits ADD CONSTRAINT release_track_credits_release_id_fkey
    FOREIGN KEY (release_id) REFERENCES releases (id) ON DELETE CASCADE;
ALTER TABLE release_identifiers ADD CONSTRAINT release_identifiers_release_id_fkey
    FOREIGN KEY (release_id) REFERENCES releases (id) ON DELETE CASCADE;
ALTER TABLE release_videos ADD CONSTRAINT release_videos_release_id_fkey
    FOREIGN KEY (release_id) REFERENCES releases (id) ON DELETE CASCADE;
ALTER TABLE release_companies ADD CONSTRAINT release_companies_release_id_fkey
    FOREIGN KEY (release_id) REFERENCES releases (id) ON DELETE CASCADE;
ALTER TABLE release_images ADD CONSTRAINT release_images_release_id_fkey
    FOREIGN KEY (release_id) REFERENCES releases (id) ON DELETE CASCADE;
ALTER TABLE releases ADD CONSTRAINT releases_master_id_fkey
    FOREIGN KEY (master_id) REFERENCES masters (id);
ALTER TABLE release_artists ADD CONSTRAINT release_artists_artist_id_fkey
    FOREIGN KEY (artist_id) REFERENCES artists (id);
ALTER TABLE release_credits ADD CONSTRAINT release_credits_artist_id_fkey
    FOREIGN KEY (artist_id) REFERENCES artists (id);
ALTER TABLE release_labels ADD CONSTRAINT release_labels_label_id_fkey
    FOREIGN KEY (label_id) REFERENCES labels (id);
ALTER TABLE release_series ADD CONSTRAINT release_series_series_id_fkey
    FOREIGN KEY (series_id) REFERENCES labels (id);
ALTER TABLE release_genres ADD CONSTRAINT release_genres_genre_id_fkey
    FOREIGN KEY (genre_id) REFERENCES genres (id);
ALTER TABLE release_styles ADD CONSTRAINT release_styles_style_id_fkey
    FOREIGN KEY (style_id) REFERENCES styles (id);
ALTER TABLE release_track_artists ADD CONSTRAINT release_track_artists_artist_id_fkey
    FOREIGN KEY (artist_id) REFERENCES artists (id);
ALTER TABLE release_track_credits ADD CONSTRAINT release_track_credits_artist_id_fkey
    FOREIGN KEY (artist_id) REFERENCES artists (id);
ALTER TABLE release_companies ADD CONSTRAINT release_companies_company_id_fkey
    FOREIGN KEY (company_id) REFERENCES labels (id);

CREATE INDEX labels_parent_id_idx ON labels (parent_id);
CREATE INDEX label_sublabels_sublabel_id_idx ON label_sublabels (sublabel_id);
CREATE INDEX artist_aliases_alias_id_idx ON artist_aliases (alias_id);
CREATE INDEX artist_members_member_id_idx ON artist_members (member_id);
CREATE INDEX artist_groups_group_id_idx ON artist_groups (group_id);
CREATE INDEX master_artists_artist_id_idx ON master_artists (artist_id);
CREATE INDEX master_genres_genre_id_idx ON master_genres (genre_id);
CREATE INDEX master_styles_style_id_idx ON master_styles (style_id);
CREATE INDEX releases_master_id_idx ON releases (master_id);
CREATE INDEX release_artists_artist_id_idx ON release_artists (artist_id);
CREATE INDEX release_credits_artist_id_idx ON release_credits (artist_id);
CREATE INDEX release_labels_label_id_idx ON release_labels (label_id);
CREATE INDEX release_series_series_id_idx ON release_series (series_id);
CREATE INDEX release_genres_genre_id_idx ON release_genres (genre_id);
CREATE INDEX release_styles_style_id_idx ON release_styles (style_id);
CREATE INDEX release_track_artists_artist_id_idx ON release_track_artists (artist_id);
CREATE INDEX release_track_credits_artist_id_idx ON release_track_credits (artist_id);
CREATE INDEX release_companies_company_id_idx ON release_companies (company_id);
CREATE INDEX masters_main_release_id_idx ON masters (main_release_id);

CREATE INDEX labels_removed_in_idx ON labels (removed_in) WHERE removed_in IS NOT NULL;
CREATE INDEX labels_placeholder_idx ON labels (id) WHERE placeholder;
CREATE INDEX artists_removed_in_idx ON artists (removed_in) WHERE removed_in IS NOT NULL;
CREATE INDEX artists_placeholder_idx ON artists (id) WHERE placeholder;
CREATE INDEX masters_removed_in_idx ON masters (removed_in) WHERE removed_in IS NOT NULL;
CREATE INDEX masters_placeholder_idx ON masters (id) WHERE placeholder;
CREATE INDEX releases_removed_in_idx ON releases (removed_in) WHERE removed_in IS NOT NULL;

-- Columns that the load writes into each root table.
COMMENT ON COLUMN labels.dump_month IS 'Month whose load wrote the row.';
COMMENT ON COLUMN labels.fingerprint IS '64-bit xxh3 of the record''s bytes: an equal one is not parsed again.';
COMMENT ON COLUMN labels.placeholder IS 'The id is referred to, but no dump loaded so far has its record.';
COMMENT ON COLUMN labels.removed_in IS 'First loaded month whose dump lacks the record; NULL while the newest has it.';
COMMENT ON COLUMN labels.last_seen IS 'Of a removed record: the last loaded month that had it.';
COMMENT ON COLUMN artists.dump_month IS 'Month whose load wrote the row.';
COMMENT ON COLUMN artists.fingerprint IS '64-bit xxh3 of the record''s bytes: an equal one is not parsed again.';
COMMENT ON COLUMN artists.placeholder IS 'The id is referred to, but no dump loaded so far has its record.';
COMMENT ON COLUMN artists.removed_in IS 'First loaded month whose dump lacks the record; NULL while the newest has it.';
COMMENT ON COLUMN artists.last_seen IS 'Of a removed record: the last loaded month that had it.';
COMMENT ON COLUMN masters.dump_month IS 'Month whose load wrote the row.';
COMMENT ON COLUMN masters.fingerprint IS '64-bit xxh3 of the record''s bytes: an equal one is not parsed again.';
COMMENT ON COLUMN masters.placeholder IS 'The id is referred to, but no dump loaded so far has its record.';
COMMENT ON COLUMN masters.removed_in IS 'First loaded month whose dump lacks the record; NULL while the newest has it.';
COMMENT ON COLUMN masters.last_seen IS 'Of a removed record: the last loaded month that had it.';
COMMENT ON COLUMN masters.main_release_id IS 'A release of the same month; without a constraint, since releases come later.';
COMMENT ON COLUMN releases.dump_month IS 'Month whose load wrote the row.';
COMMENT ON COLUMN releases.fingerprint IS '64-bit xxh3 of the record''s bytes: an equal one is not parsed again.';
COMMENT ON COLUMN releases.placeholder IS 'Never true: nothing but releases'' own rows refers to releases.';
COMMENT ON COLUMN releases.removed_in IS 'First loaded month whose dump lacks the record; NULL while the newest has it.';
COMMENT ON COLUMN releases.last_seen IS 'Of a removed record: the last loaded month that had it.';
COMMENT ON COLUMN releases.released IS 'As written in the dump: a date, a year, or free text such as 1980s.';
COMMENT ON COLUMN release_tracks.parent_seq IS 'The track that this sub-track belongs to.';
COMMENT ON COLUMN release_tracks.duration_seconds IS 'Computed from duration where that is a time.';
