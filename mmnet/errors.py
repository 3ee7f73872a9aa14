"""The one exception that entry points turn into a line for their user."""


class UserError(Exception):
    """Bad input. The message is one line: the file or flag, what is wrong, and what to do."""
