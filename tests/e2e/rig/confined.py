"""Becomes a program of an image as a container runtime starts it. From outside of the image, which has neither a shell
nor setpriv. Usage: python3 confined.py ROOT UID GID GROUPS PROGRAM WORDS… (GROUPS: with commas, or empty)"""

import ctypes
import os
import sys

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 24, 38, 47, 4
CAPABILITY_VERSION_3 = 0x20080522


def main(root, uid, gid, groups, program, *words):
    libc = ctypes.CDLL(None, use_errno=True)

    def must(result):
        if result != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    with open("/proc/sys/kernel/cap_last_cap") as file:
        last = int(file.read())
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    os.chroot(root)
    os.chdir("/")
    os.setgroups([int(group) for group in groups.split(",") if group])
    # While there still is the capability for it.
    for capability in range(last + 1):
        must(libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))
    os.setresgid(int(gid), int(gid), int(gid))
    os.setresuid(int(uid), int(uid), int(uid))
    must(libc.capset(header, (ctypes.c_uint32 * 6)()))
    must(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    must(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    os.execve(program, [program, *words], dict(os.environ))


if __name__ == "__main__":
    main(*sys.argv[1:])
