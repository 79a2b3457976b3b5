# A terminal of the guest that is relayed to the caller's. Loaded by session.pl if standard input, output or error is a terminal.
#
# The guest's terminal is opened in its own devpts, and its master stays on the host: no process of the guest has a
# descriptor of the caller's. The relay belongs to the caller's session and process group, so that it may change the
# terminal, and is stopped and continued with the caller's job. It is the process that waits for the session, join.pl, which gets the
# master through a socket; where Node waits, it is a process of its own, forked by the session. See relay.pl.
#
# session.pl sends the relay one line each: "run" when input belongs to the command, "stopped" when the guest's
# terminal stopped it, "ended" when it has ended. An end without that word means that session.pl was killed.
#
# See ioctl_tty(2), pty(7), sendmsg(2), unix(7), cmsg(3).
use v5.12;

my ($SIGTSTP, $SIGTTIN, $SIGTTOU) = (20, 21, 22);
my ($O_RDWR, $O_NOCTTY, $O_NONBLOCK, $O_CLOEXEC) = (2, 0400, 04000, 02000000);
my ($SOL_SOCKET, $SCM_RIGHTS) = (1, 1);
my $EINTR = 4;
1;

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
}

# Starts the relay in a process of its own.
sub start_relay {
  my ($terminal, $parent) = @_;
  pipe($terminal->{from_session}, $terminal->{to_relay}) or give_up('terminal');
  $terminal->{relay} = fork_helper(\&relay_beside, $terminal, $parent) // give_up('fork');
  close $terminal->{from_session};
}

# Makes the process that waits the relay, by the descriptor of the master: a struct msghdr with one byte and one control message.
sub hand_over_master {
  my ($terminal, $socket, $nr_sendmsg) = @_;
  my $byte = 'm';
  my $bytes = pack 'P L!', $byte, 1;
  my $rights = pack 'L! i3', length(pack 'L! i3'), $SOL_SOCKET, $SCM_RIGHTS, fileno $terminal->{master};
  my $control = pack 'a* x![L!]', $rights;
  my $message = pack 'L! i x![L!] P L! P L! i x![L!]', 0, 0, $bytes, 1, $control, length $control, 0;
  syscall($nr_sendmsg, fileno $socket, $message, 0) == 1 or give_up('terminal');
  @$terminal{qw(to_relay relay_waits)} = ($socket, 1);
}

# By the leader of a session without a terminal.
sub take_terminal {
  my ($terminal) = @_;
  close $terminal->{master};
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

# With the process that waits, the relay is gone.
sub parent_was_killed {
  my ($terminal) = @_;
  restore_terminal($terminal) if $terminal->{relay_waits};
}

sub tell_relay {
  my ($terminal, $word) = @_;
  return unless $terminal->{relay} || $terminal->{relay_waits};
  local $SIG{PIPE} = 'IGNORE';
  syswrite $terminal->{to_relay}, "$word\n";
}

# All output of the command is on the caller's terminal, which is restored.
sub finish_relay {
  my ($terminal) = @_;
  close $terminal->{slave};
  tell_relay($terminal, 'ended');
  # The process that waits closes its end of the socket then.
  wait_for_end($terminal->{to_relay}) if $terminal->{relay_waits};
  return unless $terminal->{relay};
  do { } until waitpid($terminal->{relay}, 0) == $terminal->{relay} || $! != $EINTR;
  restore_terminal($terminal) if $?;
}
