"""Programs for those who work on Headrace; run from the root of the repository."""
