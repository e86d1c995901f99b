-- What is asked for is the version of the vendor's plug-in. Updates may end before the subscription does. The vendor's
-- own data is a JSON object.
ALTER TABLE license RENAME COLUMN min_client TO min_plugin;
ALTER TABLE license ADD COLUMN updates_until INTEGER;
ALTER TABLE license ADD COLUMN data TEXT;
