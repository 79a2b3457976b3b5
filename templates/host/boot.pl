#!/usr/bin/perl
# The keeper of an environment that boots: starts its first process, and stays outside of it until that has ended.
#
# usage: boot.pl NUMBERS RUN RESTARTS STATE CGROUPS PLACE GROUP -- PROGRAM ARGUMENT...
#   NUMBERS   system call numbers of prctl, prlimit64, unshare, setns and umount2 on this processor, then "power" if its terminals have POWER's numbers, else
#             "generic", separated by commas
#   RUN       folder of the run-time state; no guest sees it
#   RESTARTS  "again": starts the guest once more when it reboots; "exit": ends with 133 instead
#   STATE     text of the state file (src/sandbox/anchor-state.ts), with PID and START in place of the numbers, and without its end
#   CGROUPS   "real": PLACE is the mount point of the host's cgroup2; GROUP is made below the group of this process, and the guest
#             lives in it
#             "scope": the same; the group of this process is its own, a scope that systemd delegated to it
#             "make-believe": GROUP in PLACE, a folder of the guest, is a hierarchy of boot/cgroups.pl
#   PROGRAM   anchor.pl and its arguments
# Started as root of the user namespace that owns the guest's mounts.
# Inherited: 3 receives the process id of pid 1, 4 the line "ready" when its program starts, 6 stays open until the end, 7 the words of
# anchor.pl, with "keeper-adds" in place of "end" and "keeper-group" in place of the guest's control groups, 8 a filter for pid 1, 9 the guest's user namespace; 10 stays open until the end.
#
# In RUN: console.log, what was written to /dev/console, its first half in console.log.1 when it is long; notify, a socket for
# sd_notify(3); group, what pid 1 reads as its control group; boot.json, the state of the boot: {"pid": N, "state": "running"}, and "ended" with a status at the end.
#
# This process is outside of the guest's pid namespace: the guest can't signal it, and systemd's last "kill -1" spares it. When it dies,
# the kernel kills pid 1 (see "keeper" in anchor.pl), and with pid 1 the guest.
# Ends as the guest did: 0 for halt and power off, N for "systemctl exit N", 133 for a reboot, 255 where systemd gave up.
#
# Plain Perl without modules, as session.pl. See pid_namespaces(7), reboot(2), pty(7), https://systemd.io/CONTAINER_INTERFACE.
use v5.12;
use warnings;

my $PR_SET_CHILD_SUBREAPER = 36;
my ($O_RDWR, $O_NOCTTY, $O_PATH, $AF_UNIX, $SOCK_DGRAM, $MSG_DONTWAIT) = (2, 0400, 010000000, 1, 2, 0x40);
my %TERMINAL = (generic => {unlock => 0x40045431, number => 0x80045430}, power => {unlock => 0x80045431, number => 0x40045430});
my ($EINTR, $EAGAIN) = (4, 11);
# The same number on every supported processor.
my $nr_pidfd_open = 434;
my $REBOOT = 133;
# systemd knows a group of this name as a unit's, though it has no such unit: so it neither removes nor stops it.
my $SESSIONS = 'envs.scope';
# systemd.unit(5): halt in good order. 34 is SIGRTMIN of the C library on every processor of this program.
my $HALT_SIGNAL = 37;
my $MAX_LOG_BYTES = 1 << 19;
my $MAX_MESSAGE_BYTES = 4096;

BEGIN { $^F = 10 }    # these are handed on under their numbers, others are closed at exec

my ($numbers, $run, $restarts, $state, $cgroups, $place, $name, undef, @program) = @ARGV;
my ($nr_prctl, $nr_prlimit, $nr_unshare, $nr_setns, $nr_umount, $kind) = split /,/, $numbers;
$_ += 0 for $nr_prctl, $nr_prlimit, $nr_unshare, $nr_setns, $nr_umount;
(my $own_folder = $0) =~ s{[^/]*\z}{};

