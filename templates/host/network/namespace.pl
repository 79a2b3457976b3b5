# The network of an environment, for the programs of the host that serve it: network.pl, publish.pl and proxy.pl.
#
# A socket stays in the network in which it was made. A network belongs to a user namespace, above the guest's where there are two: a
# process of the user that joins that namespace first has all rights over the network, and the guest's root has none.
# See setns(2), ioctl_ns(2), network_namespaces(7), pidfd_open(2).
use v5.12;
use warnings;

my ($CLONE_NEWUSER, $CLONE_NEWNET) = (0x10000000, 0x40000000);
my $PR_SET_DUMPABLE = 4;
# The same numbers on every processor; Linux 5.3 and 5.6.
my ($NR_PIDFD_OPEN, $NR_PIDFD_GETFD) = (434, 438);

# Returns the network of a process with its owner. NUMBERS: system calls setns, prctl and prlimit64, then "power" or "generic".
sub open_network {
  my ($pid, $numbers) = @_;
  my ($setns, $prctl, $prlimit, $kind) = split /,/, $numbers;
  open(my $net, '<', "/proc/$pid/ns/net") or give_up('anchor');
  # NS_GET_USERNS is _IO(0xb7, 1), which POWER numbers differently.
  my $number = ioctl($net, $kind eq 'power' ? 0x2000b701 : 0xb701, 0) // give_up('owner');
  open(my $owner, '<&=', $number) or give_up('owner');
  my ($theirs, $ours) = ((stat $owner)[1], (stat '/proc/self/ns/user')[1]);
  return {net => $net, owner => $owner, is_of_host => $theirs == $ours, setns => $setns, prctl => $prctl, prlimit => $prlimit};
}

sub enter_network {
  my ($network) = @_;
  unless ($network->{is_of_host}) {
    syscall($network->{setns}, fileno $network->{owner}, $CLONE_NEWUSER) == 0 or give_up('join-user');
  }
  syscall($network->{setns}, fileno $network->{net}, $CLONE_NEWNET) == 0 or give_up('join-net');
}

# Returns a handle that becomes readable when the first process of the environment ends; undef before Linux 5.3.
# STARTED: its start time, because its id may have a new owner.
sub watch_anchor {
  my ($pid, $started) = @_;
  my $number = syscall($NR_PIDFD_OPEN, $pid + 0, 0);
  is_anchor($pid, $started) or give_up('anchor');
  return if $number < 0;
  open(my $handle, '<&=', $number) or give_up('anchor');
  return $handle;
}

sub is_anchor {
  my ($pid, $started) = @_;
  open(my $file, '<', "/proc/$pid/stat") or return 0;
  my @fields = split / /, (<$file> // '') =~ s/^.*\) //sr;
  return ($fields[0] // 'X') !~ /[ZX]/ && ($fields[19] // '') eq $started;
}

# Calls WORK in a child process that has joined the network, and returns the words that the child fails with; '' without.
sub inside_network {
  my ($network, $work) = @_;
  pipe(my $from, my $to) or give_up('pipe');
  my $child = fork() // give_up('fork');
  if ($child == 0) {
    close $from;
    our $report = $to;
    enter_network($network);
    $work->();
    exit 0;
  }
  close $to;
  my $words = do { local $/; <$from> } // '';
  waitpid $child, 0;
  return $words ne '' ? $words : $? == 0 ? '' : "failed inside 0\n";
}

# Reports a failure to the command that waits, as session.pl does, and ends this process.
sub give_up {
  my ($stage, $text) = @_;
  our $report;
  my $line = sprintf("failed %s %d", $stage, $!);
  $line .= " $text" if defined $text && length $text;
  syswrite $report, "$line\n";
  exit 1;
}

# Returns the listener that MAKE makes in a network, in a process that stays in its own: a child leaves it by its number. See
# pidfd_getfd(2).
sub listener_inside {
  my ($network, $make) = @_;
  pipe(my $ready, my $is_ready) && pipe(my $hold, my $let_go) or give_up('pipe');
  my $child = fork() // give_up('fork');
  if ($child == 0) {
    close $_ for $ready, $let_go;
    enter_network($network);
    my $socket = $make->();
    # Joining a user namespace made this process one that others may not inspect.
    syscall($network->{prctl}, $PR_SET_DUMPABLE, 1, 0, 0, 0);
    syswrite $is_ready, fileno($socket) . "\n";
    sysread $hold, my $nothing, 1;
    exit 0;
  }
  close $_ for $is_ready, $hold;
  sysread($ready, my $number, 16) or exit 1;    # the child has reported why
  my $pidfd = syscall($NR_PIDFD_OPEN, $child, 0);
  my $fd = $pidfd < 0 ? -1 : syscall($NR_PIDFD_GETFD, $pidfd, $number + 0, 0);
  $fd >= 0 or give_up('listener');
  close $let_go;
  waitpid $child, 0;
  open(my $socket, '+<&=', $fd) or give_up('listener');
  return $socket;
}

# Returns the bytes of an address that envs has checked.
sub packed {
  my ($text) = @_;
  return pack 'C4', split /\./, $text unless $text =~ /:/;
  my ($head, $tail) = split /::/, $text, 2;
  my @head = split /:/, $head;
  my @tail = split /:/, $tail // '';
  return pack 'n8', map { hex } @head, (0) x (8 - @head - @tail), @tail;
}

1;
