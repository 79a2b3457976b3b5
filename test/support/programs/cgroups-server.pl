# Answers FUSE requests that a test composes, by templates/host/boot/cgroups.pl and a socket in place of /dev/fuse.
# usage: cgroups-server.pl MODULE PRLIMIT; a line of hexadecimal digits is a request. Prints the answer alike, "-" for none.
use v5.12;
use warnings;

my ($AF_UNIX, $SOCK_SEQPACKET, $MSG_DONTWAIT) = (1, 5, 0x40);
my ($module, $prlimit) = @ARGV;
require $module;
socketpair(my $device, my $kernel, $AF_UNIX, $SOCK_SEQPACKET, 0) or die;
my $cgroups = Cgroups->new($device, {pid => $$, folder => '/proc/mount-point', prlimit => $prlimit});
$| = 1;
while (my $line = <STDIN>) {
  chomp $line;
  syswrite $kernel, pack 'H*', $line;
  $cgroups->answer or last;
  my $answer = '';
  defined recv($kernel, $answer, 1 << 18, $MSG_DONTWAIT) or $answer = '';
  print length $answer ? unpack('H*', $answer) : '-', "\n";
}
sub fail { die "@_: $!\n" }
