"""Object ids: how the directory names users, groups and service principals, by GUID or security identifier (SID)."""

import re
from typing import Annotated

from pydantic import Field

OBJECT_ID = re.compile(r"[0-9A-Za-z-]{1,184}")

ObjectId = Annotated[str, Field(pattern=f"^{OBJECT_ID.pattern}$")]
"""A directory of Windows gives SIDs (`S-1-5-21-…`, 184 characters at most), the built-in one GUIDs."""
