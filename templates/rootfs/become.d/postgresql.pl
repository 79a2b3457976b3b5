# PostgreSQL's programs that manage clusters: started by root, each becomes the cluster's owner for a part of its work
# and makes sure of it. Here it is the owner from the start; every file is its own.
use strict;
use warnings;

our ($name, $program);
# What a new cluster is set up to use, where it is; see make-ssl-cert(8).
my $KEY = '/etc/ssl/private/ssl-cert-snakeoil.key';

sub plan {
  return if $> != 0;
  my ($owner, $group) = $name eq 'pg_createcluster' ? named_owner() : ();
  my $account = find_account($owner // 'postgres', 1) or return;
  return if $account->{uid} == 0;
  my $gid = defined $group ? find_group($group) // return : $account->{gid};
  hide_key() if -e $KEY;
  return {
    name => $account->{name}, uid => $account->{uid}, gid => $gid,
    file => $program, command => [$program, @ARGV], environment => {%ENV}, cannot_execute => "can't run",
  };
}

# The server refuses a key of its own that a group may read, and here all files are its own. The group loses nothing: its
# members, too, see every file as their own.
sub hide_key {
  my $mode = (stat _)[2] & 07777;
  chmod $mode & 0700, $KEY if $mode & 077;
}

# -u NAME, -uNAME, --user NAME, --user=NAME, and the same of -g and --group; what stands behind "--" is initdb's.
sub named_owner {
  my %value;
  my @words = @ARGV;
  while (defined(my $word = shift @words)) {
    last if $word eq '--';
    next unless $word =~ /^(?:-([ug])|--?(u)(?:ser|se|s)|--?(g)(?:roup|rou|ro|r))(?:=?(.+))?$/;
    my ($letter, $joined) = ($1 // $2 // $3, $4);
    $value{$letter} = $joined // shift @words;
  }
  return @value{qw(u g)};
}

1;
