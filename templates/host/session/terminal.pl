# The caller's terminal, and a terminal of the guest that is relayed to it. Loaded by session.pl if standard input,
# output or error is a terminal.
#
# The guest's terminal is opened in its own devpts, and its master stays on the host: no process of the guest has a
# descriptor of the caller's. The relay belongs to the caller's session and process group, so that it may change the
# terminal, and is stopped and continued with the caller's job.
#
# session.pl sends the relay one line each: "run" when input belongs to the command, "stopped" when the guest's
# terminal stopped it, "ended" when it has ended. An end without that word means that session.pl was killed.
#
# See termios(3), ioctl_tty(2), pty(7), and the kernel's asm-generic/ioctls.h, asm-generic/termbits.h and their like for POWER.
use v5.12;

my ($EINTR, $EAGAIN) = (4, 11);
my ($SIGTSTP, $SIGTTIN, $SIGTTOU) = (20, 21, 22);
my ($O_RDWR, $O_NOCTTY, $O_NONBLOCK, $O_CLOEXEC) = (2, 0400, 04000, 02000000);
my $MOST_BYTES = 65536;
# More than the kernel buffers of written and unread bytes of a terminal.
my $MOST_HELD_BYTES = 4 * $MOST_BYTES;
# Interval at which a relay in the background checks whether its job is in the foreground: shells send no signal for
# that.
my $FOREGROUND_POLL_SECONDS = 0.25;
my %requests = (
  generic => {
    get => 0x5401, set => 0x5403, get_group => 0x540f, set_group => 0x5410, take => 0x540e,
    get_size => 0x5413, set_size => 0x5414, unlock => 0x40045431, open_peer => 0x5441,
  },
  power => {
    get => 0x402c7413, set => 0x802c7415, get_group => 0x40047477, set_group => 0x80047476, take => 0x540e,
    get_size => 0x40087468, set_size => 0x80087467, unlock => 0x80045431, open_peer => 0x20005441,
  },
);
# Flags that a raw terminal lacks: of its input IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON, of its local flags
# ISIG ICANON ECHO ECHONL IEXTEN. Flags of a line-mode terminal: ICRNL IXON, OPOST ONLCR, ISIG ICANON ECHO IEXTEN.
# Positions of VMIN and VTIME.
my %layouts = (
  generic => {bytes => 36, raw => [0x5eb, 0x804b], lines => [0x500, 5, 0x800b], minimum => 23, time => 22},
  power => {bytes => 44, raw => [0x3eb, 0x598], lines => [0x300, 3, 0x588], minimum => 21, time => 23},
);
my $OPOST = 1;
1;

# Before leaving the host. @is_terminal says which of the three streams are terminals.
sub find_terminal {
  my ($kind, @is_terminal) = @_;
  my ($input, $output) = map { (grep { $is_terminal[$_] } @$_)[0] } [0, 1, 2], [1, 2, 0];
  my %terminal = (
    requests => $requests{$kind}, layout => $layouts{$kind},
    input => reopen_terminal($input), output => reopen_terminal($output),
  );
  # As in "envs run NAME -- COMMAND | less": others of the pipeline read the terminal, and write to it unchanged. It
  # is made raw when the command asks for it, by /dev/tty if not by a stream; until then the command is in the
  # background of the guest's terminal, which stops it when it asks.
  $terminal{is_shared} = !$is_terminal[0] || !$is_terminal[1];
  $terminal{saved} = get_attributes(\%terminal);
  return \%terminal;
}

# A separate open file description, which can be made non-blocking without the caller's. Another user's terminal can't
# be opened, as after su(1): then the caller's is used, and a process that does not read blocks the relay.
sub reopen_terminal {
  my ($number) = @_;
  my $own;
  return $own if sysopen($own, "/proc/self/fd/$number", $O_RDWR | $O_NOCTTY | $O_NONBLOCK);
  open(my $same, '+<&', $number) or give_up('terminal');
  return $same;
}

# Within the guest's mounts: a link can't lead out, and a file that is not a master of a terminal there refuses the
# requests.
sub open_guest_terminal {
  my ($terminal) = @_;
  my $requests = $terminal->{requests};
  sysopen(my $master, '/dev/pts/ptmx', $O_RDWR | $O_NOCTTY | $O_NONBLOCK) or give_up('terminal');
  ioctl($master, $requests->{unlock}, my $no = pack 'i', 0) or give_up('terminal');
  my $peer = ioctl($master, $requests->{open_peer}, $O_RDWR | $O_NOCTTY | $O_CLOEXEC) // give_up('terminal');
  open(my $slave, '+<&=', $peer) or give_up('terminal');
  @$terminal{qw(master slave)} = ($master, $slave);
  # In the background they are those of the shell's line editor.
  my $attributes = is_in_foreground($terminal) ? $terminal->{saved} : with_lines($terminal);
  # Others write lines to the caller's terminal, too: that terminal translates line ends.
  $attributes = without_output($attributes) if $terminal->{is_shared};
  ioctl($slave, $requests->{set}, $attributes) or give_up('terminal');
  copy_size($terminal);
  pipe($terminal->{from_session}, $terminal->{to_relay}) or give_up('terminal');
}

