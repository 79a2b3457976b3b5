# Keeps the output of services: one bounded file a unit below /var/log/services, a time before each line. Also syslog(3): lines of a process of
# a unit go to that unit's file, the others to syslog.log.
package Logs;
use v5.12;
use warnings;
use POSIX ();
use Socket qw(:DEFAULT MSG_DONTWAIT);
use Loop;

our $FOLDER = '/var/log/services';
my $MAX_BYTES = 1 << 20;
my $MAX_LINE_BYTES = 8192;
my $SYSLOG = '/dev/log';
my $SYSLOG_DAEMON = '/run/systemd/journal/syslog';

my %writer;

sub begin {
  my ($unit_of) = @_;
  mkdir $FOLDER, 0755;
  unlink $SYSLOG;
  socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or return;
  bind($socket, pack_sockaddr_un($SYSLOG)) or return;
  socket(my $forward, AF_UNIX, SOCK_DGRAM, 0);
  chmod 0666, $SYSLOG;
  Loop::watch($socket, sub {
    defined recv($socket, my $text, $MAX_LINE_BYTES, 0) or return;
    # A syslog daemon of the guest reads here what journald would pass on to it.
    send($forward, $text, MSG_DONTWAIT, pack_sockaddr_un($SYSLOG_DAEMON)) if $forward && -S $SYSLOG_DAEMON;
    # "<PRIORITY>MONTH DAY TIME TAG[PID]: TEXT". See syslog(3).
    $text =~ s/^<\d+>(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?//;
    my ($pid) = $text =~ /^[^\s\[:]+\[(\d+)\]/;
    my $unit = defined $pid ? $unit_of->($pid) : undef;
    write_line($unit ? $unit->{name} : 'syslog', $_) for split /\n/, $text =~ s/\0//gr;
  });
}

# Returns the writing end of a new pipe to the unit's log, for one process and its children.
sub open_pipe {
  my ($unit) = @_;
  pipe(my $reader, my $writer) or return;
  $reader->blocking(0);
  my $pending = '';
  Loop::watch($reader, sub {
    my $length = sysread $reader, $pending, 65_536, length $pending;
    return if !defined $length;
    while ($pending =~ s/^([^\n]*)\n//) { write_line($unit->{name}, $1) }
    if ($length == 0 || length $pending > $MAX_LINE_BYTES) {
      write_line($unit->{name}, $pending) if length $pending;
      $pending = '';
    }
    if ($length == 0) {
      Loop::unwatch($reader);
      close $reader;
    }
  });
  return $writer;
}

# A line of the supervisor itself about a unit.
sub note {
  my ($unit, $text) = @_;
  write_line($unit->{name}, "envs: $text");
}

sub write_line {
  my ($name, $text) = @_;
  my $entry = $writer{$name} //= open_log($name) // return;
  my $line = POSIX::strftime('%Y-%m-%dT%H:%M:%SZ ', gmtime) . substr($text, 0, $MAX_LINE_BYTES) . "\n";
  syswrite $entry->{handle}, $line;
  $entry->{size} += length $line;
  return if $entry->{size} <= $MAX_BYTES;
  close $entry->{handle};
  rename "$FOLDER/$name.log", "$FOLDER/$name.log.1";
  delete $writer{$name};
}

sub open_log {
  my ($name) = @_;
  mkdir $FOLDER, 0755;
  open(my $handle, '>>', "$FOLDER/$name.log") or return;
  return {handle => $handle, size => -s $handle};
}

# Returns the last lines of a unit's log, with the file before the present one.
sub tail {
  my ($name, $count) = @_;
  my @lines;
  for my $path ("$FOLDER/$name.log.1", "$FOLDER/$name.log") {
    open(my $file, '<', $path) or next;
    while (my $line = <$file>) {
      push @lines, $line;
      shift @lines if @lines > $count;
    }
  }
  return @lines;
}

1;
