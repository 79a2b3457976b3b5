# Sockets on which services report: "READY=1", "MAINPID=", "STATUS=". See sd_notify(3).
#
# A socket for each unit, because Perl can't read the sender of a message: only the unit's user and root can write to it. A service that
# begins as root may change its user itself before it is ready, so everybody can write to the socket of that one.
package Notices;
use v5.12;
use warnings;
use Socket;
use Loop;

our $FOLDER = '/run/envs-services/notify';
my $MAX_BYTES = 65_536;
# Longer names of units do not fit into the address of a socket.
my $MAX_PATH_BYTES = 107;

# @param $take - called with the unit and each message as a table.
sub listen_for {
  my ($unit, $account, $take) = @_;
  close_for($unit);
  mkdir $FOLDER, 0755;
  my $path = "$FOLDER/$unit->{name}";
  $path = "$FOLDER/" . ($unit->{notice_number} //= ++our $last_number) if length $path > $MAX_PATH_BYTES;
  unlink $path;
  socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or return;
  bind($socket, pack_sockaddr_un($path)) or return;
  chmod $account->{uid} == 0 ? 0666 : 0600, $path;
  chown $account->{uid}, $account->{gid}, $path unless $account->{uid} == 0;
  @$unit{qw(notice_path notice_socket)} = ($path, $socket);
  Loop::watch($socket, sub {
    defined recv($socket, my $text, $MAX_BYTES, 0) or return;
    $take->($unit, {map { /^([A-Z_]+)=(.*)$/ ? ($1 => $2) : () } split /\n/, $text});
  });
}

sub close_for {
  my ($unit) = @_;
  my $socket = delete $unit->{notice_socket} or return;
  Loop::unwatch($socket);
  close $socket;
  unlink delete $unit->{notice_path};
}

1;
