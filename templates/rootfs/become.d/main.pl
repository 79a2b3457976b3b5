# main.pl PLACE [ARGUMENT...] Runs the command of the program at PLACE (su, sudo, ...) as the requested user: in a
# user namespace that maps the only id to that user's. Without a change of user, for a request that it does not
# understand, or with real ids, runs the original program with the same arguments, which also reports usage errors.
#
# Plain Perl without modules but Config, because only perl-base may be installed. See user_namespaces(7).
use strict;
use warnings;
use Config;

my $SELF = '/usr/lib/envs/become';
my $CLONE_NEWUSER = 0x10000000;
my $CAP_SETFCAP = 31;
my ($ENOENT, $MOST_LINKS) = (2, 8);

# The number of unshare depends on the processor that this perl was built for, which may differ from the kernel's.
my @number_of_unshare = (
  [qr/^x86_64-linux-gnu(?!x32)/, 272],
  [qr/^i[3-6]86-/,               310],
  [qr/^aarch64-/,                97],
  [qr/^arm-/,                    337],
  [qr/^riscv64-/,                97],
  [qr/^loongarch64-/,            97],
  [qr/^powerpc64le-/,            282],
  [qr/^s390x-/,                  303],
);

# plan() of each file returns the user and the command; nothing if the original program is to run.
my %family = (
  su => 'su', runuser => 'su', sudo => 'sudo', sudoedit => 'sudo', smtpd => 'postfix',
  map { $_ => 'postgresql' } qw(
    pg_backupcluster pg_createcluster pg_ctlcluster pg_dropcluster pg_renamecluster pg_restorecluster pg_upgradecluster
  ),
);

my $called_as = shift @ARGV // '';
my $place = program_behind($called_as);
our ($name) = grep { exists $family{$_} } map { m{([^/]+?)(?:\.ws)?$} } $called_as, $place;
our $program = "$place.distrib";
defined $name or die "$called_as: envs replaces no program of this name\n";
-e $program or fail(127, 'not installed');
run_program() if has_real_ids();
require "/usr/lib/envs/become.d/$family{$name}.pl";
my $plan = plan() or run_program();
become($plan);
execute($plan);

# Follows links (of alternatives) to the link that replaced the program.
sub program_behind {
  my ($place) = @_;
  for (1 .. $MOST_LINKS) {
    my $target = readlink $place // last;
    return $place if $target eq $SELF;
    my ($folder) = $place =~ m{^(.*/)};
    $place = $target =~ m{^/} ? $target : ($folder // '') . $target;
  }
  return $place;
}

sub run_program {
  { no warnings 'exec'; exec { $program } $name, @ARGV }
  fail(126, "could not run $program: $!");
}

sub fail {
  my ($status, $message) = @_;
  print STDERR "$name: $message\n";
  exit $status;
}

# More than one id: a change of user is real. The file is unreadable without /proc, where no id could be mapped
# either.
sub has_real_ids {
  open(my $map, '<', '/proc/self/uid_map') or return 1;
  my $ids = 0;
  $ids += (split)[2] for <$map>;
  return $ids > 1;
}

# Returns the account by name, or by number if $numbered says that the program accepts one; nothing for an unknown
# one.
sub find_account {
  my ($wanted, $numbered) = @_;
  my @entry = getpwnam $wanted;
  @entry = getpwuid $wanted if !@entry && $numbered && $wanted =~ /^\d{1,10}$/;
  return unless @entry;
  my %account = (name => $entry[0], uid => $entry[2], gid => $entry[3], home => $entry[7], shell => $entry[8]);
  $account{shell} = '/bin/sh' unless length $account{shell};
  return \%account;
}

sub find_group {
  my ($wanted) = @_;
  return getgrnam($wanted) // ($wanted =~ /^\d{1,10}$/ ? $wanted : undef);
}

sub become {
  my ($plan) = @_;
  return if $> == $plan->{uid} && $) + 0 == $plan->{gid};
  refuse($plan) if $> != 0;
  my ($unshare) = map { $_->[1] } grep { $Config{archname} =~ $_->[0] } @number_of_unshare;
  stay_root('the processor is unknown') unless defined $unshare;
  stay_root('root has lost CAP_SETFCAP') unless may_map_root();
  syscall($unshare, $CLONE_NEWUSER) == 0 or stay_root("unshare: $!");
  write_line('/proc/self/setgroups', 'deny');
  write_line('/proc/self/uid_map', "$plan->{uid} 0 1");
  write_line('/proc/self/gid_map', "$plan->{gid} 0 1");
}

