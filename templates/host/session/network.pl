# A network of one session alone, without a way out. Loaded by session.pl for its option -n.
#
# It belongs to the user namespace of the environment's mounts, so the guest's root can't change it. See network_namespaces(7),
# netdevice(7), ip(7), icmp(7).
use v5.12;

my ($CLONE_NEWNET, $AF_INET, $SOCK_DGRAM, $SIOCSIFFLAGS, $IFF_UP) = (0x40000000, 2, 2, 0x8914, 1);
1;

sub leave_network {
  my ($nr_unshare) = @_;
  syscall($nr_unshare, $CLONE_NEWNET) == 0 or give_up('network');
  socket(my $socket, $AF_INET, $SOCK_DGRAM, 0) or give_up('network');
  my $request = pack 'a16sx22', 'lo', $IFF_UP;
  ioctl($socket, $SIOCSIFFLAGS, $request) or give_up('network');
  close $socket;
  write_setting('ip_unprivileged_port_start', 0);
  # All groups of the identity mapped, or the only one.
  write_setting('ping_group_range', '0 65535') || write_setting('ping_group_range', '0 0');
}

# Missing rights to the first ports and to ping are no failure: nothing can be reached in any case.
sub write_setting {
  my ($name, $value) = @_;
  open(my $file, '>', "/proc/sys/net/ipv4/$name") or return 0;
  return defined syswrite $file, $value;
}
