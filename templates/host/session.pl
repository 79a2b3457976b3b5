#!/usr/bin/perl
# Joins the namespaces of a running environment and runs one command of the guest there to its end.
#
# usage: session.pl ANCHOR PARENT NUMBERS [%] OPTION... -- [COMMAND ARGUMENT...]
#   ANCHOR   process id of the environment's pid 1 on the host
#   PARENT   process id of the waiting envs process; when it dies, the command gets SIGHUP
#   NUMBERS  system call numbers of prctl, setns, unshare, setsid, mount, wait4, sendmsg and recvmsg on this processor, then "power" if
#            its terminals have POWER's numbers, else "generic"; more may be the descriptors below, and a socket to PARENT, if that relays
#   options  -u USER  -w FOLDER  -e NAME=VALUE  -v SOURCE TARGET ro|rw  -l KIND VALUE, a limit: session/limits.pl
#            -i mapped|emulated  the identity of the environment  -d FOLDER  the folder in place of USER's home, if it is there
#            -k NUMBERS  of the capabilities that the command can have   -r  with read-only files (session/narrow.pl)   -n none  without a network
#            -g GROUP  for the command, below the guest's /sys/fs/cgroup  -z FOLDER  of the host: a group in which all of the guest is
#   %        all words after it are percent-encoded: Node can pass no bytes that are not UTF-8
#   Without COMMAND: USER's login shell.
# Inherited: 3 status pipe, 4 lock file, 5 FIFO that keeps the anchor, 6 classic BPF program (may be empty).
#
# The status pipe gets the line "started" right before COMMAND is executed, and "failed STAGE ERRNO" if it can't run.
# Without either, this process or the environment ended before: the command has not run.
# Exits with the command's status, 128+n for signal n, 127 or 126 if it can't be executed.
#
# This process stays in the host's pid namespace, where the guest can't see or signal it, and leads a new session, in which
# the command has a process group: so the command shares neither session, process group nor terminal with the caller.
# Standard streams on a terminal become a terminal of the guest (session/terminal.pl). Regular files are passed without
# further rights (session/streams.pl). Other streams are passed unchanged. Volumes: session/volumes.pl. GROUP: session/groups.pl.
#
# Plain Perl without modules, as join.pl. See setns(2), user_namespaces(7), ioctl_ns(2), seccomp(2), open_tree(2), mount_setattr(2),
# move_mount(2), setsid(2), and prctl(2) for PR_SET_PDEATHSIG.
use v5.12;

my ($SIGHUP, $SIGKILL) = (1, 9);
my ($ENOENT, $EINTR, $EISDIR, $EINVAL, $EROFS, $ENOSYS) = (2, 4, 21, 22, 30, 38);
my ($LOCK_SH, $LOCK_NB, $LOCK_UN) = (1, 4, 8);
my ($PR_SET_PDEATHSIG, $PR_SET_DUMPABLE, $PR_SET_SECCOMP, $SECCOMP_MODE_FILTER) = (1, 4, 22, 2);
my ($CLONE_NEWNS, $CLONE_NEWUSER) = (0x00020000, 0x10000000);
my %namespace_type = (user => $CLONE_NEWUSER, pid => 0x20000000, mnt => $CLONE_NEWNS, uts => 0x04000000, ipc => 0x08000000,
  net => 0x40000000, cgroup => 0x02000000);
my $AT_FDCWD = -100;
my ($MOUNT_ATTR_NOSUID, $MS_NODEV, $MS_REMOUNT, $MS_BIND) = (2, 4, 0x20, 0x1000);
# The same numbers everywhere: new calls share asm-generic/unistd.h since Linux 5.1.
my ($nr_mount_setattr, $O_PATH) = (442, 010000000);
my $F_GETFL = 3;
my ($WNOHANG, $WUNTRACED) = (1, 2);
# For bash, which alone reads it; src/features/notes.ts writes the file. Set here, because only a terminal shows the notes.
my $EXPLAIN_COMMANDS = '{ . /run/envs/notes.bash "$?"; } 2>/dev/null';
# Time for a command to end after a hang-up without a waiting process, and tries of the gate before a message about it.
my ($HANGUP_GRACE_SECONDS, $SILENT_TRIES) = (2, 40);
my @STREAM_NAMES = qw(stdin stdout stderr);

BEGIN { $^F = 2 }    # every descriptor above standard error is closed at exec: the guest gets none of ours

