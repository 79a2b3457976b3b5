# The relay between the caller's terminal and the one of the guest. Loaded by join.pl, which relays while it waits for the session; by
# session.pl, which forks a relay, where Node waits.
use v5.12;

my ($EINTR, $EAGAIN) = (4, 11);
my $MSG_CMSG_CLOEXEC = 0x40000000;
my $MOST_BYTES = 65536;
# More than the kernel buffers of written and unread bytes of a terminal.
my $MOST_HELD_BYTES = 4 * $MOST_BYTES;
# Interval at which a relay in the background checks whether its job is in the foreground: shells send no signal for
# that.
my $FOREGROUND_POLL_SECONDS = 0.25;
1;

# In the process that waits for the session. Returns when the command has ended or the session was killed.
sub relay_here {
  my ($socket, $session, $kind, $nr_recvmsg) = @_;
  my $master = receive_master($socket, $nr_recvmsg) // return;
  my $terminal = find_terminal($kind, map { -t $_ } *STDIN, *STDOUT, *STDERR) // return;
  @$terminal{qw(master from_session)} = ($master, $socket);
  relay($terminal, $session);
  restore_terminal($terminal);
}

# In a process of its own.
sub relay_beside {
  my ($terminal, $parent) = @_;
  my $session = getppid();
  close $terminal->{$_} for qw(slave to_relay);
  $SIG{$_} = 'IGNORE' for qw(INT QUIT TERM HUP USR1 USR2 PIPE);
  my $word = relay($terminal, $session);
  # A killed parent can't wait for this process; a living one restores the terminal itself, at once.
  restore_terminal($terminal) if $word eq 'ended' || !kill(0 => $parent);
}

# Receives what hand_over_master of terminal.pl sends.
sub receive_master {
  my ($socket, $nr_recvmsg) = @_;
  my ($byte, $control) = ("\0", "\0" x 64);
  # The kernel writes into these strings, which must share their memory with no others.
  substr($_, 0, 1) = "\0" for $byte, $control;
  my $bytes = pack 'P L!', $byte, 1;
  my $message = pack 'L! i x![L!] P L! P L! i x![L!]', 0, 0, $bytes, 1, $control, length $control, 0;
  my $got;
  do { $got = syscall($nr_recvmsg, fileno $socket, $message, $MSG_CMSG_CLOEXEC) } until $got >= 0 || $! != $EINTR;
  my ($length, undef, undef, $number) = unpack 'L! i3', $control;
  return unless $got == 1 && $length == length(pack 'L! i3');
  open(my $master, '+<&=', $number) or return;
  return $master;
}

# Returns the last word of the session, which is empty if it was killed.
sub relay {
  my ($terminal, $session) = @_;
  my ($has_new_size, $was_continued) = (0, 0);
  # The process that waits passes these on, too.
  my ($pass_on_size, $pass_on_continuing) = map { ref $SIG{$_} ? $SIG{$_} : sub { } } qw(WINCH CONT);
  $SIG{WINCH} = sub { $has_new_size = 1; $pass_on_size->('WINCH') };
  $SIG{CONT} = sub { $was_continued = 1; $pass_on_continuing->('CONT') };
  $SIG{TSTP} = sub { kill TSTP => $session };    # from outside: the command is stopped first, and then all
  my %flow = (to_terminal => '', to_guest => '', is_running => 0, is_raw => 0, is_open => 1);
  while (1) {
    if ($has_new_size) { $has_new_size = 0; copy_size($terminal) }
    if ($was_continued) { $was_continued = 0; $flow{is_raw} = 0; copy_size($terminal) if $flow{is_open} }
    my $is_waiting = !enter_raw($terminal, \%flow);
    my ($readable, $writable) = wait_for_streams($terminal, \%flow, $is_waiting) or next;
    if (vec($readable, fileno $terminal->{from_session}, 1)) {
      my $word = read_word($terminal->{from_session});
      if ($word eq 'run') { $flow{is_running} = 1; next }
      if ($word eq 'stopped') { stop_job($terminal, \%flow, $session); $was_continued = 1; next }
      drain($terminal, \%flow) if $word eq 'ended';
      return $word;
    }
    from_guest($terminal, \%flow) if $flow{is_open} && vec($readable, fileno $terminal->{master}, 1);
    from_terminal($terminal, \%flow) if vec($readable, fileno $terminal->{input}, 1);
    to_terminal($terminal, \%flow) if length $flow{to_terminal};
    to_guest($terminal, \%flow) if length $flow{to_guest};
  }
}

# Returns whether the caller's terminal can be read now.
sub enter_raw {
  my ($terminal, $flow) = @_;
  return 1 if $flow->{is_raw} || !$flow->{is_running};
  return 0 unless is_in_foreground($terminal);
  make_raw($terminal);
  return $flow->{is_raw} = 1;
}

