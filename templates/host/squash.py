# As squash.pl, for hosts without Perl: squash.py FSETXATTR STATX UTIMENSAT NEW UPPERMOST... LOWEST
import errno
import os
import stat
import sys

OPAQUE = b"user.overlay.opaque"


def merge(to, hides, folders):
    os.mkdir(to, 0o700)
    names = {}
    for folder in folders:
        for name in os.listdir(folder):
            names[name] = None
    for name in names:
        place(to, name, folders)
    attributes(folders[0], to, hides)


def place(to, name, folders):
    there = []
    for path in [os.path.join(folder, name) for folder in folders]:
        try:
            there.append((path, os.lstat(path).st_mode))
        except FileNotFoundError:
            pass
    target = os.path.join(to, name)
    if not stat.S_ISDIR(there[0][1]):
        os.link(there[0][0], target, follow_symlinks=False)
        return
    hides, merged = False, []
    for path, mode in there:
        if not stat.S_ISDIR(mode):
            hides = True
            break
        merged.append(path)
        if opaque(path):
            hides = True
            break
    merge(target, hides, merged)


def opaque(path):
    return OPAQUE in list_attributes(path) and os.getxattr(path, OPAQUE, follow_symlinks=False) == b"y"


def list_attributes(path):
    try:
        return [os.fsencode(name) for name in os.listxattr(path, follow_symlinks=False)]
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return []


def attributes(source, to, hides):
    status = os.lstat(source)
    os.chown(to, status.st_uid, status.st_gid, follow_symlinks=False)
    for name in list_attributes(source):
        value = os.getxattr(source, name, follow_symlinks=False)
        try:
            os.setxattr(to, name, value, follow_symlinks=False)
        except OSError:
            if not name.startswith(b"security."):
                raise
    if hides:
        os.setxattr(to, OPAQUE, b"y", follow_symlinks=False)
    os.chmod(to, stat.S_IMODE(status.st_mode))
    os.utime(to, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


sys.setrecursionlimit(20000)
_, _, _, new, *layers = [os.fsencode(word) for word in sys.argv[1:]]
try:
    merge(new, False, layers)
except OSError as error:
    print(error, file=sys.stderr)
    sys.exit(28 if error.errno in (errno.ENOSPC, errno.EDQUOT) else 1)
