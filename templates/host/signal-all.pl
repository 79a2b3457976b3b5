#!/usr/bin/perl
# Sends signals to all processes of a running environment, or freezes them until the end of its input.
#
# usage: signal-all.pl ANCHOR NUMBERS WORD...
#        signal-all.pl ANCHOR NUMBERS freeze [GROUP]
#   ANCHOR   process id of the environment's pid 1 on the host
#   NUMBERS  system call numbers of prctl, setns and wait4 on this processor, then "power" if ioctl has POWER's numbers, else
#            "generic", separated by commas
#   WORD     NAME of a signal for all, or NAME:PID for one of them, with its id in the guest; sent in that order, and CONT to
#            all after that
#   GROUP    a control group, a folder of the host, in which all processes of the environment are
#
# With "freeze" it executes the lines of its input, and answers each by one line:
#   which ID...   "are PID...": the host's ids for these ids of the guest, 0 for a missing one
#   hold ID...    "held", or "failed": STOP to these, which were not stopped before
#   stop ID...    "stopped", or "failed": STOP to all; those named were stopped before, and stay stopped
#   group         "stopped", or "failed": freezes GROUP, with pid 1; until the end of input
#   resume ID...  no answer: the processes to resume at the end, in this order; the last such line counts
# At the end of input, which also comes when the caller is killed, it resumes those of "resume", one by one; without that
# line, all but those of "stop"; without that line too, those of "hold". Exits with 1 if it could do nothing.
#
# This process is in the host's pid namespace, where the guest can't see it. Only a signal from within reaches all processes
# at once, so a child enters for that moment. The child is hidden: otherwise the guest's root could reach the host's files by its
# /proc/PID/root, and open this program by /proc/PID/exe. If the guest's root stops or kills the child, another one is sent.
#
# Plain Perl without modules, as session.pl. See kill(2) for -1, setns(2), prctl(2) and proc(5) for PR_SET_DUMPABLE.
use v5.12;
use warnings;

my ($PR_SET_DUMPABLE, $CLONE_NEWUSER, $CLONE_NEWPID) = (4, 0x10000000, 0x20000000);
my ($F_SETOWN, $F_GETOWN, $WUNTRACED) = (8, 9, 2);
my $MOST_CHILDREN = 100;
# Five seconds.
my ($MOST_LOOKS, $LOOK_SECONDS) = (2500, 0.002);

BEGIN { $^F = 2 }    # nothing but standard streams is inherited by anyone

my ($anchor, $numbers, @words) = @ARGV;
my ($nr_prctl, $nr_setns, $nr_wait4, $kind) = split /,/, $numbers;

