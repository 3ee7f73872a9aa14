"""Errors that a person can mend."""


class UserError(Exception):
    """Bad input; the message is one line that names the file or flag and what to do."""
