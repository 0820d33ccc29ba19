-- The search indexes: `python -m discogs migrate --search` builds those that are missing, and
-- `--no-search` drops them. A first load builds them on its new tables with the other keys.

-- Barcodes, without regard to spaces and hyphens.
CREATE INDEX search_barcode ON release_identifiers (search_digits(value)) WHERE type = 'Barcode';

-- Catalogue numbers, without regard to case, spaces and punctuation. Not a hash index, since a tenth
-- of them are "none".
CREATE INDEX search_catno ON release_labels (search_code(catno));

-- Titles and names: equality without regard to case, and prefixes.
CREATE INDEX search_release_title ON releases (search_text(title) text_pattern_ops);
CREATE INDEX search_master_title ON masters (search_text(title) text_pattern_ops);
CREATE INDEX search_artist_name ON artists (search_text(name) text_pattern_ops);
CREATE INDEX search_artist_variation ON artist_name_variations (search_text(name) text_pattern_ops);
CREATE INDEX search_label_name ON labels (search_text(name) text_pattern_ops);

-- Titles and names: full text.
CREATE INDEX search_release_words ON releases USING gin (search_words(title));
CREATE INDEX search_master_words ON masters USING gin (search_words(title));
CREATE INDEX search_artist_words ON artists USING gin (search_words(name));
CREATE INDEX search_variation_words ON artist_name_variations USING gin (search_words(name));
CREATE INDEX search_label_words ON labels USING gin (search_words(name));
CREATE INDEX search_track_words ON release_tracks USING gin (search_words(title));

-- The records that a month wrote.
CREATE INDEX search_label_month ON labels (dump_month);
CREATE INDEX search_artist_month ON artists (dump_month);
CREATE INDEX search_master_month ON masters (dump_month);
CREATE INDEX search_release_month ON releases (dump_month);

-- The history of a record in the change feed, whose primary key begins with the month.
CREATE INDEX search_changes ON entity_changes (entity, id);