my %inherited = map { $_ => inherit($_) } 3 .. 10;
my $words = read_all($inherited{7});
# The last word marks the list as complete.
$words =~ s/\0keeper-adds\0\z/\0/ or fail('the end of the words');
my $filter = read_all($inherited{8});
chdir $run or fail($run);
umask 077;
syscall($nr_prctl, $PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 or fail('prctl');
require "${own_folder}boot/$_.pl" for $cgroups eq 'make-believe' ? qw(cgroups memberships notifications) : 'real-cgroups';
my $group = $cgroups eq 'make-believe' ? undef : own_group($place) . "/$name";
leave_scope(own_group($place)) if $cgroups eq 'scope';
$words =~ s/\0keeper-group\0/\0$group\/guest\0/ if defined $group;
my $where = defined $group ? { group => $group, sessionGroup => $SESSIONS } : {sessionGroup => "$name/$SESSIONS"};
my ($console, $console_path, $console_end) = open_console();
my ($log, $logged);
open_log();
my $pid;
pipe(my $ended, my $ends) or fail('pipe');
$SIG{$_} = sub { kill $HALT_SIGNAL, $pid if $pid } for qw(TERM INT HUP);
$SIG{PIPE} = 'IGNORE';
my $is_first = 1;
my $status;
do {
  my $notify = open_notify();
  my $guest = start_guest();
  $status = serve($guest, $notify);
} while ($status == $REBOOT && $restarts eq 'again');
exit $status;

sub fail {
  my ($what) = @_;
  print STDERR "envs: $what: $!\n";
  exit 1;
}

sub inherit {
  my ($number) = @_;
  my $handle;
  for my $mode ('+<&=', '<&=', '>&=') { return $handle if open($handle, $mode, $number) }
  fail("descriptor $number");
}

sub read_all {
  my ($handle) = @_;
  my $text = '';
  while (my $length = sysread $handle, $text, 65536, length $text) { }
  return $text;
}

# The slave end stays open here: without it, reading fails whenever no process of the guest has the console open.
sub open_console {
  sysopen(my $master, '/dev/ptmx', $O_RDWR | $O_NOCTTY) or fail('/dev/ptmx');
  my ($zero, $number) = (pack('i', 0), pack('i', 0));
  ioctl($master, $TERMINAL{$kind}{unlock}, $zero) && ioctl($master, $TERMINAL{$kind}{number}, $number) or fail('the console');
  my $path = '/dev/pts/' . unpack 'i', $number;
  sysopen(my $slave, $path, $O_RDWR | $O_NOCTTY) or fail($path);
  return ($master, $path, $slave);
}

sub open_log {
  unlink 'console.log';
  open($log, '>', 'console.log') or fail('console.log');
  $logged = 0;
}

# Its path is relative: a socket's is short.
sub open_notify {
  unlink 'notify';
  socket(my $socket, $AF_UNIX, $SOCK_DGRAM, 0) or fail('a socket');
  bind($socket, pack('S Z*', $AF_UNIX, 'notify')) or fail('the notify socket');
  return $socket;
}

sub start_guest {
  unlink 'boot.json';
  # For each start: it is of one mount. Opened in this user namespace, which is the one that mounts it: the kernel compares them.
  my $fuse = $cgroups eq 'make-believe' ? open_fuse() : undef;
  my $guests = defined $group ? make_group($group, $SESSIONS) : undef;
  write_state("0::/$name", 'group') if $fuse;
  my ($info, $ready, $go, $to_words, $to_filter, %ends);
  for ([\$info, 3], [\$ready, 4]) { my ($mine, $number) = @$_; pipe($$mine, $ends{$number}) or fail('pipe') }
  for ([\$go, 5], [\$to_words, 7], [\$to_filter, 8]) { my ($mine, $number) = @$_; pipe($ends{$number}, $$mine) or fail('pipe') }
  $ends{10} = $fuse if $fuse;
  defined(my $maker = fork) or fail('fork');
  if ($maker == 0) {
    $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP PIPE CHLD);
    join_group($guests) if defined $guests;
    hand_on(%ends);
    no warnings 'exec';    # fail tells it
    exec { $program[0] } @program or fail($program[0]);
  }
  close $ends{$_} for 3, 4, 5, 7, 8;
  syswrite $to_words, $words . join('', map { "$_\0" } 'device', $console_path, '/dev/console', 'end');
  syswrite $to_filter, $filter;
  close $_ for $to_words, $to_filter;
  my $told = read_line($info);
  waitpid $maker, 0;
  ($pid) = ($told // '') =~ /"child-pid": (\d+)/ or end_early();
  # From here on pid 1 is a child of this process.
  syswrite $go, $fuse && Notifications->is_permitted($pid) ? 'l' : 'm';
  my ($is_mounted, $listener) = (read_line($ready) // '') =~ /^(mounted)(?: (\d+))?\n\z/;
  $is_mounted or end_early();
  my $notifications = defined $listener ? Notifications->new($pid, $listener) : undef;
  my $server = $fuse ? make_believe($fuse, $notifications) : undef;
  if ($is_first) { syswrite $inherited{3}, $told =~ s/\}\n\z/place_words() . "}\n"/er }
  else           { write_state($state =~ s/"PID"/$pid/r =~ s/START/start_time($pid)/er =~ s/\}\z/place_words() . '}'/er, 'anchor.json') }
  syswrite $go, 'g';
  if ($is_first) {
    syswrite $inherited{4}, "ready\n";
    # Their numbers stay taken, for the next start.
    for my $number (3, 4) { open($inherited{$number}, '>', '/dev/null') or fail("descriptor $number") }
    open(STDERR, '>>', 'console.log') or fail('console.log');
  }
  $is_first = 0;
  return {server => $server, fuse => $fuse, notifications => $notifications};
}

