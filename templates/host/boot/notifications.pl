# Has an init wait for the make-believe control group of a process that sends it a notification. Loaded by boot.pl with
# boot/cgroups.pl.
#
#   Notifications->is_permitted($pid)   whether this process may take copies of the descriptors of the guest's first process: since Linux
#                                       5.6, which also lets a call continue
#   my $notifications = Notifications->new($pid, $number);
#     number   that of the listener of a filter in that process
#   $notifications->handle     readable when a call waits
#   $notifications->answer($prepare)
#     lets one call continue; if it is systemd's that receives from its socket for sd_notify(3), $prepare->() is called before
#
# systemd looks up the unit of the sender in /proc/PID/cgroup, where a process that has just started is not shown its group yet
# (memberships.pl), and a notification that belongs to no unit is lost: RabbitMQ on Ubuntu 20.04 has a helper that says once that the
# unit is ready, and waits until systemd knows. So each recvmsg(2) with the flags of systemd waits here for a moment.
#
# The call continues in any case, with its own arguments: what the guest changes meanwhile has no effect on this program.
# See seccomp_unotify(2), pidfd_getfd(2), linux/seccomp.h.
package Notifications;
use v5.12;
use warnings;

# The same numbers on every supported processor.
my ($nr_pidfd_open, $nr_pidfd_getfd) = (434, 438);
my ($SECCOMP_IOCTL_NOTIF_RECV, $SECCOMP_IOCTL_NOTIF_SEND, $FLAG_CONTINUE) = (0xc0502100, 0xc0182101, 1);
my ($REQUEST_BYTES, $AF_UNIX, $INT_BITS) = (80, 1, 0xffffffff);
# In anchor.pl.
my $ALWAYS_OPEN = 5;
my $SOCKET = qr{/systemd/notify\z};
1;

sub is_permitted {
  my (undef, $pid) = @_;
  return defined copy_of($pid, $ALWAYS_OPEN);
}

sub new {
  my ($class, $pid, $number) = @_;
  my $handle = copy_of($pid, $number) // main::fail('the listener');
  return bless {handle => $handle}, $class;
}

sub handle { return $_[0]{handle} }

# A process that is killed meanwhile waits no more, and either call fails.
sub answer {
  my ($self, $prepare) = @_;
  my $request = "\0" x $REQUEST_BYTES;
  ioctl($self->{handle}, $SECCOMP_IOCTL_NOTIF_RECV, $request) or return;
  my ($id, $process, $number) = unpack 'Q L x20 Q', $request;
  $prepare->() if is_for_notifications($process, $number & $INT_BITS);
  my $response = pack 'Q q l L', $id, 0, 0, $FLAG_CONTINUE;
  ioctl($self->{handle}, $SECCOMP_IOCTL_NOTIF_SEND, $response);
}

# Also a user manager's, which is below /run/user.
sub is_for_notifications {
  my ($process, $number) = @_;
  my $socket = copy_of($process, $number) // return 0;
  my ($family, $path) = unpack 'S Z*', getsockname($socket) // return 0;
  return $family == $AF_UNIX && $path =~ $SOCKET;
}

# Both calls give descriptors that are closed at exec.
sub copy_of {
  my ($process, $number) = @_;
  my $held = handle_of(syscall($nr_pidfd_open, $process + 0, 0)) // return;
  return handle_of(syscall($nr_pidfd_getfd, fileno $held, $number + 0, 0));
}

sub handle_of {
  my ($number) = @_;
  return if $number < 0;
  open(my $handle, '+<&=', $number) or return;
  return $handle;
}
