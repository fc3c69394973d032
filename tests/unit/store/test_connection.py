"""Which kinds of file systems the database is not put on."""

from __future__ import annotations

import pytest

from defer_cli.store.sqlite.connection import is_network_file_system


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
