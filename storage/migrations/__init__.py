"""Alembic's folder: the steps from one version of our own tables to the next."""
