"""Where a report and its workloads are found."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from analyzer.model import WorkloadKey

PAGE = "report.html"


def anchor(key: WorkloadKey) -> str:
    """The name of a workload's place on the page: the same every week, and safe in any URL."""
    return f"w-{hashlib.blake2s(str(key).encode('utf-8', 'replace'), digest_size=6).hexdigest()}"


def page_url(base: str, folder: str, key: WorkloadKey | None = None) -> str | None:
    """The page of the report in ``folder`` (below the folder of reports), at ``key`` if given;
    ``base`` is where the daemon is reached, empty if nobody said: then None."""
    if not base:
        return None
    at = f"#{anchor(key)}" if key is not None else ""
    where = quote(base.rstrip("/"), safe=":/?=&%@[]~,;!$()*+'")
    return f"{where}/reports/{quote(folder)}/{PAGE}{at}"