# The process that resumes the others must survive.
$SIG{$_} = 'IGNORE' for qw(HUP INT QUIT TERM PIPE);
my ($user, $pid) = map { open_namespace($_) } qw(user pid);
my ($freezes, $events);
if ($words[0] eq 'freeze' && defined $words[1]) {
  my $group = pop @words;
  open($freezes, '+<', "$group/cgroup.freeze") && open($events, '<', "$group/cgroup.events") or exit 1;
}
# If there is a second user namespace, the pid namespace belongs to the one above the guest's. An ordinary user must
# join that one first to get the right; for the host's root it belongs to the host, and root loses its rights in the
# guest's.
require $0 =~ s{[^/]*\z}{user-namespaces.pl}r;
my $owner = owner_of($pid, $kind);
my $is_own = is_same($owner, '/proc/self/ns/user');
$is_own or join_namespace($owner, $CLONE_NEWUSER) or exit 1;
join_namespace($pid, $CLONE_NEWPID) or exit 1;
!$is_own or join_namespace($user, $CLONE_NEWUSER) or exit 1;
syscall($nr_prctl, $PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 or exit 1;

exit(("@words" eq 'freeze' ? freeze() : send_words()) ? 0 : 1);

sub open_namespace {
  my ($kind) = @_;
  open(my $file, '<', "/proc/$anchor/ns/$kind") or exit 1;
  return $file;
}

sub join_namespace {
  my ($file, $type) = @_;
  return syscall($nr_setns, fileno $file, $type) == 0;
}

sub send_words {
  return from_within(sub {
    for (@words) {
      my ($name, $id) = split /:/;
      kill $name => $id // -1;
    }
    kill CONT => -1;
  });
}

sub freeze {
  my ($is_stopped, @held, %ids) = (1);
  while (my $line = <STDIN>) {
    # A killed caller leaves an incomplete line.
    last if $line !~ /\n\z/;
    my ($word, @ids) = split ' ', $line;
    $ids{$word} = \@ids;
    if ($word eq 'which') { answer('are', map { host_id($_) } @ids) }
    if ($word eq 'hold') {
      push @held, @ids;
      answer(from_within(sub { kill STOP => $_ for @ids }) ? 'held' : 'failed');
    }
    if ($word eq 'group') { answer(freeze_group() ? 'stopped' : 'failed') }
    if ($word eq 'stop') {
      $is_stopped = from_within(sub { kill STOP => -1 });
      answer($is_stopped ? 'stopped' : 'failed');
    }
  }
  write_freezer(0) if $freezes;
  return 1 if $ids{group} && !$ids{stop};
  return from_within(sub { kill CONT => $_ for reverse @held }) unless $ids{stop};
  my ($order, $kept) = @ids{qw(resume stop)};
  return from_within(sub { $order ? map({ kill CONT => $_ } @$order) : resume_all_but(@$kept) }) && $is_stopped;
}

# A process that waits in the kernel is not frozen before that ends.
sub freeze_group {
  return 0 unless write_freezer(1);
  for (1 .. $MOST_LOOKS) {
    sysseek $events, 0, 0;
    sysread $events, my $text, 4096;
    return 1 if ($text // '') =~ /^frozen 1$/m;
    select undef, undef, undef, $LOOK_SECONDS;
  }
  write_freezer(0);
  return 0;
}

sub write_freezer {
  my ($value) = @_;
  sysseek $freezes, 0, 0;
  return defined syswrite $freezes, $value;
}

sub answer { syswrite STDOUT, "@_\n" }

# The owner of a shared descriptor is set with an id of the guest, and returned as the host's. See fcntl(2) for
# F_SETOWN.
sub host_id {
  my ($id) = @_;
  pipe(my $shared, my $unused) or return 0;
  from_within(sub { fcntl $shared, $F_SETOWN, $id + 0 });
  return (fcntl($shared, $F_GETOWN, 0) || 0) + 0;
}

# Every possible id, because the existing ones are unknown: children before their parents, which usually have lower
# ones. The ids below this process's own come first; higher ones exist only if the kernel has restarted at the lowest.
sub resume_all_but {
  my %is_kept = map { $_ => 1 } @_;
  open(my $file, '<', '/proc/sys/kernel/pid_max') or return kill CONT => -1;
  my $end = <$file>;
  for my $range ([2, $$], [$$ + 1, $end - 1]) {
    for (my $id = $range->[1]; $id >= $range->[0]; $id--) { kill CONT => $id unless $is_kept{$id} }
  }
}

# After the end of pid 1 there is no receiver, and no process can be made there.
sub from_within {
  my ($work) = @_;
  for (1 .. $MOST_CHILDREN) {
    my $child = fork();
    if (!defined $child) {
      # The guest is at its limit of processes: one must end first.
      select undef, undef, undef, 0.01;
      next;
    }
    if ($child == 0) {
      $work->();
      exit 0;
    }
    return 1 if has_ended($child);
  }
  return 0;
}

sub has_ended {
  my ($child) = @_;
  for (1 .. $MOST_CHILDREN) {
    # Not waitpid, which does not report stopped processes.
    my $status = pack 'i', 0;
    next if syscall($nr_wait4, $child, $status, $WUNTRACED, 0) < 0;
    $status = unpack 'i', $status;
    return $status == 0 if ($status & 0xff) != 0x7f;
    kill CONT => $child;
  }
  kill KILL => $child;
  waitpid $child, 0;
  return 0;
}
