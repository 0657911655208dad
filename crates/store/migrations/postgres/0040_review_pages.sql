-- Who reviews an item, and what was decided of it last, beside the item: a page of a review is then read by one statement.
ALTER TABLE reviews ADD COLUMN told text COLLATE "C";
-- When reviewers are to be told of what they have not decided; null when they were, or are not to be.
ALTER TABLE reviews ADD COLUMN remind_at bigint;
CREATE INDEX reviews_to_remind ON reviews (remind_at) WHERE remind_at IS NOT NULL;

ALTER TABLE review_items ADD COLUMN source_id text COLLATE "C";
ALTER TABLE review_items ADD COLUMN reviewer_id text COLLATE "C";
ALTER TABLE review_items ADD COLUMN reviewer_name text COLLATE "C";
ALTER TABLE review_items ADD COLUMN reviewer_display text COLLATE "C";
-- Names are texts of JSON, because a name may have characters that not every database takes.
-- HandOver: then the reviewer is another one than the frozen one.
ALTER TABLE review_items ADD COLUMN handed_over text COLLATE "C";
-- The sequence of the newest decision, and its choice.
ALTER TABLE review_items ADD COLUMN decided bigint;
ALTER TABLE review_items ADD COLUMN choice text COLLATE "C";

UPDATE review_items SET
    source_id = btrim((content::json -> 'frozen' -> 'source_id')::text, '"'),
    reviewer_id = btrim((content::json -> 'reviewer' -> 'id')::text, '"'),
    reviewer_name = (content::json -> 'reviewer' -> 'name')::text,
    reviewer_display = (content::json -> 'reviewer' -> 'display_name')::text;
CREATE INDEX review_decisions_by_item ON review_decisions (tenant, review, item, sequence);
UPDATE review_items SET decided = (
    SELECT max(d.sequence) FROM review_decisions d
    WHERE d.tenant = review_items.tenant AND d.review = review_items.review AND d.item = review_items.number);
UPDATE review_items SET choice = (
    SELECT btrim((d.decision::json -> 'choice')::text, '"') FROM review_decisions d
    WHERE d.tenant = review_items.tenant AND d.review = review_items.review AND d.sequence = review_items.decided)
    WHERE decided IS NOT NULL;

CREATE INDEX review_items_by_reviewer
    ON review_items (tenant, review, reviewer_id, reviewer_name, reviewer_display, source_id, choice, number);
