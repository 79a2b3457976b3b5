#!/usr/bin/perl
# fail-call.pl FOLDER LOG CALL ERRNO COMMAND ARGUMENT...
# Runs a command, and writes a line to the file LOG for each of these calls by which it, or any program that it
# started, uses a file below FOLDER or makes a process: `PROGRAM CALL PATH`, tab-separated, with `#` for each number.
# The call number CALL of a line, `LINE<TAB>NUMBER` with NUMBER from 1 on, fails with the errno ERRNO; "-": none fails.
#
# The kernel asks this program at each such call (seccomp user notification, no privilege needed), so it makes no
# difference in which language a program is written. Ends when all processes of the command have ended, with its status.
# Plain Perl without modules beyond perl-base.
# see seccomp_unotify(2), linux/seccomp.h
use strict;
use warnings;
use POSIX ();
use Socket;

my ($folder, $log, $target, $errno, @command) = @ARGV;

my ($machine) = (POSIX::uname())[4];
# asm/unistd_64.h; asm-generic/unistd.h
my %OF = $machine eq 'x86_64'
  ? (arch => 0xC000003E, seccomp => 317, prctl => 157, ppoll => 271, clone3 => 435, clone => 56, calls => {
      2 => 'open', 85 => 'creat', 257 => 'openat', 437 => 'openat2',
      1 => 'write', 18 => 'pwrite64', 20 => 'writev', 296 => 'pwritev', 326 => 'copy_file_range', 40 => 'sendfile',
      74 => 'fsync', 75 => 'fdatasync', 306 => 'syncfs', 82 => 'rename', 264 => 'renameat', 316 => 'renameat2',
      83 => 'mkdir', 258 => 'mkdirat', 86 => 'link', 265 => 'linkat', 88 => 'symlink', 266 => 'symlinkat',
      87 => 'unlink', 84 => 'rmdir', 263 => 'unlinkat', 56 => 'clone', 57 => 'fork', 58 => 'vfork', 59 => 'execve'})
  : (arch => 0xC00000B7, seccomp => 277, prctl => 167, ppoll => 73, clone3 => 435, clone => 220, calls => {
      56 => 'openat', 437 => 'openat2', 64 => 'write', 68 => 'pwrite64', 66 => 'writev', 70 => 'pwritev',
      285 => 'copy_file_range', 71 => 'sendfile', 82 => 'fsync', 83 => 'fdatasync', 267 => 'syncfs',
      38 => 'renameat', 276 => 'renameat2', 34 => 'mkdirat', 37 => 'linkat', 36 => 'symlinkat', 35 => 'unlinkat',
      220 => 'clone', 221 => 'execve'});

# For each call: what it is, and how its path is given: the number of the argument with the path, and of the one with
# the folder that it is relative to; or with the descriptor.
my %KIND = (
  open => ['open', 0], creat => ['open', 0], openat => ['open', 1, 0], openat2 => ['open', 1, 0],
  (map { $_ => ['write', undef, 0] } qw(write pwrite64 writev pwritev sendfile)),
  copy_file_range => ['write', undef, 2],
  (map { $_ => ['fsync', undef, 0] } qw(fsync fdatasync syncfs)),
  rename => ['rename', 1], renameat => ['rename', 3, 2], renameat2 => ['rename', 3, 2],
  mkdir => ['mkdir', 0], mkdirat => ['mkdir', 1, 0],
  link => ['link', 1], linkat => ['link', 3, 2], symlink => ['link', 1], symlinkat => ['link', 2, 1],
  unlink => ['unlink', 0], rmdir => ['unlink', 0], unlinkat => ['unlink', 1, 0],
  clone => ['fork'], fork => ['fork'], vfork => ['fork'], execve => ['exec', 0],
);
my ($AT_FDCWD, $CLONE_THREAD, $O_ACCMODE) = (-100, 0x10000, 3);
my ($ENOSYS, $EINTR, $ENOENT) = (38, 4, 2);

