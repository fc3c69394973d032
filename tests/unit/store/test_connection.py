"""Which kinds of file systems the database is not put on, and what an error of one means."""

from __future__ import annotations

import errno

import pytest

from defer_cli.domain.disk import CHECK_DISK
from defer_cli.domain.errors import StoreError
from defer_cli.store.sqlite.connection import is_network_file_system, reporting


@pytest.mark.parametrize(
    "kind",
    """
    9p afs ceph cifs glusterfs lustre nfs nfs4 smb3
    fuse.ceph-fuse fuse.gcsfuse fuse.glusterfs fuse.juicefs fuse.mfs fuse.rclone fuse.s3fs fuse.sshfs
    """.split(),
)
def test_what_lies_on_another_machine_is_a_network_file_system(kind: str) -> None:
    assert is_network_file_system(kind)


@pytest.mark.parametrize(
    "kind",
    """
    btrfs exfat ext4 fuse fuseblk overlay tmpfs virtiofs xfs zfs
    fuse.bindfs fuse.fuse-overlayfs fuse.gocryptfs fuse.mergerfs fuse.ntfs-3g
    """.split(),
)
def test_what_lies_on_a_local_disk_is_none_in_user_space_either(kind: str) -> None:
    assert not is_network_file_system(kind)


def test_an_unknown_file_system_is_not_refused() -> None:
    assert not is_network_file_system(None)


def test_a_disk_that_fails_under_a_file_is_not_taken_for_a_missing_right() -> None:
    with pytest.raises(StoreError) as failed, reporting("/data/defer.db"):
        raise OSError(errno.EIO, "Input/output error")

    assert (failed.value.problem, failed.value.mend) == ("Input/output error", CHECK_DISK)
    assert failed.value.is_fatal
