# Routes of an environment's network, by rtnetlink(7): a host may lack ip(8). Loaded by network.pl.
use v5.12;
use warnings;

my ($AF_INET, $AF_INET6, $AF_NETLINK, $SOCK_RAW) = (2, 10, 16, 3);
my ($RTM_NEWADDR, $RTM_GETADDR, $RTM_NEWROUTE, $RTM_DELROUTE, $RTM_GETROUTE) = (20, 22, 24, 25, 26);
my ($NLM_F_REQUEST, $NLM_F_ACK, $NLM_F_DUMP, $NLM_F_REPLACE, $NLM_F_CREATE) = (1, 4, 0x300, 0x100, 0x400);
my ($NLMSG_ERROR, $NLMSG_DONE) = (2, 3);
my ($IFA_ADDRESS, $IFA_LOCAL, $RTA_DST, $RTA_OIF, $RTA_GATEWAY) = (1, 2, 1, 4, 5);
my ($RT_TABLE_MAIN, $RTPROT_STATIC, $RT_SCOPE_LINK, $RTN_UNICAST, $RTN_UNREACHABLE, $RTNH_F_ONLINK) = (254, 4, 253, 1, 7, 4);
my $RTMGRP_ADDRESSES = 0x10 | 0x100;
my ($ENOENT, $ESRCH, $EEXIST) = (2, 3, 17);

# Returns a socket that also reports addresses that come later.
sub open_routes {
  my ($groups) = @_;
  socket(my $socket, $AF_NETLINK, $SOCK_RAW, 0) or give_up('netlink');
  bind($socket, pack('S S L L', $AF_NETLINK, 0, 0, $groups)) or give_up('netlink');
  return $socket;
}

sub open_host_addresses { return open_routes($RTMGRP_ADDRESSES) }

sub attribute { my ($type, $value) = @_; return pack('SSa*x!4', 4 + length $value, $type, $value) }

# Sends one request, and returns the messages of the answer as pairs of type and content.
sub ask {
  my ($socket, $type, $flags, $content) = @_;
  send($socket, pack('L S S L L', 16 + length $content, $type, $NLM_F_REQUEST | $flags, 1, 0) . $content, 0) // give_up('netlink');
  my @answers;
  while (defined recv($socket, my $data, 65536, 0)) {
    for my $message (messages_in($data)) {
      my ($kind, $body) = @$message;
      return @answers if $kind == $NLMSG_DONE;
      if ($kind == $NLMSG_ERROR) { $! = -unpack('l', $body); return $! == 0 ? @answers : () }
      push @answers, $message;
    }
  }
  give_up('netlink');
}

sub messages_in {
  my ($data) = @_;
  my @messages;
  while (length $data >= 16) {
    my ($length, $type) = unpack 'LS', $data;
    last if $length < 16 || $length > length $data;
    push @messages, [$type, substr $data, 16, $length - 16];
    substr($data, 0, ($length + 3) & ~3) = '';
  }
  return @messages;
}

sub attributes_in {
  my ($data) = @_;
  my %attributes;
  while (length $data >= 4) {
    my ($length, $type) = unpack 'SS', $data;
    last if $length < 4 || $length > length $data;
    $attributes{$type} = substr $data, 4, $length - 4;
    my $whole = ($length + 3) & ~3;
    substr($data, 0, $whole > length $data ? length $data : $whole) = '';
  }
  return \%attributes;
}

# Returns the addresses that this host has now, packed; not those of its loopback, nor of one link.
sub host_addresses {
  my ($socket) = @_;
  return grep { defined } map { address_in(@$_) } ask($socket, $RTM_GETADDR, $NLM_F_DUMP, pack 'x8');
}

# Waits for a message, and returns the addresses in it.
sub new_addresses {
  my ($socket) = @_;
  recv($socket, my $data, 65536, 0) // return;
  return grep { defined } map { address_in(@$_) } messages_in($data);
}

sub address_in {
  my ($type, $body) = @_;
  return unless $type == $RTM_NEWADDR;
  my $attributes = attributes_in(substr $body, 8);
  my $address = $attributes->{$IFA_LOCAL} // $attributes->{$IFA_ADDRESS} // return;
  return if $address =~ /^\x7f...$/s || $address =~ /^\xfe[\x80-\xbf].{14}$/s || $address eq "\0" x 15 . "\1";
  return $address;
}

# A route to one address that leads nowhere; the guest's own address takes precedence over it.
sub forbid_addresses {
  my (@addresses) = @_;
  my $socket = open_routes(0);
  add_route($socket, {to => $_, length => 8 * length, type => $RTN_UNREACHABLE}) for @addresses;
}

sub add_route {
  my ($socket, $route) = @_;
  my $family = length $route->{to} == 4 ? $AF_INET : $AF_INET6;
  my $message = pack 'C8L', $family, $route->{length}, 0, 0, $RT_TABLE_MAIN, $RTPROT_STATIC, $route->{scope} // 0, $route->{type} // $RTN_UNICAST,
    $route->{flags} // 0;
  $message .= attribute($RTA_DST, $route->{to});
  $message .= attribute($RTA_GATEWAY, $route->{gateway}) if defined $route->{gateway};
  $message .= attribute($RTA_OIF, $route->{interface}) if defined $route->{interface};
  $! = 0;
  ask($socket, $RTM_NEWROUTE, $NLM_F_ACK | $NLM_F_CREATE | $NLM_F_REPLACE, $message);
  # A network without IPv6 knows no such route, and reaches no such address.
  $! == 0 || $! == $EEXIST || $family == $AF_INET6 or give_up('route');
}

# Replaces all routes by those to the networks of the list, and to the resolver.
#   NETWORKS  pairs of a packed address and a length of the prefix;  RESOLVER  a packed address
sub allow_only {
  my ($resolver, @networks) = @_;
  my $socket = open_routes(0);
  my %way;
  for my $family ($AF_INET, $AF_INET6) {
    for my $message (ask($socket, $RTM_GETROUTE, $NLM_F_DUMP, pack 'Cx11', $family)) {
      my ($type, $body) = @$message;
      next unless $type == $RTM_NEWROUTE;
      my (undef, $length, undef, undef, $table, undef, undef, $kind) = unpack 'C8', $body;
      my $attributes = attributes_in(substr $body, 12);
      my $to = $attributes->{$RTA_DST} // '';
      next if $table != $RT_TABLE_MAIN || $kind != $RTN_UNICAST || $to =~ /^(?:\xff|\xfe[\x80-\xbf])/;
      $way{$family} //= {interface => $attributes->{$RTA_OIF}, gateway => $attributes->{$RTA_GATEWAY}} if $length == 0;
      $! = 0;
      ask($socket, $RTM_DELROUTE, $NLM_F_ACK, $body);
      $! == 0 || $! == $ESRCH || $! == $ENOENT or give_up('route');
    }
  }
  my $ipv4 = $way{$AF_INET};
  add_route($socket, {to => $resolver, length => 32, scope => $RT_SCOPE_LINK, interface => $ipv4->{interface}}) if defined $ipv4->{interface};
  for my $network (@networks) {
    my ($to, $length) = @$network;
    my $way = $way{length $to == 4 ? $AF_INET : $AF_INET6} // next;
    add_route($socket, {%$way, to => $to, length => $length, flags => defined $way->{gateway} ? $RTNH_F_ONLINK : 0});
  }
}

1;
