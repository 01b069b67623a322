"""Memory: everything that is kept in the database, without a loop and without decisions."""
