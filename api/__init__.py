"""What receives: the write lane, the front doors, queries, feeds."""
