# PostgreSQL's programs that manage clusters: started by root, each becomes the cluster's owner for a part of its work
# and verifies that. Here the program is the owner from the start, and sees itself as the owner of every file.
use strict;
use warnings;

our ($name, $program);
# The key of a new cluster, if it exists; see make-ssl-cert(8).
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

# The server refuses its key if a group may read it, and here it sees itself as the owner of all files. The group
# loses nothing: its members also see themselves as the owner.
sub hide_key {
  my $mode = (stat _)[2] & 07777;
  chmod $mode & 0700, $KEY if $mode & 077;
}

# -u NAME, -uNAME, --user NAME, --user=NAME, and the same of -g and --group; words after "--" belong to initdb.
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
