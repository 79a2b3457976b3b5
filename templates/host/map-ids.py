#!/usr/bin/python3
# map-ids.pl for a host without Perl: the same arguments, and the same exit status.
import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000


def refuse(what, errno):
    os.write(2, ('map-ids: %s: %s\n' % (what, os.strerror(errno))).encode(errors='surrogateescape'))
    os._exit(1)


def main(nr_unshare, newuidmap, uids, newgidmap, gids, *command):
    process = str(os.getpid())
    is_unshared, unshared = os.pipe()

    # Stays in the namespace that has the ids to give; whoever is in the new one may not.
    helper = os.fork()
    if helper == 0:
        os.close(unshared)
        is_mapped = os.read(is_unshared, 1) and run(newuidmap, process, uids) and run(newgidmap, process, gids)
        os._exit(0 if is_mapped else 1)

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ctypes.c_long(int(nr_unshare)), ctypes.c_long(CLONE_NEWUSER)) == -1:
        refuse('unshare', ctypes.get_errno())
    os.write(unshared, b'.')
    if os.waitpid(helper, 0)[1] != 0:
        os._exit(1)
    restore_signals()
    try:
        os.execvp(command[0], command)
    except OSError as error:
        refuse(command[0], error.errno)


def run(program, process, ids):
    return os.spawnv(os.P_WAIT, program, [program, process] + ids.split(',')) == 0


def restore_signals():
    """What Python ignores of itself would stay ignored in the command."""
    import signal

    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


main(*sys.argv[1:])
