"""Downloads, as LM Studio tells of them and with what is ours."""

from __future__ import annotations

from typing_extensions import TypedDict

from lmnb.service.downloads.status import DownloadStatus

__all__ = ["DownloadList", "DownloadStatus"]


class DownloadList(TypedDict):
    downloads: list[DownloadStatus]
