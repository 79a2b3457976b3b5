# One Exec*= line: its prefixes, its words, its variables. See "Command lines" in systemd.service(5).
package Command;
use v5.12;
use warnings;
use Account;
use Text;
use UnitFile;

my $PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
my $NAME = qr/[A-Za-z_][A-Za-z0-9_]*/;
# Of set-environment: for all units that start from then on.
my %common;

# Returns the commands of an Exec*= setting: {text, ignores_failure, is_privileged, has_name, expands}. One line may have several
# that are separated by " ; ".
sub lines {
  my ($unit, $key) = @_;
  my $is_root = $key ne 'ExecStart' && UnitFile::is_true($unit, 'Service.PermissionsStartOnly');
  return map { {%$_, is_privileged => $_->{is_privileged} || $is_root} } map { parse($_) } map { split /\s;\s/ } UnitFile::values_of($unit, "Service.$key");
}

sub parse {
  my ($line) = @_;
  my ($prefix, $text) = $line =~ /^\s*([-\@:+!|]*)\s*(.*)$/s;
  return {
    text            => $text,
    ignores_failure => $prefix =~ /-/ ? 1 : 0,
    is_privileged   => $prefix =~ /[+!]/ ? 1 : 0,
    has_name        => $prefix =~ /@/ ? 1 : 0,
    expands         => $prefix =~ /:/ ? 0 : 1,
  };
}

# Returns the program and the argument vector; nothing without a program.
sub argv {
  my ($command, $variables) = @_;
  my @words = Text::words($command->{text});
  @words = map { expand($_, $variables) } @words if $command->{expands};
  my $program = shift @words // return;
  my $name = $command->{has_name} ? shift @words : $program;
  return (find_program($program), $name // $program, @words);
}

# "$NAME" alone is as many words as the value has; "${NAME}", and both in a longer word, is text.
sub expand {
  my ($word, $variables) = @_;
  return Text::words($variables->{$1} // '') if $word =~ /^\$($NAME)$/;
  $word =~ s/\$(?:\$|\{($NAME)\}|($NAME))/defined($1 \/\/ $2) ? $variables->{$1 \/\/ $2} \/\/ '' : '$'/ge;
  return $word;
}

sub find_program {
  my ($name) = @_;
  return $name if $name =~ m{/};
  for my $folder (split /:/, $PATH) { return "$folder/$name" if -x "$folder/$name" && !-d _ }
  return $name;
}

# Returns the variables of a unit's processes; undef if a file of them is missing.
sub variables {
  my ($unit, $account) = @_;
  my %variables = (PATH => $PATH, LANG => 'C.UTF-8', %common, INVOCATION_ID => $unit->{invocation} // '');
  # Set by the front door for all sessions; programs ask it whether they are in a container.
  $variables{container} = 'envs';
  @variables{qw(USER LOGNAME HOME SHELL)} = @$account{qw(name name home shell)} if $account->{is_named};
  %variables = (%variables, Account::folder_variables($unit));
  for my $line (UnitFile::values_of($unit, 'Service.Environment')) {
    for (Text::words($line)) { $variables{$1} = $2 if /^($NAME)=(.*)$/s }
  }
  for my $name (UnitFile::words_of($unit, 'Service.UnsetEnvironment')) { delete $variables{$name} }
  for my $entry (UnitFile::values_of($unit, 'Service.EnvironmentFile')) {
    my ($is_optional, $pattern) = $entry =~ /^(-?)(.*)$/;
    my @paths = $pattern =~ /[*?\[]/ ? glob $pattern : $pattern;
    for my $path (@paths) {
      my $text = UnitFile::text_of($path);
      return if !defined $text && !$is_optional;
      %variables = (%variables, assignments($text // ''));
    }
  }
  return \%variables;
}

# Returns the first word that is no assignment; then none of them has an effect.
sub set_common {
  my (@words) = @_;
  my ($wrong) = grep { !/^$NAME=/ } @words;
  return $wrong if defined $wrong;
  for (@words) { $common{$1} = $2 if /^($NAME)=(.*)$/s }
  return;
}

# Each word is a name, or an assignment that is removed only if the value is this one.
sub unset_common {
  for my $word (@_) {
    my ($name, $value) = $word =~ /^($NAME)(?:=(.*))?$/s or next;
    delete $common{$name} if !defined $value || ($common{$name} // '') eq $value;
  }
}

sub common { return map { "$_=$common{$_}\n" } sort keys %common }

# NAME=VALUE lines with the quotes of a shell.
sub assignments {
  my ($text) = @_;
  my %found;
  $text =~ s/\\\r?\n//g;
  for my $line (split /\r?\n/, $text) {
    my ($name, $value) = $line =~ /^\s*(?:export\s+)?($NAME)=(.*?)\s*$/ or next;
    $value =~ s/\G(?:"((?:\\.|[^"\\])*)"|'([^']*)'|((?:\\.|[^"'\\])+)|(["']))/defined $1 ? $1 =~ s{\\(["\\\$`])}{$1}gr : $2 \/\/ ($3 \/\/ $4) =~ s{\\(.)}{$1}gr/ge;
    $found{$name} = $value;
  }
  return %found;
}

1;
