#!/usr/bin/perl
# Becomes a program that is root of a user namespace made by bubblewrap, for hosts on which unshare(1) makes none with capabilities.
#
# usage: root-by-bwrap.pl SETNS BWRAP PROGRAM ARGUMENT...
#   SETNS  system call number of setns(2) on this processor
#   BWRAP  path of bwrap(1)
#
# Ubuntu's AppArmor profile of bwrap takes the capabilities of the programs that bwrap executes, not those of a process that joins the
# namespace: sessions join an environment in the same way. This program joins the user namespace only, so mounts are the
# host's, as after unshare --user --map-root-user. PROGRAM keeps the label of its caller, and its mounts have that label too:
# see docs/decisions/0044-apparmor-ticket.md. bwrap has ended when PROGRAM begins.
#
# Plain Perl without modules, as session.pl. See setns(2), user_namespaces(7).
use v5.12;
use warnings;

my $CLONE_NEWUSER = 0x10000000;
# Prints its id when the namespace is complete, and ends with the pipe.
my $HOLD = 'echo $$; read -r _';

my ($nr_setns, $bwrap, @program) = @ARGV;
no warnings 'exec';    # fail tells it

pipe(my $is_made, my $made) && pipe(my $is_held, my $hold) or fail('pipe');
my $child = fork() // fail('fork');
if ($child == 0) {
  open(STDIN, '<&', $is_held) && open(STDOUT, '>&', $made) or fail('the pipes of bwrap');
  exec {$bwrap} $bwrap, qw(--unshare-user --uid 0 --gid 0 --ro-bind / / -- /bin/sh -c), $HOLD or fail($bwrap);
}
close $_ for $made, $is_held;
my $holder = <$is_made> // '';
$holder =~ /^[0-9]+$/ or exit 1;
chomp $holder;
open(my $namespace, '<', "/proc/$holder/ns/user") or fail('the user namespace of bwrap');
syscall($nr_setns, fileno $namespace, $CLONE_NEWUSER) == 0 or fail('setns');
close $hold;
waitpid $child, 0;
exec { $program[0] } @program or fail($program[0]);

sub fail {
  my ($what) = @_;
  print STDERR "envs: $what: $!\n";
  exit 1;
}
