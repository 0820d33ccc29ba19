-- A name in the dump has no bound, and a B-tree takes none above 2,704 bytes. The id is computed
-- from the name, so the primary key keeps each name unique.
ALTER TABLE genres DROP CONSTRAINT genres_name_key;
ALTER TABLE styles DROP CONSTRAINT styles_name_key;
