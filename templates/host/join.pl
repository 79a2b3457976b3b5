#!/usr/bin/perl
# A session of `run` or `enter` without Node, which takes longer to start than most commands run, and more memory than
# the rest of a session.
#
# usage: join.pl VERB ARGUMENT...
#
# It follows a plan; src/sandbox/join-plan.ts writes plans and describes their fields. A plain session, `run NAME [--]
# COMMAND...` or `enter NAME`, of a running environment has a plan in its run/join, which is valid while its conditions hold:
# the build of envs, the settings, the process to join. Otherwise envs.js makes a plan, with the same arguments: it starts a
# stopped environment, and prints errors of the command line. If the plan fails, this program executes envs.js, which tries
# again by itself and prints the error. The command has not run by then.
#
# This process stays on the host, passes signals on and waits, as envs.js does. Its child reads the plan (join/plan.pl) and becomes
# session.pl, which joins, and whose command is in a session of its own: no signal of the caller's terminal reaches it but by this
# process. The fork comes first and this file has little in it, because each process of a session keeps what it has compiled.
# Plain Perl without modules: loading warnings alone takes as long as all the rest. "use v5.12" turns strict on without reading strict.pm.
use v5.12;

BEGIN { $^F = 2 }    # every descriptor above standard error is closed at exec

my ($EINTR, $SIGKILL, $F_SETFD, $AF_UNIX, $SOCK_STREAM) = (4, 9, 2, 1, 1);
# Programs that join/notes.pl explains even if they succeed.
my $STARTS_SERVICE = qr{^(?:.*/)?service\z|^/etc/init\.d/}s;
our %is_run = map { $_ => 1 } qw(run exec);
our %is_enter = map { $_ => 1 } qw(enter login shell sh);
my @PASSED_ON = qw(HUP INT QUIT TERM USR1 USR2 CONT WINCH);
# All that a caller can ignore, of any processor, but the real-time ones.
my @SIGNALS = (@PASSED_ON, qw(TSTP CHLD PIPE ALRM TTIN TTOU ILL TRAP ABRT BUS FPE SEGV STKFLT URG XCPU XFSZ VTALRM PROF IO PWR SYS));