my ($anchor, $parent, $numbers, @rest) = @ARGV;
my ($nr_prctl, $nr_setns, $nr_unshare, $nr_setsid, $nr_mount, $nr_wait4, $nr_sendmsg, undef, $terminal_kind, @descriptors) =
  split /,/, $numbers;
@descriptors = 3 .. 6 unless @descriptors;
my ($status, $lock, $hold, $filter_pipe, $relay) = map { adopt($_) } @descriptors;
my %option = (user => 'root', folder => undef, group => undef, freezer => undef, environment => [], volumes => [], identity => 'emulated');
# For the keeper; see keeper.sh.
syswrite $hold, "\n";
read_options();
close_strays();
# The guest's /proc, which this process sees later, does not show it.
opendir(my $own_files, '/proc/self') or give_up('descriptors');

# Taken on the open file description that the parent shares: it lasts until both have ended.
flock($lock, $LOCK_SH | $LOCK_NB) or give_up('lock');
my $filter = do { local $/; binmode $filter_pipe; <$filter_pipe> } // '';
close $filter_pipe;

my @kinds = map { kind_of_stream($_) } 0 .. 2;
my ($part_folder) = $0 =~ m{^(.*)/};
require "$part_folder/session/account.pl";
require "$part_folder/session/single-id.pl" if $option{identity} ne 'mapped' && $option{user} ne 'root';
require "$part_folder/session/network.pl" if defined $option{network};
require "$part_folder/session/volumes.pl" if @{$option{volumes}};
require "$part_folder/session/narrow.pl" if defined $option{capabilities} || $option{read_only};
require "$part_folder/session/$_.pl" for defined $option{group} ? 'groups' : (), $option{limits} ? 'limits' : ();
require "$part_folder/session/streams.pl" if grep { $_ eq 'file' } @kinds;
my $terminal;
if (grep { $_ eq 'terminal' } @kinds) {
  require "$part_folder/session/$_.pl" for 'caller-terminal', 'terminal', $relay ? () : 'relay';
  $terminal = find_terminal($terminal_kind, map { $_ eq 'terminal' } @kinds) // give_up('terminal');
}

my %handle = map { $_ => open_namespace($_) } qw(user pid mnt uts ipc net), defined $option{group} ? 'cgroup' : ();
is_same($handle{mnt}, '/proc/self/ns/mnt') and give_up('anchor');    # of a process that is still the host's
my $group = $option{limits} ? read_limits($option{limits}) : undef;
$group = find_group($option{group}, $anchor) if defined $option{group};
my $freezer = defined $option{freezer} ? find_freezer($option{freezer}) : undef;
# Mounts and other namespaces belong to a user namespace above the guest's, so that its root can't change them; if the
# host forbids a second one, to the guest's. An ordinary user must join that namespace first to get the rights to join
# the others; for the host's root they belong to the host.
my $owner = owner_of($handle{mnt});
my $is_own = is_same($owner, '/proc/self/ns/user');
join_namespace('user', $owner) unless $is_own;
my $has_own_mounts = 0;
my @mounts = map { clone_mount(@$_) } @{$option{volumes}};
my @streams = map { $kinds[$_] eq 'file' ? open_file_stream($_) : undef } 0 .. 2;
# A process that copies files of the guest holds this lock exclusively: no new process may write meanwhile. Released
# below explicitly, because the parent shares the description, and when this process ends early.
pass_gate();
thaw_leftover($freezer) if $freezer;
# Most environments have the host's network, which an ordinary user can't join.
my @networks = is_same($handle{net}, '/proc/self/ns/net') ? () : 'net';
my @groups = defined $option{group} && !is_same($handle{cgroup}, '/proc/self/ns/cgroup') ? 'cgroup' : ();
join_namespace($_, $handle{$_}) for qw(mnt uts ipc), @networks;
open_group($group) if $group;
join_namespace($_, $handle{$_}) for @groups;
delete @handle{qw(mnt uts ipc net cgroup)};
leave_network($nr_unshare) if defined $option{network};
allow_setuid() unless $is_own;
lay_writable_folders($nr_unshare, $nr_mount, is_same($owner, $handle{user})) if $option{read_only};
attach_mounts($nr_unshare, @mounts) if @mounts;
make_root_read_only($nr_mount) if $option{read_only};

