#!/usr/bin/perl
# Connects the network of a running environment with those of others: a pair of virtual interfaces for each.
#
# usage: cables.pl NUMBERS SUBNET ANCHOR STARTED ADDRESS [ANCHOR STARTED ADDRESS]...
#   NUMBERS  system calls setns, prctl and prlimit64 on this processor, then "power" or "generic", separated by commas
#   SUBNET   first address of the common network, which has 24 bits
#   ANCHOR   process id of pid 1 of the environment, and its start time; then those of the others
#   ADDRESS  of the environment in the common network
# Inherited: 3 status pipe, 4 lock, held as long as this program runs.
#
# The status pipe gets "ready", or "failed STAGE ERRNO". Each environment has its address on its loopback, and one route for each of the
# others: no packet of one passes through another. An interface ends with either network.
# This process stays on the host, and has the rights over all networks of its user. It makes a socket in each by a child.
# Plain Perl without modules, as session.pl. See veth(4), rtnetlink(7), user_namespaces(7).
use v5.12;
use warnings;

my ($RTM_NEWLINK, $RTM_DELLINK, $RTM_GETLINK, $RTM_NEWADDR) = (16, 17, 18, 20);
my ($NLM_F_ACK, $NLM_F_EXCL, $NLM_F_CREATE, $NLM_F_REPLACE) = (4, 0x200, 0x400, 0x100);
my ($IFLA_IFNAME, $IFLA_LINKINFO, $IFLA_NET_NS_FD) = (3, 18, 28);
my ($IFLA_INFO_KIND, $IFLA_INFO_DATA, $VETH_INFO_PEER) = (1, 2, 1);
my ($IFA_ADDRESS, $IFA_LOCAL, $AF_INET, $IFF_UP, $LOOPBACK) = (1, 2, 2, 1, 1);
my ($RT_SCOPE_LINK, $RTN_UNREACHABLE, $SUBNET_BITS) = (253, 7, 24);

BEGIN { $^F = 2 }

my ($numbers, $subnet, @words) = @ARGV;
my ($folder) = $0 =~ m{^(.*)/};
require "$folder/$_.pl" for qw(namespace routes);
our ($report, $RTPROT_COMMON);
open($report, '>&=', 3) or exit 1;
my @ends;
while (my ($anchor, $started, $address) = splice @words, 0, 3) {
  my $end = open_end($anchor, $started, $address);
  # One of the others may end at any time.
  push @ends, $end if $end;
  @ends or give_up('anchor');
}
my $own = shift @ends;
settle($own);
for my $other (@ends) {
  settle($other);
  connect_ends($own, $other);
}
syswrite $report, "ready\n";
exit 0;

sub open_end {
  my ($anchor, $started, $address) = @_;
  is_anchor($anchor, $started) or return;
  my $network = open_network($anchor, $numbers);
  is_anchor($anchor, $started) or return;
  return {net => $network->{net}, address => packed($address), socket => listener_inside($network, sub { open_routes(0) })};
}

# Gives an end its address; the addresses of environments that do not run lead nowhere.
sub settle {
  my ($end) = @_;
  change($end, $RTM_NEWADDR, $NLM_F_CREATE | $NLM_F_REPLACE,
    pack('C4 L', $AF_INET, 32, 0, 0, $LOOPBACK) . attribute($IFA_LOCAL, $end->{address}) . attribute($IFA_ADDRESS, $end->{address}));
  add_route($end->{socket}, {to => packed($subnet), length => $SUBNET_BITS, type => $RTN_UNREACHABLE, protocol => $RTPROT_COMMON});
}

sub connect_ends {
  my ($one, $other) = @_;
  my @names = map { 'n' . unpack 'H8', $_->{address} } $other, $one;
  my @numbers = (number_of($one, $names[0]), number_of($other, $names[1]));
  # An interface whose network has just ended stays for a moment.
  unless ($numbers[0] && $numbers[1]) {
    remove_link($one, $numbers[0]) if $numbers[0];
    remove_link($other, $numbers[1]) if $numbers[1];
    make_pair($one, $other, @names);
    @numbers = (number_of($one, $names[0]), number_of($other, $names[1]));
  }
  for ([$one, $numbers[0], $other], [$other, $numbers[1], $one]) {
    my ($end, $number, $far) = @$_;
    defined $number or give_up('interface');
    change($end, $RTM_NEWLINK, 0, header($number, $IFF_UP));
    add_route($end->{socket}, {to => $far->{address}, length => 32, scope => $RT_SCOPE_LINK, interface => pack('L', $number),
      source => $end->{address}, protocol => $RTPROT_COMMON});
  }
}

sub make_pair {
  my ($one, $other, $name, $far_name) = @_;
  my $far = header(0, 0) . attribute($IFLA_IFNAME, "$far_name\0") . attribute($IFLA_NET_NS_FD, pack 'L', fileno $other->{net});
  my $data = attribute($IFLA_INFO_DATA, attribute($VETH_INFO_PEER, $far));
  change($one, $RTM_NEWLINK, $NLM_F_CREATE | $NLM_F_EXCL,
    header(0, 0) . attribute($IFLA_IFNAME, "$name\0") . attribute($IFLA_LINKINFO, attribute($IFLA_INFO_KIND, "veth\0") . $data));
}

sub header { my ($number, $flags) = @_; return pack 'C x S l L L', 0, 0, $number, $flags, $flags }

# Returns the number of an interface; undef if the name is unknown.
sub number_of {
  my ($end, $name) = @_;
  my ($message) = ask($end->{socket}, $RTM_GETLINK, $NLM_F_ACK, header(0, 0) . attribute($IFLA_IFNAME, "$name\0"));
  return $message && $message->[0] == $RTM_NEWLINK ? unpack('x4 l', $message->[1]) : undef;
}

sub remove_link {
  my ($end, $number) = @_;
  $! = 0;
  ask($end->{socket}, $RTM_DELLINK, $NLM_F_ACK, header($number, 0));
}

sub change {
  my ($end, $type, $flags, $content) = @_;
  $! = 0;
  ask($end->{socket}, $type, $flags | $NLM_F_ACK, $content);
  $! == 0 or give_up('interface');
}