# By the leader of a session without a terminal.
sub take_terminal {
  my ($terminal) = @_;
  close $terminal->{$_} for qw(master from_session);
  ioctl($terminal->{slave}, $terminal->{requests}{take}, 0) or give_up('terminal');
}

# The command does so itself, from a process group that is not in the foreground yet: the kernel would stop it for
# that.
sub bring_to_foreground {
  my ($terminal, $group) = @_;
  local $SIG{TTOU} = 'IGNORE';
  ioctl($terminal->{slave}, $terminal->{requests}{set_group}, my $number = pack 'i', $group);
}

sub with_lines {
  my ($terminal) = @_;
  my ($input, $output, $control, $local, $rest) = unpack 'I4 a*', $terminal->{saved};
  my $lines = $terminal->{layout}{lines};
  return pack 'I4 a*', $input | $lines->[0], $output | $lines->[1], $control, $local | $lines->[2], $rest;
}

sub without_output {
  my ($attributes) = @_;
  my ($input, $output, $rest) = unpack 'I2 a*', $attributes;
  return pack 'I2 a*', $input, $output & ~$OPOST, $rest;
}

sub get_attributes {
  my ($terminal) = @_;
  ioctl($terminal->{input}, $terminal->{requests}{get}, my $attributes = "\0" x 64) or return undef;
  return substr $attributes, 0, $terminal->{layout}{bytes};
}

# As cfmakeraw(3), except that a terminal to which others write still translates line ends.
sub raw_attributes {
  my ($terminal) = @_;
  my $layout = $terminal->{layout};
  my ($input, $output, $control, $local, $rest) = unpack 'I4 a*', $terminal->{saved};
  my $raw = pack 'I4 a*', $input & ~$layout->{raw}[0], $output, $control, $local & ~$layout->{raw}[1], $rest;
  $raw = without_output($raw) unless $terminal->{is_shared};
  substr($raw, $layout->{minimum}, 1) = "\1";
  substr($raw, $layout->{time}, 1) = "\0";
  return $raw;
}

sub copy_size {
  my ($terminal) = @_;
  my $size = "\0" x 8;
  ioctl($terminal->{input}, $terminal->{requests}{get_size}, $size) && ioctl($terminal->{master}, $terminal->{requests}{set_size}, $size);
}

# A terminal that is not the caller's controlling one has no foreground.
sub is_in_foreground {
  my ($terminal) = @_;
  ioctl($terminal->{input}, $terminal->{requests}{get_group}, my $group = pack 'i', 0) or return 1;
  return unpack('i', $group) == getpgrp();
}

sub make_raw {
  my ($terminal) = @_;
  my $now = get_attributes($terminal) // return;
  return if $now eq raw_attributes($terminal);
  $terminal->{saved} = $now;
  ioctl($terminal->{input}, $terminal->{requests}{set}, raw_attributes($terminal));
}

# Only if it still has the relay's settings: otherwise another program has the terminal now.
sub restore_terminal {
  my ($terminal) = @_;
  my $now = get_attributes($terminal) // return;
  ioctl($terminal->{input}, $terminal->{requests}{set}, $terminal->{saved}) if $now eq raw_attributes($terminal);
}

# Stopped by the guest's terminal, as by Ctrl-Z: then the caller's job stops too. Not for a signal from elsewhere, as
# for a snapshot.
sub command_was_stopped {
  my ($terminal, $child, $signal) = @_;
  if (!$terminal->{is_shown} && ($signal == $SIGTTIN || $signal == $SIGTTOU)) {
    bring_to_foreground($terminal, $child);
    show_command($terminal);
    pass_on('CONT');
  }
  elsif (grep { $signal == $_ } $SIGTSTP, $SIGTTIN, $SIGTTOU) { tell_relay($terminal, 'stopped') }
}

# From now on input belongs to the command.
sub show_command {
  my ($terminal) = @_;
  $terminal->{is_shown} = 1;
  tell_relay($terminal, 'run');
}

# It ends after the command, by itself.
sub relay_was_killed {
  my ($terminal) = @_;
  restore_terminal($terminal);
  delete $terminal->{relay};
}

sub tell_relay {
  my ($terminal, $word) = @_;
  return unless $terminal->{relay};
  local $SIG{PIPE} = 'IGNORE';
  syswrite $terminal->{to_relay}, "$word\n";
}

# All output of the command is on the caller's terminal, which is restored.
sub finish_relay {
  my ($terminal) = @_;
  close $terminal->{slave};
  tell_relay($terminal, 'ended');
  return unless $terminal->{relay};
  do { } until waitpid($terminal->{relay}, 0) == $terminal->{relay} || $! != $EINTR;
  restore_terminal($terminal) if $?;
}

# The rest runs in the relay.

sub run_relay {
  my ($terminal, $parent) = @_;
  my $session = getppid();
  close $terminal->{$_} for qw(slave to_relay);
  my ($has_new_size, $was_continued) = (0, 0);
  $SIG{$_} = 'IGNORE' for qw(INT QUIT TERM HUP USR1 USR2 PIPE);
  $SIG{WINCH} = sub { $has_new_size = 1 };
  $SIG{CONT} = sub { $was_continued = 1 };
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
      # A killed parent can't wait for this process; a living one restores the terminal itself, at once.
      restore_terminal($terminal) if $word eq 'ended' || !kill(0 => $parent);
      return;
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
