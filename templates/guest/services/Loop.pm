# Waits for files, times and ended processes, and calls who waits for them. One thread: no call blocks for long.
package Loop;
use v5.12;
use warnings;
use POSIX ();

my (%reader, %timer, @deferred, $last_id, $wake_reader, $wake_writer);
# The same number on every processor.
my $nr_pidfd_open = 434;

# Seconds since the boot of the host. The calendar's clock can be set; perl-base has no other clock with parts of a second.
sub now {
  open(my $file, '<', '/proc/uptime') or return time;
  return (split ' ', <$file>)[0];
}

# Calls $call with the handle whenever it can be read.
sub watch {
  my ($handle, $call) = @_;
  $reader{fileno $handle} = [$handle, $call];
}

sub unwatch {
  my ($handle) = @_;
  delete $reader{fileno $handle} if defined $handle && defined fileno $handle;
}

# Calls once after some seconds. Returns what cancel() takes.
sub after {
  my ($seconds, $call) = @_;
  my $id = ++$last_id;
  $timer{$id} = [now() + $seconds, $call];
  return $id;
}

sub cancel {
  my ($id) = @_;
  delete $timer{$id} if defined $id;
}

# Calls as soon as the present call has returned.
sub soon {
  push @deferred, @_;
}

# Has the end of a process wake the loop. Its signal does not suffice: Perl calls a handler between two of its operations, so for one
# that comes just before select waits, when select returns. Without pidfd_open(2), before Linux 5.3, that may be late.
sub watch_end {
  my ($pid) = @_;
  my $number = syscall($nr_pidfd_open, $pid + 0, 0);
  return if $number < 0;
  open(my $handle, '<&=', $number) or return;
  watch($handle, sub { unwatch($handle); close $handle });
}

# Has signals wake the loop. A signal between a test and the wait would be lost without the pipe.
sub begin {
  my ($handlers) = @_;
  pipe($wake_reader, $wake_writer) or die "pipe: $!\n";
  $_->blocking(0) for $wake_reader, $wake_writer;
  for my $name (keys %$handlers) {
    my $call = $handlers->{$name};
    $SIG{$name} = sub { soon($call); syswrite $wake_writer, '.' };
  }
  $SIG{CHLD} = sub { syswrite $wake_writer, '.' };
  $SIG{PIPE} = 'IGNORE';
}

# Runs until $is_over says so. @param $ended - called with the id and the status of each ended process.
sub run {
  my ($is_over, $ended) = @_;
  until ($is_over->()) {
    my $bits = '';
    vec($bits, fileno $wake_reader, 1) = 1;
    vec($bits, $_, 1) = 1 for keys %reader;
    my $count = select my $ready = $bits, undef, undef, patience();
    sysread $wake_reader, my $nothing, 4096;
    while ((my $pid = waitpid -1, POSIX::WNOHANG()) > 0) {
      my $status = $?;
      try(sub { $ended->($pid, $status) });
    }
    if ($count > 0) {
      for my $number (grep { vec $ready, $_, 1 } keys %reader) {
        # A call before may have closed it.
        my $entry = $reader{$number} or next;
        try($entry->[1], $entry->[0]);
      }
    }
    my $now = now();
    for my $id (sort { $a <=> $b } grep { $timer{$_}[0] <= $now } keys %timer) {
      my $entry = delete $timer{$id} or next;
      try($entry->[1]);
    }
    while (my $call = shift @deferred) { try($call) }
  }
}

# A failure with one unit must not end pid 1, and with it all others.
sub try {
  my ($call, @arguments) = @_;
  eval { $call->(@arguments); 1 } or print STDERR "envs: $@";
}

# Returns the seconds until the next timer; undef without one.
sub patience {
  return 0 if @deferred;
  my ($next) = sort { $a <=> $b } map { $_->[0] } values %timer;
  return unless defined $next;
  my $left = $next - now();
  return $left > 0 ? $left : 0;
}

1;
