-- Template: composed with psycopg.sql; does not run as it is.
-- Search indexes for substrings and misspellings, if the extension pg_trgm is installed.
CREATE INDEX search_release_trigrams ON releases USING gin (title {schema}.gin_trgm_ops);
CREATE INDEX search_master_trigrams ON masters USING gin (title {schema}.gin_trgm_ops);
CREATE INDEX search_artist_trigrams ON artists USING gin (name {schema}.gin_trgm_ops);
CREATE INDEX search_variation_trigrams ON artist_name_variations USING gin (name {schema}.gin_trgm_ops);
CREATE INDEX search_label_trigrams ON labels USING gin (name {schema}.gin_trgm_ops);
