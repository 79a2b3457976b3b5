#!/usr/bin/python3
# anchor.pl for a host without Perl: the same arguments, descriptors and words, told there.
#
# Python 3.6 or later, started with -I -S. Paths, names and arguments are bytes throughout.
import ctypes
import os
import signal
import stat
import sys

INFO, WORDS, FILTER, GUEST_NAMESPACE = 3, 7, 8, 9
HANDED_ON = (0, 1, 2, 4, 5, 6, 10)
EPERM, ENOENT, ENOTDIR, ENOSYS, ELOOP = 1, 2, 20, 38, 40
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000
FLAG = {'rdonly': 1, 'nosuid': 2, 'nodev': 4, 'noexec': 8, 'remount': 0x20, 'bind': 0x1000, 'rec': 0x4000, 'slave': 0x80000}
ATTRIBUTE = {'rdonly': 1, 'nosuid': 2, 'nodev': 4}
MNT_DETACH, AT_EMPTY_PATH, AT_RECURSIVE = 2, 0x1000, 0x8000
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
# The same number on every processor in question.
O_PATH, NR_MOUNT_SETATTR = 0o10000000, 442
MAX_INPUT_BYTES = 1 << 20
DEVICES = ('null', 'zero', 'full', 'random', 'urandom', 'tty')
DEVICE_LINKS = {
    'fd': '/proc/self/fd', 'stdin': '/proc/self/fd/0', 'stdout': '/proc/self/fd/1', 'stderr': '/proc/self/fd/2',
    'core': '/proc/kcore', 'ptmx': 'pts/ptmx',
}

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long


def fail(what, errno):
    text = what if isinstance(what, str) else os.fsdecode(what)
    os.write(2, ('envs: %s: %s\n' % (text, os.strerror(errno or 0))).encode(errors='surrogateescape'))
    os._exit(1)


def attempt(what, call, *arguments):
    """What the call returns; where it fails, this ends."""
    try:
        return call(*arguments)
    except OSError as error:
        return fail(what, error.errno)


def syscall(number, *arguments):
    words = (word if word is None or isinstance(word, bytes) else ctypes.c_long(word) for word in arguments)
    result = LIBC.syscall(ctypes.c_long(number), *words)
    if result == -1:
        errno = ctypes.get_errno()
        raise OSError(errno, os.strerror(errno))
    return result


def main(numbers, *program):
    names = ('prctl', 'setns', 'unshare', 'mount', 'umount', 'pivot_root', 'sethostname')
    calls = dict(zip(names, map(int, numbers.split(b','))))
    words = read_all(WORDS).split(b'\0')[:-1]
    instructions = read_all(FILTER)

    attempt('new namespaces', syscall, calls['unshare'], CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)
    # Set up only when its id is written: whoever hears that it is ready looks for that.
    is_known, known = os.pipe()
    child = attempt('fork', os.fork)
    if child:
        attempt('the process id', os.write, INFO, b'{"child-pid": %d, "engine": "unshare"}\n' % child)
        os._exit(0)
    os.close(known)
    os.read(is_known, 1)
    # Python ignores them of itself.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    os.umask(0)
    close_strays()
    tree = Tree(calls, read_words(words))
    tree.build()
    tree.enter()
    if tree.hostname is not None:
        attempt('hostname', syscall, calls['sethostname'], tree.hostname, len(tree.hostname))
    if tree.has_second_namespace:
        attempt('the second user namespace', syscall, calls['setns'], GUEST_NAMESPACE, CLONE_NEWUSER)
        os.close(GUEST_NAMESPACE)
    load_filter(calls, instructions)
    os.umask(0o022)
    attempt(program[0], os.execve, program[0], program, {b'PATH': os.environb.get(b'PATH', b'')})


def read_all(descriptor):
    chunks, length = [], 0
    while not chunks or chunks[-1]:
        chunks.append(os.read(descriptor, 65536))
        length += len(chunks[-1])
        if length > MAX_INPUT_BYTES:
            os._exit(1)
    return b''.join(chunks)