# The fields of the state that only this process knows. Names of groups may have backslashes.
sub place_words {
  return join '', map { qq(, "$_": ") . $where->{$_} =~ s/([\\"])/\\$1/gr . '"' } sort keys %$where;
}

sub make_believe {
  my ($fuse, $notifications) = @_;
  my $calls = {unshare => $nr_unshare, setns => $nr_setns, umount2 => $nr_umount};
  my @others = ($fuse, $console, $console_end, $log, $ended, $ends, values %inherited, $notifications ? $notifications->handle : ());
  my $memberships = Memberships->new({pid => $pid, calls => $calls, others => \@others});
  return Cgroups->new($fuse, {pid => $pid, folder => "$place/$name", prlimit => $nr_prlimit, memberships => $memberships});
}

sub open_fuse {
  sysopen(my $fuse, '/dev/fuse', $O_RDWR) or fail('/dev/fuse');
  return $fuse;
}

# Perl keeps the number of a handle that is opened again, up to $^F.
sub hand_on {
  my (%ends) = @_;
  for my $number (3 .. 10) {
    next if $number == 9;
    my ($mode, $from) = $ends{$number} ? ($number < 5 ? '>&' : $number == 10 ? '+<&' : '<&', $ends{$number}) : ('<', '/dev/null');
    open($inherited{$number}, $mode, $from) or fail("descriptor $number");
  }
}

sub read_line {
  my ($from) = @_;
  my $text = '';
  while ($text !~ /\n/) {
    my $length = sysread $from, $text, 4096, length $text;
    next if !defined $length && $! == $EINTR;
    return unless $length;
  }
  return $text;
}

# Pid 1 or its maker has said on standard error why.
sub end_early {
  kill KILL => $pid if $pid;
  exit 1;
}

sub start_time {
  my ($process) = @_;
  open(my $file, '<', "/proc/$process/stat") or return 0;
  return (split ' ', <$file> =~ s/^.*\) //sr)[19];
}

