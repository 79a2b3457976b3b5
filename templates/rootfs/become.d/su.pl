# su(1) and runuser(1) of util-linux.
use strict;
use warnings;

our $name;

my %long = (
  command => 'c', 'session-command' => 'c', fast => 'f', group => 'g', 'supp-group' => 'G', login => 'l', pty => 'P',
  'no-pty' => 'T', 'preserve-environment' => 'm', shell => 's', user => 'u', 'whitelist-environment' => 'w',
);

sub plan {
  my $short = 'c:fg:G:lmpPs:Tw:' . ($name eq 'runuser' ? 'u:' : '');
  my ($options, @arguments) = read_options($short, \%long, @ARGV) or return;
  my %option = map { $_->[0] => $_->[1] } @$options;
  $option{m} = 1 if exists $option{p};
  my $is_direct = exists $option{u};
  return if $is_direct && (!@arguments || grep { exists $option{$_} } qw(c f l s));
  if (!$is_direct && @arguments && $arguments[0] eq '-') { shift @arguments; $option{l} = 1 }
  delete $option{m} if exists $option{l};

  my $account = find_account($is_direct ? $option{u} : shift @arguments // 'root') or return;
  return if $> == 0 && $account->{uid} == 0;
  my $group = $option{g} // first_value('G', $options);
  my $gid = defined $group ? find_group($group) // return : $account->{gid};
  my $shell = $option{s} // (exists $option{m} ? $ENV{SHELL} : undef) // $account->{shell};

  my %plan = (
    name => $account->{name}, uid => $account->{uid}, gid => $gid, cannot_execute => 'failed to execute',
    environment => environment_of($account, $shell, \%option, $options),
  );
  if ($is_direct) { return {%plan, file => $arguments[0], command => \@arguments, failed => 1} }
  tell_of_session($account->{name}) if exists $option{l};
  my ($shell_name) = $shell =~ m{([^/]*)$};
  my @command = (exists $option{l} ? "-$shell_name" : $shell_name);
  push @command, '-f' if exists $option{f};
  push @command, '-c', $option{c} if exists $option{c};
  @plan{qw(file command)} = ($shell, [@command, @arguments]);
  @plan{qw(folder folder_warning)} = ($account->{home}, 'warning: cannot change directory to') if exists $option{l};
  return \%plan;
}

# The bus and logind take the user of a client from the kernel, which reports root for all of them.
sub tell_of_session {
  my ($user) = @_;
  return unless -d '/run/systemd/seats' && -t STDIN && -t STDERR;
  print STDERR "$name: users are emulated in this environment, so this login has no session of logind: systemctl --user finds no manager.\n",
    "$name: Use a unit of the system with User=$user; or create an environment with --identity mapped, where users are real.\n";
}

# Without -g, the first supplementary group is the primary group. There can be no others.
sub first_value {
  my ($letter, $options) = @_;
  return (map { $_->[0] eq $letter ? $_->[1] : () } @$options)[0];
}

sub environment_of {
  my ($account, $shell, $option, $options) = @_;
  my $is_login = exists $option->{l};
  my %environment = %ENV;
  if ($is_login) {
    my @kept = map { $_->[0] eq 'w' ? split(/,/, $_->[1]) : () } @$options;
    %environment = map { exists $ENV{$_} ? ($_ => $ENV{$_}) : () } qw(TERM COLORTERM NO_COLOR), @kept;
  }
  unless (exists $option->{m}) {
    @environment{qw(HOME SHELL)} = ($account->{home}, $shell);
    @environment{qw(USER LOGNAME)} = ($account->{name}) x 2 if $is_login || $account->{uid} != 0;
    my %defaults = login_defaults();
    $environment{PATH} = $defaults{PATH} if $is_login || lc $defaults{ALWAYS_SET_PATH} eq 'yes';
  }
  # Added by PAM: /etc/pam.d/su has pam_env and pam_mail, that of runuser neither.
  return \%environment if $name eq 'runuser';
  my %added = (MAIL => "/var/mail/$account->{name}", map { read_assignments($_) } qw(/etc/environment /etc/default/locale));
  return {%environment, %added};
}

# See login.defs(5).
sub login_defaults {
  my %defaults = (PATH => '/usr/local/bin:/bin:/usr/bin', ALWAYS_SET_PATH => 'no');
  open(my $file, '<', '/etc/login.defs') or return %defaults;
  for (<$file>) {
    $defaults{PATH} = $1 if /^\s*ENV_PATH\s+(?:PATH=)?(\S+)/;
    $defaults{ALWAYS_SET_PATH} = $1 if /^\s*ALWAYS_SET_PATH\s+(\w+)/;
  }
  return %defaults;
}

1;
