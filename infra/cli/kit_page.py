"""The kit as pages to print: plain text, and one HTML page that needs nothing else."""

from collections.abc import Iterator
from html import escape
from textwrap import wrap

from infra.backup.kit import Kit

COLUMNS = 100
ADVICE = (
    "Nothing on this paper is secret. Keep it with the identity, and print a new one after every recovery or fork, "
    "after every change of recipients, and once a quarter: an older one still works, but lets pass a repository that "
    "is as old as itself."
)
STYLE = """
@page { size: A4; margin: 12mm }
body { font: 9pt/1.3 sans-serif; color: #000; background: #fff; max-width: 190mm; margin: 0 auto }
h1 { font-size: 15pt; margin: 0 }
h2 { font-size: 11pt; margin: 3mm 0 1mm }
p { margin: 1mm 0 }
table { border-collapse: collapse; width: 100% }
th, td { border: 0.3mm solid #888; padding: 0.6mm 1.5mm; text-align: left; vertical-align: top }
th { width: 36mm; font-weight: normal }
code { font: 8pt/1.25 monospace; overflow-wrap: anywhere }
ol { margin: 0; padding-left: 5mm }
li { margin-bottom: 1.5mm }
li code { display: block; border-left: 0.8mm solid #888; padding-left: 2mm; margin-top: 0.6mm }
"""


def title(kit: Kit) -> str:
    """Return what the paper is."""
    return f"Resurgam recovery kit: {kit.region}, {kit.domain}"


def facts(kit: Kit) -> Iterator[tuple[str, str]]:
    """Yield what to know and to compare, in the order in which it is needed."""
    yield "printed", kit.made_at
    yield "repository", kit.location
    yield "its credentials", kit.credentials()
    yield "deployment", kit.deployment
    yield "newest backup", f"manifest {kit.sequence} of {kit.created_at}, up to position {kit.position}"
    yield "last checkpoint", kit.checkpoint
    yield "release", kit.release
    yield "signer", kit.fingerprint
    yield "verifier", kit.verifier


def text(kit: Kit) -> str:
    """Return the kit as text; a line that begins with `$` after its indent is a command, however long it is."""
    return "\n".join(_lines(kit)) + "\n"


def _lines(kit: Kit) -> Iterator[str]:
    yield title(kit)
    yield ""
    yield from wrap(ADVICE, COLUMNS)
    yield ""
    for name, value in facts(kit):
        yield f"{name.ljust(16)} {value}"
    yield ""
    yield f"Identities that open this backup ({kit.encryption}); any one of them is enough:"
    for holder in kit.holders:
        yield f"  {holder.fingerprint}  {holder.kind}  {holder.label}".rstrip()
    for number, step in enumerate(kit.steps(), 1):
        yield ""
        yield from wrap(f"{number}. {step.text}", COLUMNS, subsequent_indent="   ", break_on_hyphens=False)
        yield from (f"   $ {command}" for command in step.commands)


def html(kit: Kit) -> str:
    """Return the kit as one page of HTML, without scripts and without anything from elsewhere."""
    rows = "\n".join(
        f"<tr><th>{escape(name)}</th><td><code>{escape(value)}</code></td></tr>" for name, value in facts(kit)
    )
    holders = "\n".join(
        f"<tr><td><code>{escape(one.fingerprint)}</code></td><td>{escape(one.kind)}</td><td>{escape(one.label)}</td></tr>"
        for one in kit.holders
    )
    steps = "\n".join(
        f"<li>{escape(step.text)}{''.join(f'<code>{escape(command)}</code>' for command in step.commands)}</li>"
        for step in kit.steps()
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{escape(title(kit))}</title><style>{STYLE}</style></head>
<body>
<h1>{escape(title(kit))}</h1>
<p>{escape(ADVICE)}</p>
<table>
{rows}
</table>
<h2>Identities that open this backup ({escape(kit.encryption)}); any one of them is enough</h2>
<table>
{holders}
</table>
<h2>Steps</h2>
<ol>
{steps}
</ol>
</body>
</html>
"""
