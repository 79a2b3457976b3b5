# Asks the user manager of systemd to move a process into a control group of a unit. Loaded by session/groups.pl where the kernel would
# refuse the move to this user. The programs of systemd take a tenth of a second for the same.
#
# See https://dbus.freedesktop.org/doc/dbus-specification.html, org.freedesktop.systemd1(5) on AttachProcessesToUnit.
use v5.12;

my ($AF_UNIX, $SOCK_STREAM) = (1, 1);
my ($METHOD_CALL, $METHOD_RETURN) = (1, 2);
my %FIELD = (path => 1, interface => 2, member => 3, destination => 6, signature => 8);
# Two texts, and a list of numbers.
my $SIGNATURE = join '', qw(s s a u);
# A manager that does not answer must not hold a session up.
my $PATIENCE_SECONDS = 2;
1;

# Returns a connection to the manager's own socket; undef if there is none. No message of others comes there.
sub connect_to_manager {
  my ($folder) = @_;
  socket(my $bus, $AF_UNIX, $SOCK_STREAM, 0) or return;
  connect($bus, pack 'S Z*', $AF_UNIX, "$folder/systemd/private") or return;
  # The kernel tells the manager who this is.
  syswrite $bus, "\0AUTH EXTERNAL " . unpack('H*', "$<") . "\r\nBEGIN\r\n" or return;
  my $answer = '';
  while ($answer !~ /\n/) { return unless receive($bus, \$answer, 256) }
  return $answer =~ /^OK / ? $bus : undef;
}

# Returns whether the manager did it.
sub attach_by_manager {
  my ($bus, $unit, $path, $process) = @_;
  my $body = text($unit) . text_at(length text($unit), $path);
  $body .= padding(length $body, 4) . pack 'L2', 4, $process;
  my $fields = '';
  for (['path', 'o', '/org/freedesktop/systemd1'], ['interface', 's', 'org.freedesktop.systemd1.Manager'],
    ['member', 's', 'AttachProcessesToUnit'], ['destination', 's', 'org.freedesktop.systemd1'], ['signature', 'g', $SIGNATURE])
  {
    my ($name, $type, $value) = @$_;
    $fields .= padding(length $fields, 8) . pack 'C C/a* x', $FIELD{$name}, $type;
    $fields .= $type eq 'g' ? pack('C/a* x', $value) : text($value);
  }
  my $order = unpack('C', pack 'S', 1) ? 'l' : 'B';
  my $head = pack('a C3 L3', $order, $METHOD_CALL, 0, 1, length $body, 1, length $fields) . $fields;
  my $message = $head . padding(length $head, 8) . $body;
  return unless syswrite($bus, $message) == length $message;
  my $reply = '';
  while (length $reply < 16) { return unless receive($bus, \$reply, 16) }
  return unpack('x C', $reply) == $METHOD_RETURN;
}

sub receive {
  my ($bus, $text, $most) = @_;
  vec(my $wanted = '', fileno $bus, 1) = 1;
  return select($wanted, undef, undef, $PATIENCE_SECONDS) > 0 && sysread $bus, $$text, $most, length $$text;
}

sub text { return pack 'L/a* x', $_[0] }

sub text_at { my ($offset, $value) = @_; return padding($offset, 4) . text($value) }

sub padding { my ($length, $boundary) = @_; return "\0" x (-$length % $boundary) }
