# Rules of nf_tables for packets that leave the network of an environment by the interface that leads out: a socket that is bound to that
# interface reaches addresses without a route, and those with a route that leads nowhere (SO_BINDTODEVICE of socket(7)). Loaded by network.pl,
# after network/routes.pl. The numbers are those of linux/netfilter/nf_tables.h: a host may lack nft(8).
use v5.12;
use warnings;

my ($AF_NETLINK, $SOCK_RAW, $NETLINK_NETFILTER, $NFNL_SUBSYS_NFTABLES) = (16, 3, 12, 10);
my ($NFNL_MSG_BATCH_BEGIN, $NFNL_MSG_BATCH_END) = (0x10, 0x11);
my ($NFT_MSG_NEWTABLE, $NFT_MSG_NEWCHAIN, $NFT_MSG_NEWRULE, $NFT_MSG_DELRULE) = (0, 3, 6, 8);
my ($NLM_F_REQUEST, $NLM_F_ACK, $NLM_F_CREATE, $NLM_F_APPEND, $NLA_F_NESTED) = (1, 4, 0x400, 0x800, 0x8000);
my ($NFPROTO_IPV4, $NFPROTO_IPV6, $NF_INET_LOCAL_OUT) = (2, 10, 3);
my ($NF_DROP, $NF_ACCEPT) = (0, 1);
my ($NFT_META_OIFNAME, $NETWORK_HEADER, $TRANSPORT_HEADER) = (7, 1, 2);
my ($CMP_EQ, $CMP_NEQ, $CMP_LTE, $CMP_GTE) = (0, 1, 3, 5);
my $NLMSG_ERROR = 2;
my $IPPROTO_ICMPV6 = 58;
# Router and neighbour discovery: without it, no packet finds its next hop.
my @DISCOVERY = (133, 136);
# Offset and length of the destination in the header.
my %DESTINATION = ($NFPROTO_IPV4 => [16, 4], $NFPROTO_IPV6 => [24, 16]);
my $NAME = 'envs';

# Replaces the rules. Each address is packed; NETWORKS are pairs of an address and a length of the prefix, undef for all.
sub filter_output {
  my ($interface, $forbidden, $networks) = @_;
  socket(my $socket, $AF_NETLINK, $SOCK_RAW, $NETLINK_NETFILTER) or give_up('filter');
  for my $family ($NFPROTO_IPV4, -e '/proc/sys/net/ipv6' ? $NFPROTO_IPV6 : ()) {
    my $size = $DESTINATION{$family}[1];
    my @rules = ([not_by($interface), verdict($NF_ACCEPT)]);
    push @rules, [discovery(), verdict($NF_ACCEPT)] if $family == $NFPROTO_IPV6;
    push @rules, map { [destination($family, $_, 8 * $size), verdict($NF_DROP)] } grep { length == $size } @$forbidden;
    push @rules, map { [destination($family, @$_), verdict($NF_ACCEPT)] } grep { length $_->[0] == $size } @{$networks // []};
    push @rules, [verdict($NF_DROP)] if $networks;
    replace_rules($socket, $family, @rules);
  }
}

sub not_by {
  my ($interface) = @_;
  return (
    expression('meta', number(1, 1), number(2, $NFT_META_OIFNAME)),
    compare($CMP_NEQ, pack 'a16', $interface),
  );
}

sub discovery {
  return (
    payload($NETWORK_HEADER, 6, 1), compare($CMP_EQ, pack 'C', $IPPROTO_ICMPV6),
    payload($TRANSPORT_HEADER, 0, 1), compare($CMP_GTE, pack 'C', $DISCOVERY[0]), compare($CMP_LTE, pack 'C', $DISCOVERY[1]),
  );
}

sub destination {
  my ($family, $address, $length) = @_;
  my ($offset, $size) = @{$DESTINATION{$family}};
  my $mask = pack 'B*', '1' x $length . '0' x (8 * $size - $length);
  return (
    payload($NETWORK_HEADER, $offset, $size),
    expression('bitwise', number(1, 1), number(2, 1), number(3, $size), value(4, $mask), value(5, "\0" x $size)),
    compare($CMP_EQ, $address & $mask),
  );
}

sub payload {
  my ($base, $offset, $size) = @_;
  return expression('payload', number(1, 1), number(2, $base), number(3, $offset), number(4, $size));
}

sub compare { my ($how, $with) = @_; return expression('cmp', number(1, 1), number(2, $how), value(3, $with)) }

sub verdict { my ($code) = @_; return expression('immediate', number(1, 0), nested(2, nested(2, number(1, $code)))) }

sub expression { my ($name, @data) = @_; return nested(1, attribute(1, "$name\0"), nested(2, @data)) }

sub number { my ($type, $number) = @_; return attribute($type, pack 'N', $number) }

sub value { my ($type, $bytes) = @_; return nested($type, attribute(1, $bytes)) }

sub nested { my ($type, @attributes) = @_; return attribute($type | $NLA_F_NESTED, join '', @attributes) }

# Makes the table and its chain where they are missing, and exchanges all rules at once.
sub replace_rules {
  my ($socket, $family, @rules) = @_;
  my $table = attribute(1, "$NAME\0");
  my $hook = nested(4, number(1, $NF_INET_LOCAL_OUT), number(2, 0));
  my @changes = (
    [$NFT_MSG_NEWTABLE, $table],
    [$NFT_MSG_NEWCHAIN, attribute(1, "$NAME\0") . attribute(3, "$NAME\0") . $hook . number(5, $NF_ACCEPT) . attribute(7, "filter\0")],
    [$NFT_MSG_DELRULE, attribute(1, "$NAME\0") . attribute(2, "$NAME\0")],
    map { [$NFT_MSG_NEWRULE, attribute(1, "$NAME\0") . attribute(2, "$NAME\0") . nested(4, @$_)] } @rules,
  );
  my $batch = filter_message($NFNL_MSG_BATCH_BEGIN, 0, 0, $NFNL_SUBSYS_NFTABLES, '');
  for my $change (@changes) {
    my ($type, $content) = @$change;
    my $flags = $type == $NFT_MSG_DELRULE ? 0 : $NLM_F_CREATE | ($type == $NFT_MSG_NEWRULE ? $NLM_F_APPEND : 0);
    $batch .= filter_message($NFNL_SUBSYS_NFTABLES << 8 | $type, $flags, $family, 0, $content);
  }
  $batch .= filter_message($NFNL_MSG_BATCH_END, 0, 0, $NFNL_SUBSYS_NFTABLES, '');
  send($socket, $batch, 0) // give_up('filter');
  for (@changes) {
    defined recv($socket, my $data, 65536, 0) or give_up('filter');
    for my $message (messages_in($data)) {
      my ($type, $body) = @$message;
      next if $type != $NLMSG_ERROR;
      $! = -unpack('l', $body);
      $! == 0 or give_up('filter');
    }
  }
}

sub filter_message {
  my ($type, $flags, $family, $resource, $content) = @_;
  my $is_change = $type >= 0x100;
  return pack('L S S L L C C n', 20 + length $content, $type, $NLM_F_REQUEST | $flags | ($is_change ? $NLM_F_ACK : 0), 1, 0, $family, 0, $resource) . $content;
}

1;