# Without it, the kernel refuses a namespace that maps root's id again, and a namespace without ids has no way back.
sub may_map_root {
  open(my $file, '<', '/proc/self/status') or return 0;
  my ($capabilities) = map { /^CapEff:\s*([0-9a-f]+)/ } <$file>;
  return hex(substr $capabilities, -8) >> $CAP_SETFCAP & 1;
}

sub write_line {
  my ($path, $line) = @_;
  open(my $file, '>', $path) or fail(1, "$path: $!");
  defined syswrite($file, $line) or fail(1, "$path: $!");
}

sub stay_root {
  my ($reason) = @_;
  print STDERR "$name: could not change the user ($reason): the program runs as root.\n";
  run_program();
}

sub refuse {
  my ($plan) = @_;
  my $own = getpwuid($>) // $>;
  print STDERR "$name: users are emulated in this environment: a process of $own cannot become $plan->{name}.\n";
  fail(1, 'Leave this shell to be root again; or enter with envs run --user NAME; '
      . 'or create an environment with --identity mapped, where users are real.');
}

# file: the program; command: its argv; environment; folder: the working folder, if any
sub execute {
  my ($plan) = @_;
  %ENV = %{$plan->{environment}};
  delete $ENV{PERL_BADLANG};
  if (defined $plan->{folder}) {
    chdir $plan->{folder} or print STDERR "$name: $plan->{folder_warning} $plan->{folder}: $!\n";
  }
  { no warnings 'exec'; exec { $plan->{file} } @{$plan->{command}} }
  my $status = $plan->{failed} // ($! == $ENOENT ? 127 : 126);
  fail($status, "$plan->{cannot_execute} $plan->{file}: $!");
}

# As getopt_long(3). $short is its option string, where a leading "+" ends the options at the first argument; $long
# gives each long name its letter. Returns [letter, value] for every option, and then the arguments; nothing for an
# invalid request, or for an option that is newer than this file.
sub read_options {
  my ($short, $long, @words) = @_;
  my %takes = $short =~ /([A-Za-z])(:*)/g;
  my (@options, @arguments);
  while (defined(my $word = shift @words)) {
    if ($word eq '--') { push @arguments, splice @words }
    elsif ($word =~ /^--([^=]+)(?:=(.*))?$/s) {
      my ($letter, $value) = (long_option($1, $long), $2);
      return unless defined $letter && defined $takes{$letter} && !($takes{$letter} eq '' && defined $value);
      $value = shift(@words) // return if $takes{$letter} eq ':' && !defined $value;
      push @options, [$letter, $value];
    }
    elsif ($word =~ /^-(.+)$/s) {
      my $letters = $1;
      while ($letters =~ s/^(.)//s) {
        my $letter = $1;
        my $takes = $takes{$letter} // return;
        my $value = $takes eq ':' ? (length $letters ? $letters : shift(@words) // return) : undef;
        push @options, [$letter, $value];
        last if defined $value;
      }
    }
    else {
      push @arguments, $word;
      push @arguments, splice @words if $short =~ /^\+/;
    }
  }
  return (\@options, @arguments);
}

sub long_option {
  my ($word, $long) = @_;
  return $long->{$word} if exists $long->{$word};
  my @candidates = grep { index($_, $word) == 0 } keys %$long;
  return @candidates == 1 ? $long->{$candidates[0]} : undef;
}

# NAME=VALUE lines, as pam_env(8) reads them from /etc/environment.
sub read_assignments {
  my ($path) = @_;
  open(my $file, '<', $path) or return;
  return map { /^\s*(?:export\s+)?([A-Za-z_]\w*)=(["']?)(.*?)\2\s*$/ ? ($1 => $3) : () } <$file>;
}