socketpair(my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die "socketpair: $!\n";
my $child = fork() // die "fork: $!\n";
if ($child == 0) {
  close $ours;
  my $listener = listen_here();
  send($theirs, pack('L', $listener), 0);
  recv($theirs, my $_go, 1, 0);
  { no warnings 'exec'; exec { $command[0] } @command }
  print STDERR "$command[0]: $!\n";
  POSIX::_exit(127);
}
close $theirs;
recv($ours, my $number, 4, 0);
die "fail-call.pl: no listener\n" if length $number != 4;
my $listener = taken($child, unpack 'L', $number);
open(my $lines, '>>', $log) or die "$log: $!\n";
send($ours, 'g', 0);
my %count;
serve() while waited();
waitpid $child, 0;
POSIX::_exit($? & 127 ? 128 + ($? & 127) : $? >> 8);

# Returns the descriptor by which the calls of this process, and of all that it starts, are asked about.
sub listen_here {
  my ($SECCOMP_SET_MODE_FILTER, $NEW_LISTENER, $WAIT_KILLABLE) = (1, 1 << 3, 1 << 5);
  syscall($OF{prctl}, 38, 1, 0, 0, 0) == 0 or die "no new privileges: $!\n";
  my $program = filter();
  my $header = pack('S x![J] P', length($program) / 8, $program);
  my $fd = syscall($OF{seccomp}, $SECCOMP_SET_MODE_FILTER, $NEW_LISTENER | $WAIT_KILLABLE, $header);
  die "seccomp: $!\n" if $fd < 0;
  return $fd;
}

# linux/bpf_common.h, linux/filter.h: struct seccomp_data has the call's number at 0, its arguments from 16 on.
sub filter {
  my ($LOAD, $JEQ, $JSET, $JGE, $RETURN) = (0x20, 0x15, 0x45, 0x35, 0x06);
  my ($ALLOW, $ASK, $FAIL) = (0x7fff0000, 0x7fc00000, 0x00050000);
  my $op = sub { pack 'S C C L', @_ };
  my @program = (
    $op->($LOAD, 0, 0, 4), $op->($JEQ, 1, 0, $OF{arch}), $op->($RETURN, 0, 0, $ALLOW),
    $op->($LOAD, 0, 0, 0),
    # Its flags lie in memory; libraries then use clone(2).
    $op->($JEQ, 0, 1, $OF{clone3}), $op->($RETURN, 0, 0, $FAIL | $ENOSYS),
    # Threads are not processes.
    $op->($JEQ, 0, 4, $OF{clone}), $op->($LOAD, 0, 0, 16), $op->($JSET, 0, 1, $CLONE_THREAD),
    $op->($RETURN, 0, 0, $ALLOW), $op->($RETURN, 0, 0, $ASK),
  );
  for my $number (sort keys %{$OF{calls}}) {
    my $name = $OF{calls}{$number};
    next if $name eq 'clone';
    if ($name =~ /write/) {
      # Standard streams are no files of the store.
      push @program, $op->($JEQ, 0, 4, $number), $op->($LOAD, 0, 0, 16), $op->($JGE, 1, 0, 3),
        $op->($RETURN, 0, 0, $ALLOW), $op->($RETURN, 0, 0, $ASK);
    } else {
      push @program, $op->($JEQ, 0, 1, $number), $op->($RETURN, 0, 0, $ASK);
    }
  }
  return join '', @program, $op->($RETURN, 0, 0, $ALLOW);
}

# Returns a copy of another process's descriptor. pidfd_open(2), pidfd_getfd(2)
sub taken {
  my ($pid, $fd) = @_;
  my $pidfd = syscall(434, $pid, 0);
  die "pidfd_open: $!\n" if $pidfd < 0;
  my $taken = syscall(438, $pidfd, $fd, 0);
  die "pidfd_getfd: $!\n" if $taken < 0;
  POSIX::close($pidfd);
  return $taken;
}

# Returns whether a call waits; false when all processes have ended.
sub waited {
  my ($POLLIN, $POLLHUP) = (1, 0x10);
  while (1) {
    my $poll = pack 'l s s', $listener, $POLLIN, 0;
    my $ready = syscall($OF{ppoll}, $poll, 1, 0, 0, 0);
    next if $ready < 0 && $! == $EINTR;
    die "ppoll: $!\n" if $ready < 0;
    my (undef, undef, $events) = unpack 'l s s', $poll;
    return 1 if $events & $POLLIN;
    return 0 if $events & $POLLHUP;
  }
}

sub serve {
  my ($RECEIVE, $SEND, $CONTINUE) = (0xC0502100, 0xC0182101, 1);
  my $notification = "\0" x 80;
  open(my $handle, '<&=', $listener) or die "listener: $!\n";
  our $kept = $handle;
  if (!defined ioctl($handle, $RECEIVE, $notification)) {
    return if $! == $EINTR || $! == $ENOENT;
    die "receive: $!\n";
  }
  my ($id, $pid, undef, $nr, undef, undef, @arguments) = unpack 'Q L L l L Q Q6', $notification;
  my $error = 0;
  my $line = described($pid, $OF{calls}{$nr}, @arguments);
  if (defined $line) {
    my $at = ++$count{$line};
    syswrite $lines, "$line\n";
    $error = $errno if "$line\t$at" eq $target;
  }
  # The caller may have been killed meanwhile.
  ioctl($handle, $SEND, pack('Q q l L', $id, 0, -$error, $error ? 0 : $CONTINUE))
    or $! == $ENOENT or die "send: $!\n";
}

# Returns the line for a call; undefined for one that is not counted.
sub described {
  my ($pid, $name, @arguments) = @_;
  my ($kind, $path_at, $fd_at) = @{$KIND{$name}};
  my $program = program_of($pid);
  # The shell script that starts Node, before any file of the store is used: its shell says what fails.
  return undef if $pid == $child && $program ne 'node envs.js';
  return "$program\t$kind\t" if $kind eq 'fork';
  my $path;
  if (defined $path_at) {
    $path = text_at($pid, $arguments[$path_at]) // return undef;
    $path = absolute($pid, $path, defined $fd_at ? $arguments[$fd_at] : undef) // return undef;
  } else {
    $path = readlink("/proc/$pid/fd/" . unpack('l', pack 'L', $arguments[$fd_at] & 0xffffffff)) // return undef;
  }
  if ($kind eq 'exec') {
    # execvp(3) tries each folder of PATH.
    return undef if !-e $path;
    return "$program\t$kind\t" . ($path =~ s{.*/}{}r);
  }
  return undef if index("$path/", "$folder/") != 0;
  if ($kind eq 'open') {
    my $flags = $name eq 'creat' ? 1 : $name eq 'openat2' ? 0 : $arguments[$name eq 'open' ? 1 : 2];
    $kind = 'create' if $flags & 0100;
  }
  return "$program\t$kind\t" . plain(substr $path, length $folder);
}

sub absolute {
  my ($pid, $path, $fd) = @_;
  $path =~ s{^/proc/(?:self|thread-self)/}{/proc/$pid/};
  if ($path =~ m{^(/proc/\d+/fd/\d+|/proc/\d+/cwd)(/.*|)\z}s) {
    my ($link, $rest) = ($1, $2);
    my $base = readlink($link) // return undef;
    return "$base$rest";
  }
  return $path if $path =~ m{^/};
  $fd = unpack('l', pack 'L', $fd & 0xffffffff) if defined $fd;
  my $base = readlink(!defined $fd || $fd == $AT_FDCWD ? "/proc/$pid/cwd" : "/proc/$pid/fd/$fd") // return undef;
  return $path eq '' ? $base : "$base/$path";
}

# Names of one run are not those of the next: process ids, random ids, times.
sub plain {
  my ($path) = @_;
  $path =~ s{(/\.(?:trial|removed|partial)\.[a-z]+\.)\w+}{$1#};
  $path =~ s{(/work/work/)[^/]+}{$1#};
  $path =~ s/[0-9a-f]{8,}/#/g;
  $path =~ s/\d+/#/g;
  return $path;
}

# Returns the program and its script: `perl squash.pl`.
sub program_of {
  my ($pid) = @_;
  open(my $file, '<', "/proc/$pid/cmdline") or return '?';
  local $/;
  my ($program, @words) = split /\0/, <$file> // '';
  return '?' if !defined $program;
  my ($script) = $program =~ m{(?:^|/)(?:node|perl|sh|dash|bash)\z} ? grep { !/^-[^c]/ } @words : ();
  my $name = join ' ', map { s{.*/}{}sr } grep { defined } $program, $script;
  return $name =~ s/\s+/ /gr;
}

# Returns the text at an address in the memory of a process.
sub text_at {
  my ($pid, $address) = @_;
  open(my $memory, '<:raw', "/proc/$pid/mem") or return undef;
  my $text = '';
  while (length $text < 8192) {
    my $at = $address + length $text;
    sysseek($memory, $at, 0) or return undef;
    # Not beyond a page: the next one may not be there.
    my $read = sysread($memory, my $part, 4096 - $at % 4096) or return undef;
    my $end = index $part, "\0";
    return $text . substr($part, 0, $end) if $end >= 0;
    $text .= $part;
  }
  return undef;
}
