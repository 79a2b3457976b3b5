# As list-layer.pl, for hosts without Perl: list-layer.py NUMBER FOLDER...
import os
import stat
import sys

MOST_LEVELS = 256
OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def attribute(place, name):
    try:
        return os.getxattr(place, name, follow_symlinks=False)
    except OSError:
        return b""


def record(index, what, path):
    sys.stdout.buffer.write(b"%d\0%s\0%s\0" % (index, what, path))


def list_folder(index, fd, prefix, level):
    here = b"/proc/self/fd/%d/" % fd
    for name in map(os.fsencode, os.listdir(fd)):
        place = here + name
        try:
            mode = os.lstat(place).st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode):
            value = attribute(place, "security.capability")
            if value:
                record(index, value.hex().encode(), prefix + name)
        elif stat.S_ISDIR(mode):
            if attribute(place, "user.overlay.opaque") == b"y":
                record(index, b"opaque", prefix + name)
            if level < MOST_LEVELS:
                enter(index, place, prefix + name + b"/", level)


def enter(index, place, prefix, level):
    try:
        fd = os.open(place, OPEN)
    except OSError:
        return
    try:
        list_folder(index, fd, prefix, level + 1)
    finally:
        os.close(fd)


sys.setrecursionlimit(10 * MOST_LEVELS)
for number, folder in enumerate(map(os.fsencode, sys.argv[2:])):
    enter(number, folder, b"", -1)
sys.stdout.buffer.flush()