my ($child, @early);
open_guest_terminal($terminal) if $terminal;
# These stay in the host's pid namespace, as this process does: the guest can't see them.
for my $stream (grep { $_ && $_->{feeds} } @streams) {
  fork_helper(\&feed_pipe, $stream) // give_up('fork');
  # The command sees the end of the file once the other process has ended.
  close $stream->{far_end};
}
if    ($terminal && $relay) { hand_over_master($terminal, $relay, $nr_sendmsg) }
elsif ($terminal)           { start_relay($terminal, $parent) }
# A session without the caller's terminal: /dev/tty is the guest's, or missing.
syscall($nr_setsid) >= 0 or give_up('setsid');
take_terminal($terminal) if $terminal;
# For child processes from here on: this process stays invisible to the guest.
join_namespace('pid', $handle{pid});
join_namespace('user', $handle{user}) unless is_same($owner, $handle{user});
my %account = find_account($option{user});
my $is_mapped = $option{identity} eq 'mapped';
become_by_map($nr_unshare, $own_files, %account) unless $is_mapped || $option{user} eq 'root';
closedir $own_files;

# After joining the last user namespace: a change of credentials clears it.
syscall($nr_prctl, $PR_SET_PDEATHSIG, $SIGHUP, 0, 0, 0) == 0 or give_up('parent-death');
getppid() == $parent or give_up('parent-gone');

# Handlers, not "ignore": the command must start with the default actions, and waitpid must continue. Set before the
# command exists, because a signal may come as soon as it runs; earlier ones are kept for it.
$SIG{$_} = forward($_) for qw(INT QUIT TERM USR1 USR2 TSTP CONT WINCH);
$SIG{HUP} = sub {
  pass_on('HUP');
  pass_on('CONT');
  return if getppid() == $parent;
  alarm $HANGUP_GRACE_SECONDS;
  parent_was_killed($terminal) if $terminal;
};
$SIG{ALRM} = sub { pass_on('KILL') };
# Until the command is executed: otherwise a process of the guest could open the child's /proc/PID/exe, a file of the
# host, for writing, if the user owns it. See prctl(2), and proc(5) on the rights to inspect a process.
hide_program(1);
pipe(my $is_executed, my $executes) or give_up('fork');
expect_move($group) if $group;
$child = fork() // give_up('fork');
run_command() if $child == 0;
# Here too, because a signal may be passed on before the child does it.
setpgrp($child, $child);
move_to_group($group, $child, $terminal) if $group;
pass_on($_) for splice @early;
hide_program(0);
close $executes;
# Freezing the guest does not see hidden processes. From here on it stops the command too.
wait_for_end($is_executed);
flock($hold, $LOCK_UN);

close $status;
begin_carrying($child) if grep { $_ && $_->{carries} } @streams;
show_command($terminal) if $terminal && !$terminal->{is_shared};
begin_limits(sub { getppid() != $parent }) if $option{limits};
my $end = wait_for_command();
finish_relay($terminal) if $terminal;
my @failures = map { $_ ? finish_stream($_) : () } @streams;
# Signals after the command's end have no receiver.
$end = 125 << 8 if $end == 0 && @failures;
$end = end_limits($end) if $option{limits};
exit($end & 127 ? 128 + ($end & 127) : $end >> 8);

sub adopt {
  my ($number) = @_;
  open(my $handle, '+<&=', $number) or die "envs: descriptor $number is missing\n";
  return $handle;
}

sub give_up {
  my ($stage) = @_;
  syswrite $status, sprintf("failed %s %d\n", $stage, $!);
  exit 125;
}

sub forward {
  my ($name) = @_;
  return sub { pass_on($name) };
}

# To the command's process group, as a terminal and sudo(8) do, so that its foreground children get it too.
sub pass_on {
  my ($name) = @_;
  if   ($child) { kill "-$name" => $child }
  else          { push @early, $name }
}

sub read_options {
  if (@rest && $rest[0] eq '%') {
    shift @rest;
    s/%([0-9a-f]{2})/chr hex $1/ge for @rest;
  }
  while (defined(my $flag = shift @rest)) {
    if    ($flag eq '--') { return }
    elsif ($flag eq '-u') { $option{user} = shift @rest }
    elsif ($flag eq '-w') { $option{folder} = shift @rest }
    elsif ($flag eq '-d') { $option{usual_folder} = shift @rest }
    elsif ($flag eq '-i') { $option{identity} = shift @rest }
    elsif ($flag eq '-g') { $option{group} = shift @rest }
    elsif ($flag eq '-k') { $option{capabilities} = shift @rest }
    elsif ($flag eq '-r') { $option{read_only} = 1 }
    elsif ($flag eq '-z') { $option{freezer} = shift @rest }
    elsif ($flag eq '-n') { $option{network} = shift @rest }
    elsif ($flag eq '-e') { push @{$option{environment}}, shift @rest }
    elsif ($flag eq '-l') { my ($kind, $value) = splice @rest, 0, 2; $option{limits}{$kind} = $value }
    elsif ($flag eq '-v') { push @{$option{volumes}}, [splice @rest, 0, 3] }
    else                  { $! = $EINVAL; give_up('option') }
  }
}

