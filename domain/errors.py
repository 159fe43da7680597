"""The errors of Resurgam: one base, and a class only where a caller acts differently."""


class ResurgamError(Exception):
    """Anything that Resurgam refuses or cannot do; the message names the thing and what to do."""


class Usage(ResurgamError):
    """The request itself is malformed: repair it before sending it again."""


class Refused(ResurgamError):
    """A rule, a precondition or the version gate forbids it; nothing was changed.

    `rule` is the stable name of the rule and `resource` the id of the resource that it protects, for programs that act
    on them.
    """

    def __init__(self, message: str, *, rule: str = "", resource: str = "") -> None:
        super().__init__(message)
        self.rule = rule
        self.resource = resource


class NotFound(ResurgamError):
    """The named thing does not exist (at the position that was asked)."""


class Conflict(ResurgamError):
    """Somebody else was there first, or an id was used before for something else."""


class Corrupt(ResurgamError):
    """Stored bytes are not what was written, or cannot be proven to be: do not use them."""


class WrongKey(ResurgamError):
    """A key, an identity or a credential does not open what it was given for."""


class Unavailable(ResurgamError):
    """A store or a repository cannot be reached or cannot be written: nothing was half done, try again later."""
