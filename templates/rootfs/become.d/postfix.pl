# smtpd(8) of Postfix: master(8) starts it as root, and it ends when it is still root after its change to the mail owner ("-u"). Here it
# is the mail owner from the start, who can't change the root directory ("-c").
use strict;
use warnings;

our ($name, $program);

sub plan {
  return if $> != 0 || !grep { $_ eq '-u' } @ARGV;
  my $account = find_account(mail_owner()) or return;
  return {
    name => $account->{name}, uid => $account->{uid}, gid => $account->{gid},
    file => $program, command => [$name, grep { $_ ne '-c' } @ARGV], environment => {%ENV}, cannot_execute => "can't run",
  };
}

# See postconf(5). master(8) exports MAIL_CONFIG.
sub mail_owner {
  my $owner = 'postfix';
  open(my $file, '<', ($ENV{MAIL_CONFIG} // '/etc/postfix') . '/main.cf') or return $owner;
  for (<$file>) { $owner = $1 if /^mail_owner\s*=\s*(\S+)/ }
  return $owner;
}

1;
