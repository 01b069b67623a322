"""What carries a record from the door to the disk, and from the disk to people."""
