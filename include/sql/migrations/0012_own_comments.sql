-- The comments that the package has written: one that reads otherwise is a user's own.

CREATE TABLE schema_comments (
    relation  text NOT NULL,
    attribute text NOT NULL,
    comment   text NOT NULL,
    PRIMARY KEY (relation, attribute)
);
COMMENT ON TABLE schema_comments IS 'The comments that the package wrote last: one that reads otherwise is a user''s own and stays';
COMMENT ON COLUMN schema_comments.relation IS 'Name of the table or view';
COMMENT ON COLUMN schema_comments.attribute IS 'Name of the column; empty for the comment of the table or view itself';
COMMENT ON COLUMN schema_comments.comment IS 'Text of the comment';
