# Answers requests of bin/systemctl on a socket of root's.
#
# A request is words that each end with a zero byte, then the end of the stream. The answer is lines: "1 TEXT" for standard output,
# "2 TEXT" for standard error, and last "exit STATUS".
package Control;
use v5.12;
use warnings;
use Socket;
use Jobs;
use Loop;
use Verbs;

our $PATH = '/run/envs-services/control';
my $MAX_REQUEST_BYTES = 65_536;

sub begin {
  unlink $PATH;
  my $mask = umask 0177;
  socket(my $socket, AF_UNIX, SOCK_STREAM, 0) or die "envs: a socket: $!\n";
  bind($socket, pack_sockaddr_un($PATH)) && listen($socket, 64) or die "envs: $PATH: $!\n";
  umask $mask;
  Loop::watch($socket, sub {
    accept(my $caller, $socket) or return;
    $caller->blocking(0);
    read_request($caller);
  });
}

sub read_request {
  my ($caller) = @_;
  my $text = '';
  Loop::watch($caller, sub {
    my $length = sysread $caller, $text, 65_536, length $text;
    return if !defined $length;
    if ($length > 0 && length $text <= $MAX_REQUEST_BYTES) { return }
    Loop::unwatch($caller);
    if (length $text > $MAX_REQUEST_BYTES) { return close $caller }
    my ($verb, @words) = split /\0/, $text;
    Verbs::run($verb // 'list-units', \@words, sub { reply($caller, @_) });
  });
}

# @param $parts - pairs of a stream's number and a text.
sub reply {
  my ($caller, $status, @parts) = @_;
  my $answer = '';
  while (my ($stream, $text) = splice @parts, 0, 2) { $answer .= "$stream $_\n" for split /\n/, $text }
  $answer .= "exit $status\n";
  # A caller that does not read must not stop the services: it gets a second.
  $caller->blocking(1);
  setsockopt($caller, SOL_SOCKET, SO_SNDTIMEO, pack('l!l!', 1, 0));
  while (length $answer) {
    my $count = syswrite $caller, $answer or last;
    substr($answer, 0, $count) = '';
  }
  close $caller;
}

1;