# Polls only for sides with free buffers: a slow reader slows the writer down.
sub wait_for_streams {
  my ($terminal, $flow, $is_waiting) = @_;
  my ($readable, $writable) = ('', '');
  vec($readable, fileno $terminal->{from_session}, 1) = 1;
  if ($flow->{is_open}) {
    # Shows nothing before the caller's terminal has the right settings.
    my $is_shown = $flow->{is_running} || $terminal->{is_shared};
    vec($readable, fileno $terminal->{master}, 1) = 1 if $is_shown && !length $flow->{to_terminal};
    vec($writable, fileno $terminal->{master}, 1) = 1 if length $flow->{to_guest};
  }
  vec($readable, fileno $terminal->{input}, 1) = 1 if $flow->{is_raw} && !length $flow->{to_guest};
  vec($writable, fileno $terminal->{output}, 1) = 1 if length $flow->{to_terminal};
  my $found = select($readable, $writable, undef, $is_waiting ? $FOREGROUND_POLL_SECONDS : undef);
  return $found > 0 ? ($readable, $writable) : ();
}

# Returns an empty string at the end of the pipe. A line is written by one call, and never split.
sub read_word {
  my ($pipe) = @_;
  my $word = '';
  while (1) {
    my $got = sysread($pipe, my $letter, 1);
    if (!defined $got && $! == $EINTR) { next }
    if (!$got)             { return '' }
    if ($letter eq "\n") { return $word }
    $word .= $letter;
  }
}

sub can_come_back { return $! == $EINTR || $! == $EAGAIN }

# As much as there is: the kernel returns a page at a time.
sub from_guest {
  my ($terminal, $flow) = @_;
  while (length $flow->{to_terminal} < $MOST_BYTES) {
    my $got = sysread($terminal->{master}, $flow->{to_terminal}, $MOST_BYTES, length $flow->{to_terminal});
    return unless $got || (!defined $got && $! == $EINTR);
  }
}

sub from_terminal {
  my ($terminal, $flow) = @_;
  # The job was put into the background meanwhile: input belongs to the shell.
  unless (is_in_foreground($terminal)) { $flow->{is_raw} = 0; return }
  my $got = sysread($terminal->{input}, $flow->{to_guest}, 4096);
  return if $got || (!defined $got && can_come_back());
  # The terminal is gone. Closing the master hangs up the guest's terminal.
  close_master($terminal, $flow);
}

sub to_terminal {
  my ($terminal, $flow) = @_;
  my $put = syswrite($terminal->{output}, $flow->{to_terminal});
  if    (defined $put)       { substr($flow->{to_terminal}, 0, $put) = '' }
  elsif (!can_come_back()) { close_master($terminal, $flow) }
}

sub to_guest {
  my ($terminal, $flow) = @_;
  my $put = $flow->{is_open} ? syswrite($terminal->{master}, $flow->{to_guest}) : length $flow->{to_guest};
  if    (defined $put)       { substr($flow->{to_guest}, 0, $put) = '' }
  elsif (!can_come_back()) { $flow->{to_guest} = '' }
}

sub close_master {
  my ($terminal, $flow) = @_;
  close $terminal->{master} if $flow->{is_open};
  @$flow{qw(is_open is_raw is_running to_terminal to_guest)} = (0, 0, 0, '', '');
}

# Reads all output until now: a read returns the bytes that the kernel still holds before it reports the end. Later
# writers are not waited for.
sub drain {
  my ($terminal, $flow) = @_;
  my $bytes = 0;
  while ($flow->{is_open}) {
    if (!length $flow->{to_terminal} && $bytes < $MOST_HELD_BYTES) {
      from_guest($terminal, $flow);
      $bytes += length $flow->{to_terminal};
    }
    return unless length $flow->{to_terminal};
    my $writable = '';
    vec($writable, fileno $terminal->{output}, 1) = 1;
    select(undef, $writable, undef, undef);
    to_terminal($terminal, $flow);
  }
}

# The caller's shell gets its terminal back, and sees the job as stopped. Continuing the job continues the command.
sub stop_job {
  my ($terminal, $flow, $session) = @_;
  drain($terminal, $flow);
  restore_terminal($terminal);
  $flow->{is_raw} = 0;
  my $handler = $SIG{TSTP};
  $SIG{TSTP} = 'DEFAULT';
  kill TSTP => 0;
  $SIG{TSTP} = $handler;
  enter_raw($terminal, $flow);
  copy_size($terminal);
  kill CONT => $session;
}

sub make_raw {
  my ($terminal) = @_;
  my $now = get_attributes($terminal) // return;
  return if $now eq raw_attributes($terminal);
  $terminal->{saved} = $now;
  ioctl($terminal->{input}, $terminal->{requests}{set}, raw_attributes($terminal));
}
