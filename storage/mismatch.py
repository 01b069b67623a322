"""What tells that the store and the fold disagree."""


class Mismatch(Exception):  # it is no failure: the batch is read and folded again
    """What the fold foretold is not what the database found; the batch must be read and folded again."""