# What the caller's shell left open would be a door out of the guest.
def close_strays():
    for name in os.listdir('/proc/self/fd'):
        if int(name) not in HANDED_ON + (GUEST_NAMESPACE,):
            try:
                os.close(int(name))
            except OSError:
                # The one that the list was read through.
                pass


def read_words(words):
    if not words or words.pop() != b'end':
        fail('the end of the words', ENOENT)
    wish = {'stage': b'/', 'hostname': None, 'second-namespace': False, 'mounts': []}
    while words:
        word = words.pop(0).decode()
        if word in ('stage', 'hostname'):
            wish[word] = words.pop(0)
        elif word == 'second-namespace':
            wish[word] = True
        elif word == 'bind':
            wish['mounts'].append(dict(zip(('kind', 'from', 'at', 'access', 'if_missing'), [word] + words[:4])))
            del words[:4]
        elif word == 'overlay':
            wish['mounts'].append(dict(zip(('kind', 'folder', 'options', 'at'), [word] + words[:3])))
            del words[:3]
        elif word in ('tmpfs', 'proc', 'dev', 'mqueue'):
            wish['mounts'].append({'kind': word, 'at': words.pop(0)})
        else:
            fail('the word %s' % word, ENOENT)
    return wish


def by_number(descriptor):
    return b'/proc/self/fd/%d' % descriptor


