# sudo(8), for root, which may become any user, regardless of sudoers.
use strict;
use warnings;

our $name;

my %long = (
  askpass => 'A', background => 'b', bell => 'B', edit => 'e', group => 'g', help => 'h', host => 'h', list => 'l',
  login => 'i', 'no-update' => 'N', 'non-interactive' => 'n', 'preserve-env' => 'E', 'preserve-groups' => 'P',
  prompt => 'p', 'remove-timestamp' => 'K', 'reset-timestamp' => 'k', 'set-home' => 'H', shell => 's', stdin => 'S',
  user => 'u', validate => 'v', version => 'V', 'command-timeout' => 'T', 'other-user' => 'U', role => 'r', type => 't',
);
# Variables that sudo keeps if sudoers has only Debian's lines: its env_keep and env_check.
my @kept = qw(
  COLORS DISPLAY HOSTNAME KRB5CCNAME LS_COLORS PATH PS1 PS2 XAUTHORITY XAUTHORIZATION
  COLORTERM LANG LANGUAGE LINGUAS TERM TZ
);
my $DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

sub plan {
  return if $name eq 'sudoedit';
  my ($options, @words) = read_options('+AbBeE::g:hHiKklnNp:PsST:t:r:u:U:vV', \%long, @ARGV) or return;
  my %option = map { $_->[0] => $_->[1] } @$options;
  return if grep { exists $option{$_} } qw(h K V);
  my %assigned;
  while (@words && $words[0] =~ /^([A-Za-z_]\w*)=(.*)$/s) { $assigned{$1} = $2; shift @words }
  my $has_shell = exists $option{i} || exists $option{s};
  return if !@words && !$has_shell && !grep { exists $option{$_} } qw(l v);

  my $wanted = $option{u} // (exists $option{g} ? getpwuid($>) : 'root');
  my $account = find_account($wanted =~ /^#?(.*)$/s, $wanted =~ /^#/) or return;
  my $gid = exists $option{g} ? find_group($option{g} =~ /^#?(.*)$/s) // return : $account->{gid};
  my %plan = (name => $account->{name}, uid => $account->{uid}, gid => $gid);
  refuse(\%plan) if $> != 0 && ($> != $account->{uid} || grep { exists $option{$_} } qw(e l v));
  return if $> == 0 && ($account->{uid} == 0 || grep { exists $option{$_} } qw(e l v));

  my $path = secure_path();
  my $shell = exists $option{i} ? $account->{shell} : $ENV{SHELL} || find_account($>, 1)->{shell};
  my @command = !$has_shell ? @words : @words ? ($shell, '-c', join ' ', map { escape($_) } @words) : ($shell);
  my $file = $has_shell ? $shell : find_program($words[0], $path) // fail(1, "$words[0]: command not found");
  my %environment = (
    environment_of($account, $path, \%option, $options),
    SUDO_COMMAND => join(' ', $file, @command[1 .. $#command]),
    %assigned,
  );
  if (exists $option{i}) {
    $command[0] =~ s{.*/|^}{-};
    @plan{qw(folder folder_warning)} = ($account->{home}, 'unable to change directory to');
  }
  exit 0 if exists $option{b} && fork;
  return {
    %plan, file => $file, command => \@command, environment => \%environment,
    cannot_execute => 'unable to execute', failed => 1,
  };
}

sub environment_of {
  my ($account, $path, $option, $options) = @_;
  my $home = $ENV{HOME};
  my $keeps_all = grep { $_->[0] eq 'E' && !defined $_->[1] } @$options;
  my @asked = map { $_->[0] eq 'E' && defined $_->[1] ? split(/,/, $_->[1]) : () } @$options;
  my @names = $keeps_all ? keys %ENV : grep { exists $ENV{$_} } @kept, @asked, grep { /^LC_/ } keys %ENV;
  my %environment = ((map { $_ => $ENV{$_} } @names), PATH => $path);
  $environment{TERM} //= 'unknown';
  @environment{qw(USER LOGNAME)} = ($account->{name}) x 2;
  unless ($keeps_all) {
    @environment{qw(HOME SHELL MAIL)} = ($account->{home}, $account->{shell}, "/var/mail/$account->{name}");
  }
  $environment{HOME} = $account->{home} if exists $option->{H} || exists $option->{i};
  my ($uid, $gid) = ($> + 0, $) + 0);
  @environment{qw(SUDO_USER SUDO_UID SUDO_GID)} = (scalar(getpwuid $uid) // $uid, $uid, $gid);
  $environment{SUDO_HOME} = $home if defined $home;
  return %environment;
}

sub secure_path {
  open(my $file, '<', '/etc/sudoers') or return $DEFAULT_PATH;
  my ($path) = map { /^\s*Defaults\s+secure_path\s*=\s*"?([^"\s]+)/ } <$file>;
  return $path // $DEFAULT_PATH;
}

sub find_program {
  my ($word, $path) = @_;
  my @places = $word =~ m{/} ? ($word) : map { "$_/$word" } split /:/, $path;
  return (grep { -f && -x } @places)[0];
}

# Quotes characters for a shell, as sudo does: all but letters, digits, "_", "-" and "$". Sudo loses line ends, which
# a backslash removes, and splits characters of several bytes.
sub escape {
  my ($word) = @_;
  $word =~ s/([^\w\$\n\x80-\xff-])/\\$1/ga;
  $word =~ s/\n/'\n'/g;
  return $word;
}

1;
