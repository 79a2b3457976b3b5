#!/usr/bin/python3
# load-filter.pl for a host without Perl: the same arguments and descriptor.
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 1, 38, 22, 2
ESRCH = 3


class SockFprog(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_void_p)]


def fail(what, errno):
    os.write(2, ('envs: %s: %s\n' % (what, os.strerror(errno))).encode(errors='surrogateescape'))
    os._exit(1)


def main(number, parent, *program):
    with open(6, 'rb') as pipe:
        instructions = pipe.read()
    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    filter_program = SockFprog(len(instructions) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)

    def prctl(what, *arguments):
        words = map(ctypes.c_long, (int(number),) + arguments)
        if libc.syscall(*words) == -1:
            fail(what, ctypes.get_errno())

    prctl('parent-death', PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)
    if os.getppid() != int(parent):
        fail('parent', ESRCH)
    prctl('no new privileges', PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    prctl('filter', PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(filter_program), 0, 0)
    # Python ignores them of itself.
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execv(program[0], program)
    except OSError as error:
        fail(program[0], error.errno)


main(*sys.argv[1:])
