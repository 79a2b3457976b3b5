#!/usr/bin/perl
# Puts this process under limits and executes a program, which all processes of an environment descend from.
#
# usage: limits.pl NUMBER WORD... -- PROGRAM ARGUMENT...
#   NUMBER  of the system call prlimit64 on this processor
#   words   rlimits "RESOURCE=VALUE ..."  of each process; numbers as in setrlimit(2)
#           nice PRIORITY
#           group MOUNT NAME VALUES       a control group NAME below that of this process, in the cgroup2 at MOUNT, for all processes together; VALUES
#                                         are lines FILE=TEXT
#
# A limit that the kernel refuses is no error here: envs reads afterwards which ones are in force.
#
# Plain Perl without modules, as session.pl. See cgroups(7), https://systemd.io/CGROUP_DELEGATION.
use v5.12;
use warnings;

BEGIN { $^F = 10 }    # the descriptors of an engine are handed on

# A group with controllers for its children may have no process itself. Those that are in the way go here.
my $REST = 'envs-rest';
# More than a session has; a process that is made meanwhile is found by the next round.
my $MOST_ROUNDS = 20;

my ($nr_prlimit, @words) = @ARGV;
(my $own_folder = $0) =~ s{[^/]*\z}{};
require "${own_folder}session/rlimits.pl";
while (defined(my $word = shift @words)) {
  if    ($word eq '--')      { last }
  elsif ($word eq 'rlimits') { set_rlimits($nr_prlimit + 0, shift @words) }
  elsif ($word eq 'nice')    { setpriority 0, 0, shift @words }
  elsif ($word eq 'group')   { enter_group(splice @words, 0, 3) }
  else                       { die "envs: limits.pl: unknown word $word\n" }
}
no warnings 'exec';
exec { $words[0] } @words or do { print STDERR "envs: $words[0]: $!\n"; exit 1 };

sub enter_group {
  my ($mount, $name, $values) = @_;
  my $parent = $mount . own_group() =~ s{/\z}{}r =~ s{/\Q$REST\E\z}{}r;
  my @values = map { [split /=/, $_, 2] } split /\n/, $values;
  my %needed = map { $_->[0] =~ /^([a-z]+)/ => 1 } @values;
  my %is_on = map { $_ => 1 } split ' ', read_file("$parent/cgroup.subtree_control");
  my @missing = grep { !$is_on{$_} } sort keys %needed;
  if (@missing) { make_room($parent); write_file("$parent/cgroup.subtree_control", "+$_") for @missing }
  my $group = "$parent/$name";
  mkdir $group, 0755;    # may be there, empty: an earlier one of the environment
  write_file("$group/$_->[0]", $_->[1]) for @values;
  write_file("$group/cgroup.procs", 0);
}

sub make_room {
  my ($parent) = @_;
  mkdir "$parent/$REST", 0755;
  for (1 .. $MOST_ROUNDS) {
    my @processes = split ' ', read_file("$parent/cgroup.procs") or return;
    write_file("$parent/$REST/cgroup.procs", $_) for @processes;
  }
}

sub own_group {
  my ($path) = read_file('/proc/self/cgroup') =~ /^0::(.*)$/m;
  return $path // '/';
}

sub read_file {
  my ($path) = @_;
  open(my $file, '<', $path) or return '';
  local $/;
  return <$file> // '';
}

# One write for all: the kernel takes each for a whole value.
sub write_file {
  my ($path, $text) = @_;
  open(my $file, '>', $path) or return 0;
  return defined syswrite $file, $text;
}
