"""A small file system in memory, mounted by a process for itself and its children, to be filled by a drill."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWUSER, _MS_REC, _MS_PRIVATE, _MS_REMOUNT = 0x20000, 0x10000000, 0x4000, 0x40000, 0x20


def mount_memory(place: Path, size: int, again: bool = False) -> None:
    """Mount a file system of so many bytes, that this process and its children alone see; needs no root.

    Raises:
        OSError: this machine does not permit it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not again:
        user, group = os.geteuid(), os.getegid()
        _checked(libc.unshare(_CLONE_NEWNS | (_CLONE_NEWUSER if user else 0)))
        if user:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        _checked(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    flags = _MS_REMOUNT if again else 0
    _checked(libc.mount(b"tmpfs", os.fsencode(place), b"tmpfs", flags, f"size={size}".encode()))


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
