"""The law: pure values and decisions, without I/O, without a clock."""