class Tree:
    def __init__(self, calls, wish):
        self.calls = calls
        self.stage, self.hostname = wish['stage'], wish['hostname']
        self.has_second_namespace = wish['second-namespace']
        self.mounts = wish['mounts']
        self.root = None

    def build(self):
        for mount in self.mounts:
            if mount['kind'] == 'bind':
                mount['source'] = open_source(mount['from'], mount['if_missing'])
        # What is unmounted on the host must not be kept by a copy of it here.
        self.mount(b'', b'/', b'', FLAG['rec'] | FLAG['slave'], 'the propagation of mounts')
        self.mount_root(self.mounts[0])
        for mount in self.mounts[1:]:
            if mount['kind'] != 'bind' or mount['source'] is not None:
                self.mount_one(mount)

    def mount(self, source, target, kind, flags, what, data=None):
        attempt(what, syscall, self.calls['mount'], source, target, kind, flags, data)

    # The guest's root may change them, unless it is in the second user namespace.
    def mount_root(self, mount):
        limits = ['nodev', 'nosuid'] if self.has_second_namespace else ['nodev']
        if mount['kind'] == 'overlay':
            attempt(mount['folder'], os.chdir, mount['folder'])
            flags = sum(FLAG[name] for name in limits)
            self.mount(b'overlay', self.stage, b'overlay', flags, 'the layers', mount['options'])
            os.chdir('/')
        else:
            self.mount(by_number(mount['source']), self.stage, b'', FLAG['bind'] | FLAG['rec'], mount['from'])
            if mount['access'] == b'ro':
                limits.append('rdonly')
        self.root = attempt(self.stage, os.open, self.stage, O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        if mount['kind'] == 'bind':
            self.limit(self.root, '/', limits)

    def mount_one(self, mount):
        kind, at = mount['kind'], mount['at']
        target = by_number(self.walk(at))
        guarded = FLAG['nosuid'] | FLAG['nodev']
        if kind == 'bind':
            self.mount(by_number(mount['source']), target, b'', FLAG['bind'] | FLAG['rec'], at)
            self.limit(self.walk(at), at, ['nosuid', 'nodev'] + (['rdonly'] if mount['access'] == b'ro' else []))
        elif kind == 'proc':
            self.mount(b'proc', target, b'proc', guarded | FLAG['noexec'], at)
        elif kind == 'mqueue':
            self.mount(b'mqueue', target, b'mqueue', 0, at)
        else:
            self.mount(b'tmpfs', target, b'tmpfs', guarded, at, b'mode=0755')
            if kind == 'dev':
                self.fill_dev(at)

    def fill_dev(self, at):
        folder = by_number(self.walk(at))
        for name in map(str.encode, DEVICES):
            path = folder + b'/' + name
            os.close(attempt(path, os.open, path, os.O_WRONLY | os.O_CREAT, 0o666))
            self.mount(b'/dev/' + name, path, b'', FLAG['bind'], at + b'/' + name)
        for name, target in DEVICE_LINKS.items():
            attempt(at, os.symlink, target.encode(), folder + b'/' + name.encode())
        for name in (b'shm', b'mqueue', b'pts'):
            attempt(at, os.mkdir, folder + b'/' + name, 0o755)
        options = b'newinstance,ptmxmode=0666,mode=620'
        self.mount(b'devpts', folder + b'/pts', b'devpts', FLAG['nosuid'] | FLAG['noexec'], at + b'/pts', options)

    # A descriptor of a place in the tree. Each step is a folder of its own, the last may be a file; a link is none.
    def walk(self, path):
        what = os.fsdecode(path) + ' in the environment'
        here = self.root
        for step in filter(None, path.split(b'/')):
            if step == b'..':
                fail(what, ELOOP)
            here = attempt(what, os.open, by_number(here) + b'/' + step, O_PATH | os.O_NOFOLLOW)
            if stat.S_ISLNK(os.fstat(here).st_mode):
                fail(what, ELOOP)
        return here

    # Sets attributes of a mount and of those below it. @see mount_setattr(2), which is there since Linux 5.12
    def limit(self, place, what, names):
        structure = (ctypes.c_uint64 * 4)(sum(ATTRIBUTE[name] for name in names), 0, 0, 0)
        size = ctypes.sizeof(structure)
        try:
            syscall(NR_MOUNT_SETATTR, place, b'', AT_EMPTY_PATH | AT_RECURSIVE, ctypes.addressof(structure), size)
        except OSError as error:
            # Some containers answer what they don't know with EPERM.
            if error.errno not in (ENOSYS, EPERM):
                fail(what, error.errno)
            self.limit_each(place, what, names)

    # One after the other; what is set already must be given again, or the kernel refuses. How times of access are kept is
    # left alone where nothing is said of it.
    def limit_each(self, place, what, names):
        path = os.readlink(by_number(place))
        with open('/proc/self/mountinfo', 'rb') as table:
            lines = table.read().splitlines()
        for fields in (line.split(b' ') for line in lines):
            point = unescape(fields[4])
            if point != path and not point.startswith(path + b'/'):
                continue
            kept = {b'ro': 'rdonly', b'nosuid': 'nosuid', b'nodev': 'nodev', b'noexec': 'noexec'}
            wanted = {kept[option] for option in fields[5].split(b',') if option in kept} | set(names)
            flags = FLAG['remount'] | FLAG['bind'] | sum(FLAG[name] for name in wanted)
            self.mount(b'', by_number(place) + point[len(path):], b'', flags, what)

    def enter(self):
        attempt('/', os.chdir, by_number(self.root))
        attempt('pivot_root', syscall, self.calls['pivot_root'], b'.', b'.')
        # The host's tree lies over the new one now, and goes.
        attempt('umount', syscall, self.calls['umount'], b'.', MNT_DETACH)
        attempt('/', os.chdir, '/')


# Before anything is mounted, which may hide it.
def open_source(path, if_missing):
    try:
        return os.open(path, O_PATH)
    except OSError as error:
        if if_missing == b'skip' and error.errno in (ENOENT, ENOTDIR):
            return None
        return fail(path, error.errno)


def unescape(point):
    parts = point.split(b'\\')
    return parts[0] + b''.join(bytes([int(part[:3], 8)]) + part[3:] for part in parts[1:])


# No "no new privileges": this process has CAP_SYS_ADMIN in its user namespace.
def load_filter(calls, instructions):
    if not instructions:
        return
    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    program = SockFprog(len(instructions) // 8, ctypes.addressof(buffer))
    attempt('filter', syscall, calls['prctl'], PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program), 0, 0)


class SockFprog(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_void_p)]


main(*map(os.fsencode, sys.argv[1:]))
