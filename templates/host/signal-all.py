#!/usr/bin/python3
# signal-all.pl for a host without Perl: the same arguments, the same line and the same exit status.
import ctypes
import os
import signal
import sys

PR_SET_DUMPABLE, CLONE_NEWUSER, CLONE_NEWPID = 4, 0x10000000, 0x20000000
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long


def main(anchor, numbers, *words):
    prctl, setns = map(int, numbers.split(','))
    # Who is to let all go on must be there to do so.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    user, pid = (os.open('/proc/%s/ns/%s' % (anchor, kind), os.O_RDONLY) for kind in ('user', 'pid'))

    def join_namespace(file, kind):
        return syscall(setns, file, kind)

    # An ordinary user may join nothing before the user namespace gives it the right to; the host's root loses that right
    # there.
    is_root = join_namespace(pid, CLONE_NEWPID)
    if not join_namespace(user, CLONE_NEWUSER) or not (is_root or join_namespace(pid, CLONE_NEWPID)):
        os._exit(1)
    if not syscall(prctl, PR_SET_DUMPABLE, 0, 0, 0, 0):
        os._exit(1)

    from_within([read_word(word) for word in words])
    try:
        os.write(1, b'sent\n')
    except OSError:
        # The caller was killed meanwhile: all the same its processes are to go on.
        pass
    last = b''
    for line in sys.stdin.buffer:
        last = line
    from_within([(signal.SIGCONT, int(each)) for each in last.split()] or [(signal.SIGCONT, -1)])


def syscall(number, *arguments):
    return LIBC.syscall(*map(ctypes.c_long, (number,) + arguments)) == 0


def read_word(word):
    name, _, process = word.partition(':')
    return getattr(signal, 'SIG' + name), int(process or -1)


# Once pid 1 has ended there is nobody to send to, and no process can be made there.
def from_within(signals):
    try:
        child = os.fork()
    except OSError:
        os._exit(1)
    if child == 0:
        for number, process in signals:
            send(process, number)
        os._exit(0)
    os.waitpid(child, 0)


def send(process, number):
    try:
        os.kill(process, number)
    except OSError:
        # It has ended; or there is nobody but pid 1.
        pass


try:
    main(*sys.argv[1:])
except OSError:
    os._exit(1)
