"""`age -d -i IDENTITY FILE` by npm's `age-encryption`, where no age command of version 1.3 is installed."""

import sys
from pathlib import Path

from tests.infra.backup.age.foreign import npm_age


def main() -> None:
    """Write the plaintext of a file to standard output."""
    decrypt, by, identity, file = sys.argv[1:]
    assert (decrypt, by) == ("-d", "-i")
    key = next(line for line in Path(identity).read_text().splitlines() if not line.startswith("#"))
    sys.stdout.buffer.write(npm_age("decrypt", key, Path(file).read_bytes()))


main()