# Descriptors left open by the caller's shell would lead out of the guest: a folder's descriptor leads to the host.
sub close_strays {
  opendir(my $folder, '/proc/self/fd') or give_up('descriptors');
  my @numbers = grep { /^\d+$/ && $_ > 2 } readdir $folder;
  closedir $folder;
  my %is_ours = map { $_ => 1 } @descriptors;
  for my $number (grep { !$is_ours{$_} } @numbers) {
    open(my $stray, '<&=', $number) or next;
    close $stray;
  }
}

sub standard_stream { return (\*STDIN, \*STDOUT, \*STDERR)[$_[0]] }

# A folder leads to the whole host, regardless of its open mode.
sub kind_of_stream {
  my ($number) = @_;
  my $stream = standard_stream($number);
  my $flags = fcntl($stream, $F_GETFL, 0) // give_up($STREAM_NAMES[$number]);
  if ($flags & $O_PATH || -d $stream) { $! = $EISDIR; give_up($STREAM_NAMES[$number]) }
  return -f _ ? 'file' : -t $stream ? 'terminal' : 'other';
}

sub open_namespace {
  my ($kind) = @_;
  open(my $file, '<', "/proc/$anchor/ns/$kind") or give_up('anchor');
  return $file;
}

# See ioctl_ns(2); _IO(0xb7, 1), which POWER numbers differently.
sub owner_of {
  my ($namespace) = @_;
  my $number = ioctl($namespace, $terminal_kind eq 'power' ? 0x2000b701 : 0xb701, 0) // give_up('join-user');
  open(my $handle, '<&=', $number) or give_up('join-user');
  return $handle;
}

sub is_same {
  my ($one, $other) = map { [stat $_] } @_;
  return $one->[0] == $other->[0] && $one->[1] == $other->[1];
}

sub join_namespace {
  my ($kind, $file) = @_;
  syscall($nr_setns, fileno($file), $namespace_type{$kind}) == 0 or give_up("join-$kind");
}

# bubblewrap mounts everything nosuid, but sudo and su must work. A failure is no error: mounts that are nosuid on the
# host stay so. Skipped for the host's root, whose guest can't change its mounts.
sub allow_setuid {
  my ($root, $attributes) = ('/', pack('Q4', 0, $MOUNT_ATTR_NOSUID, 0, 0));
  return if syscall($nr_mount_setattr, $AT_FDCWD, $root, 0, $attributes, length $attributes) == 0 || $! != $ENOSYS;
  # Linux before 5.12 changes all attributes of a mount at once: a read-only one stays as it is.
  return if !chmod((stat $root)[2] & 07777, $root) && $! == $EROFS;
  syscall($nr_mount, 0, $root, 0, $MS_REMOUNT | $MS_BIND | $MS_NODEV, 0);
}

# This process may clone a mount only from a copy of the host's mount namespace that belongs to the user namespace
# just joined.
sub copy_host_mounts {
  $has_own_mounts ||= syscall($nr_unshare, $CLONE_NEWNS) == 0;
  return $has_own_mounts;
}

# A large copy takes time.
sub pass_gate {
  for (1 .. $SILENT_TRIES) {
    return if flock($hold, $LOCK_SH | $LOCK_NB);
    select undef, undef, undef, 0.05;
  }
  print STDERR "envs: what this environment has written is being copied; the session begins when that is done.\n";
  flock($hold, $LOCK_SH) or give_up('gate');
}

# Forks a process next to the session that holds no resource for which others wait; undef at a limit.
sub fork_helper {
  my ($work, $own, @arguments) = @_;
  my $pid = fork();
  return $pid if !defined $pid || $pid != 0;
  my @others = grep { $_ && $_ != $own } $terminal, @streams;
  close $_ for $status, $lock, $hold, $owner, $relay // (), values %handle, grep { ref eq 'GLOB' } map { values %$_ } @others;
  closedir $own_files;
  $work->($own, @arguments);
  exit 0;
}