delete $ENV{PERL_SKIP_LOCALE_INIT};
our @typed = @ARGV;
# Signals that the caller ignores, as nohup(1) does, stay ignored here, and reach no process of envs.
our @ignored = grep { ($SIG{$_} // '') eq 'IGNORE' } @PASSED_ON, 'TSTP';
my %is_ignored = map { $_ => 1 } @ignored;
our ($package) = $0 =~ m{^(.*)/templates/host/[^/]*$} or die "envs: join.pl is not in its place\n";
$SIG{CHLD} = 'DEFAULT';    # ignored, it would take the end of a child away
# Of program.pl, which wants to know of the start of the command, and of this process's end.
our $report = adopt_report(delete $ENV{ENVS_START_REPORT});
our $is_session = $is_run{$typed[0] // ''} || $is_enter{$typed[0] // ''};
go_by_node() unless $is_session;    # bin/envs sends it, because signals are ignored or limits are low
join_session();
join_session(asked_plan());

# The way by Node, which is the rarer one: join/by-node.pl. Ends this program.
sub go_by_node {
  require "$package/templates/host/join/by-node.pl";
  run_node();
}

# Where no process can be made.
sub by_node_alone {
  require "$package/templates/host/join/by-node.pl";
  become_node();
}

sub asked_plan {
  require "$package/templates/host/join/by-node.pl";
  return plan_of_node();
}

# Child processes get it only where they are to report.
sub adopt_report {
  my ($number) = @_;
  return unless ($number // '') =~ /^[0-9]{1,6}\z/ && open(my $handle, '>&=', $number);
  fcntl($handle, $F_SETFD, 1);
  return $handle;
}

# Runs the session in a child, by the stored plan if none is given. Returns if there is no valid one.
sub join_session {
  my ($plan) = @_;
  pipe(my $status, my $status_end) or go_by_node();
  my $terminal = remember_terminal();
  my ($from_session, $to_relay);
  if ($terminal) {
    socketpair($from_session, $to_relay, $AF_UNIX, $SOCK_STREAM, 0) or go_by_node();
    # Both processes need it.
    require "$package/templates/host/session/caller-terminal.pl";
  }
  my $waiting = $$;
  my $child = fork_receiver();
  if ($child == 0) {
    close $_ for $status, $from_session // ();
    # Until it has a session of its own, session.pl ignores the same ones; the command does not.
    $SIG{$_} = 'DEFAULT' for grep { !$is_ignored{$_} && defined $SIG{$_} } @SIGNALS;
    require "$package/templates/host/join/plan.pl";
    $plan //= kept_plan();
    begin_session($plan, $status_end, $waiting, $to_relay) if $plan;
    exit 0;
  }
  close $_ for $status_end, $to_relay // ();
  # While the session starts.
  require "$package/templates/host/session/relay.pl" if $terminal;
  my ($name, $anchor, $nr_recvmsg, $kind, $told) = read_to_end($status) =~ /^(\S+) ([0-9]+) ([0-9]+) (\w+)\n(.*)\z/s;
  my $has_started = ($told // '') eq "started\n";
  syswrite $report, $told if $report && $has_started;
  relay_here($from_session, $child, $kind, $nr_recvmsg) if $terminal && $has_started;
  # The session waits for that.
  close $from_session if $terminal;
  my $ended = wait_for($child);
  # session.pl was killed, and possibly before it was ready for the relay.
  my $signal = $? & 127;
  ioctl($terminal->{stream}, $terminal->{set}, $terminal->{attributes}) if $terminal && $signal;
  # Without that word, the command has not run. An early interruption was meant for both.
  if (!$has_started && (!$signal || $signal == $SIGKILL)) {
    return unless defined $told || $plan;
    go_by_node();
  }
  if (-t STDERR && ($ended != 0 || ($terminal && $is_enter{$typed[0]}) || grep { $_ =~ $STARTS_SERVICE } @typed)) {
    require "$package/templates/host/join/notes.pl";
    note_after_session($plan, $name, $anchor, $ended, $terminal);
  }
  exit $ended;
}

# Records the state of the terminal, if one of the streams is one. See session/caller-terminal.pl for the numbers; those of other processors
# are unknown to a terminal.
sub remember_terminal {
  for my $stream (grep { -t $_ } \*STDIN, \*STDOUT, \*STDERR) {
    for ([0x5401, 0x5403], [0x402c7413, 0x802c7415]) {
      my ($get, $set) = @$_;
      my $attributes = "\0" x 64;
      return {stream => $stream, set => $set, attributes => $attributes} if ioctl($stream, $get, $attributes);
    }
  }
  return;
}

# Forks a child that gets the signals that src/sandbox/session.ts passes on, from its start on.
sub fork_receiver {
  my ($child, @early);
  my $pass_on = sub {
    if   ($child) { kill $_[0] => $child }
    else          { push @early, $_[0] }
  };
  $SIG{$_} = $pass_on for grep { !$is_ignored{$_} } @PASSED_ON;
  # A terminal as standard input stops no process by itself: the relay stops this process with the whole job.
  $SIG{TSTP} = sub { $pass_on->('TSTP'); stop_here($_[0]) }
    unless $is_ignored{TSTP} || -t STDIN;
  $child = fork() // by_node_alone();
  if ($child != 0) { kill $_ => $child for splice @early }
  return $child;
}

sub stop_here {
  my ($signal) = @_;
  my $handler = $SIG{$signal};
  $SIG{$signal} = 'DEFAULT';
  kill $signal => $$;
  $SIG{$signal} = $handler;
}

sub read_to_end {
  my ($from) = @_;
  my ($text, $got) = ('');
  do { $got = sysread($from, $text, 65536, length $text) } while $got || (!defined $got && $! == $EINTR);
  return $text;
}

# Waits for the child. Returns the status as a shell does.
sub wait_for {
  my ($child) = @_;
  waitpid $child, 0;
  my $end = $?;
  $SIG{$_} = 'DEFAULT' for grep { !$is_ignored{$_} } @PASSED_ON, 'TSTP';
  $? = $end;
  return $end & 127 ? 128 + ($end & 127) : $end >> 8;
}

