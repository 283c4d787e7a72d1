-- The script that maps an integration's threads and people, if one does.
ALTER TABLE integration ADD COLUMN script TEXT;