sub write_state {
  my ($text, $name) = @_;
  open(my $file, '>', "$name.new") or fail($name);
  defined syswrite($file, "$text\n") && close($file) && rename("$name.new", $name) or fail($name);
}

# Until pid 1 ends. Returns its status.
sub serve {
  my ($guest, $notify) = @_;
  my ($server, $fuse, $notifications) = @$guest{qw(server fuse notifications)};
  my ($end, $wants_reboot);
  my $ending = ending_of($pid);
  $SIG{CHLD} = sub { syswrite $ends, 'x' };
  my $reap = sub { while ((my $gone = waitpid -1, 1) > 0) { $end = $? if $gone == $pid } };
  $reap->();
  until (defined $end) {
    my $wanted = '';
    vec($wanted, fileno $_, 1) = 1 for $ended, $ending // (), $console, $notify, $server ? $fuse : (), $notifications ? $notifications->handle : ();
    my $count = select(my $ready = $wanted, undef, undef, $server ? $server->patience : undef);
    if ($server) { $server->tell }
    next if $count <= 0;
    if ($server && vec($ready, fileno $fuse, 1)) { $server->answer or $server = undef }
    if ($notifications && vec($ready, fileno $notifications->handle, 1)) { $notifications->answer(sub { $server->catch_up if $server }) }
    if (vec($ready, fileno $console, 1)) { copy_console() }
    if (vec($ready, fileno $notify, 1)) {
      my $words = hear($notify);
      write_state(qq({"pid": $pid, "state": "running"}), 'boot.json') if $words =~ /^READY=1$/m;
      $wants_reboot = $1 eq 'reboot' if $words =~ /^X_SYSTEMD_SHUTDOWN=([a-z]+)$/m;
    }
    if (vec($ready, fileno $ended, 1)) { sysread $ended, my $nothing, 64; $reap->() }
    elsif ($ending && vec($ready, fileno $ending, 1)) { $reap->() }
  }
  copy_console() while is_readable($console);
  my $status = meaning($end, $wants_reboot);
  write_state(qq({"pid": $pid, "state": "ended", "status": $status}), 'boot.json');
  undef $pid;
  remove_group($group) if defined $group;
  return $status;
}

# A descriptor that is readable when the process has ended; undef before Linux 5.3. Perl calls the handler of a signal between two of its
# operations: one that comes just before select waits would be heard when select returns, never perhaps.
sub ending_of {
  my ($process) = @_;
  my $number = syscall($nr_pidfd_open, $process + 0, 0);
  return if $number < 0 || !open(my $handle, '<&=', $number);
  return $handle;
}

# reboot(2) in a pid namespace ends pid 1 by SIGHUP for a reboot, by SIGINT for the rest. Without the right to call it, systemd ends
# with 0 in both cases; then the message decides.
sub meaning {
  my ($end, $wants_reboot) = @_;
  my $signal = $end & 127;
  return $REBOOT if $signal == 1 || ($end == 0 && $wants_reboot);
  return 0 if $signal == 2;
  return $signal ? 128 + $signal : $end >> 8;
}

sub is_readable {
  my ($handle) = @_;
  my $wanted = '';
  vec($wanted, fileno $handle, 1) = 1;
  return select($wanted, undef, undef, 0) > 0;
}

# Written by the guest: bounded.
sub copy_console {
  my $length = sysread $console, my $text, 65536;
  return unless $length;
  if ($logged + $length > $MAX_LOG_BYTES) {
    rename 'console.log', 'console.log.1';
    open_log();
  }
  $logged += $length;
  syswrite $log, $text;
}

# Any process of the guest's root can send one, about its own guest alone.
sub hear {
  my ($socket) = @_;
  my $text = '';
  defined recv($socket, $text, $MAX_MESSAGE_BYTES, $MSG_DONTWAIT) or return '';
  return $text;
}