# Waits until the command, not its background processes, has ended. Returns its status as wait(2) does.
sub wait_for_command {
  my $carries = grep { $_ && $_->{carries} } @streams;
  while (1) {
    # Not waitpid, which does not report stopped processes.
    my ($buffer, $most) = (pack('i', 0), -1);
    my $pid = syscall($nr_wait4, $most, $buffer, $carries ? $WUNTRACED | $WNOHANG : $WUNTRACED, 0);
    if ($pid == 0) { carry_until_signal(); next }
    next if $pid < 0 && $! == $EINTR;
    return 0 if $pid < 0;
    my $status = unpack 'i', $buffer;
    my $has_ended = ($status & 0xff) != 0x7f;
    return $status if $pid == $child && $has_ended;
    next unless $terminal;
    command_was_stopped($terminal, $child, $status >> 8) if $pid == $child;
    relay_was_killed($terminal) if $pid == ($terminal->{relay} // 0) && $has_ended;
  }
}

sub run_command {
  $SIG{$_} = 'DEFAULT' for qw(INT QUIT TERM USR1 USR2 TSTP CONT HUP ALRM WINCH);
  setpgrp(0, 0);
  bring_to_foreground($terminal, $$) if $terminal && !$terminal->{is_shared};
  umask 022;
  enter_group($group, $terminal) if $group;
  apply_limits() if $option{limits};
  # The holder may have counted processes just before this one existed: it would end this one with all others.
  -s '/dev/.envs-leaving' and give_up('leaving');
  drop_capabilities($nr_prctl, $option{capabilities}) if defined $option{capabilities};
  if ($is_mapped) { give_streams(%account); load_filter() if length $filter; become(%account) }
  elsif (length $filter) { load_filter() }
  syscall($nr_prctl, $PR_SET_PDEATHSIG, $SIGKILL, 0, 0, 0) == 0 or give_up('parent-death');

  %ENV = (HOME => $account{home}, USER => $account{name}, LOGNAME => $account{name}, SHELL => $account{shell});
  $ENV{PROMPT_COMMAND} = $EXPLAIN_COMMANDS if $terminal && (!@rest || $rest[0] =~ m{^(?:/usr)?(?:/bin/)?bash\z});
  for (@{$option{environment}}) { my ($name, $value) = split /=/, $_, 2; $ENV{$name} = $value }
  enter_folder($account{home});
  my @command = @rest ? @rest : ($account{shell}, '-l');
  lay_streams();
  syswrite $status, "started\n";
  exec { $command[0] } @command or cannot_execute();
}

# Gives the streams to the user, so that /dev/stdout and similar files can be opened.
sub give_streams {
  my (%account) = @_;
  return if $account{uid} == 0;
  chown $account{uid}, -1, $terminal->{slave} if $terminal;
  chown $account{uid}, -1, $_->{handle} for grep { $_ && $_->{pipe} } @streams;
}

sub lay_streams {
  for my $number (0 .. 2) {
    my $from = $kinds[$number] eq 'terminal' ? $terminal->{slave} : $streams[$number] ? $streams[$number]{handle} : next;
    open(standard_stream($number), $number == 0 ? '<&' : '>&', $from) or give_up($STREAM_NAMES[$number]);
  }
}

sub cannot_execute {
  my $code = $! == $ENOENT ? 127 : 126;
  syswrite $status, sprintf("failed exec %d\n", $!);
  exit $code;
}

sub hide_program {
  my ($is_hidden) = @_;
  syscall($nr_prctl, $PR_SET_DUMPABLE, $is_hidden ? 0 : 1, 0, 0, 0);
}

# Signals interrupt the wait.
sub wait_for_end {
  my ($pipe) = @_;
  my $got;
  do { $got = sysread($pipe, my $nothing, 1) } until defined $got || $! != $EINTR;
}

sub enter_folder {
  my ($home) = @_;
  if (defined $option{folder}) { chdir $option{folder} or give_up('workdir') }
  elsif (!defined $option{usual_folder} || !chdir $option{usual_folder}) { chdir $ENV{HOME} // $home or chdir '/' or give_up('workdir') }
}

# No "no new privileges": this process has CAP_SYS_ADMIN in its user namespace, and sudo must work.
sub load_filter {
  my $program = pack('Sx![L!]P', length($filter) / 8, $filter);
  syscall($nr_prctl, $PR_SET_SECCOMP, $SECCOMP_MODE_FILTER, $program) == 0 or give_up('filter');
}
